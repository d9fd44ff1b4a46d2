/** The decision function against the independent model. A failure prints its seed and path. */
import { expect } from 'chai'
import fc from 'fast-check'
import {
  type Account,
  availableBalance,
  decide,
  type NewTransfer,
  type NewUnit,
  type Pending,
  postedBalance,
} from '../ledger/decide.ts'
import { newId, newUnitId, transferIdAt } from '../ledger/ids.ts'
import { openModel, type ModelAccount, type ModelTransfer } from './model/books.ts'

/** Accounts of every temper: with a floor, without one, below zero, of another currency. */
const ACCOUNTS: ReadonlyMap<string, ModelAccount> = new Map(
  (
    [
      { currency: 'EUR', growsBy: 'credit', floor: 0n },
      { currency: 'EUR', growsBy: 'credit', floor: 0n },
      { currency: 'EUR', growsBy: 'credit', floor: -50n },
      { currency: 'EUR', growsBy: 'debit', floor: null },
      { currency: 'EUR', growsBy: 'debit', floor: 0n },
      { currency: 'USD', growsBy: 'credit', floor: 0n },
      { currency: 'USD', growsBy: 'debit', floor: null },
    ] as const
  ).map((account) => [newId(), account]),
)
const IDS = [...ACCOUNTS.keys(), newId()]

const account = fc.constantFrom(...IDS)
const movement = fc.record({
  kind: fc.constantFrom('single', 'single', 'pending'),
  debit: account,
  credit: account,
  amount: fc.oneof(
    { weight: 20, arbitrary: fc.bigInt(1n, 120n) },
    { weight: 1, arbitrary: fc.constantFrom(0n, -1n) },
    { weight: 2, arbitrary: fc.constantFrom(9n * 10n ** 18n, 2n ** 63n - 1n) },
  ),
  currency: fc.constantFrom('EUR', 'EUR', 'EUR', 'EUR', 'USD'),
})
/** Resolves the n-th pending transfer ever wanted, counted from the newest. */
const resolution = fc.record({ kind: fc.constantFrom('post', 'void'), back: fc.nat(6) })
const unit = fc.array(fc.oneof({ weight: 3, arbitrary: movement }, resolution), {
  minLength: 1,
  maxLength: 4,
})
/** Some calls of `decide`, each with some units. */
const story = fc.array(fc.array(unit, { minLength: 1, maxLength: 5 }), {
  minLength: 1,
  maxLength: 8,
})

interface Built {
  readonly unit: NewUnit
  readonly model: { readonly ids: readonly string[]; readonly transfers: readonly ModelTransfer[] }
}

/** The same unit, said once to the product and once to the model. */
function build(parts: readonly object[], pendings: string[]): Built {
  const id = newUnitId()
  const at = { code: 'test', reference: id, effectiveAt: new Date(0) }
  const transfers: NewTransfer[] = []
  const modelled: ModelTransfer[] = []
  for (const [index, part] of parts.entries()) {
    if ('back' in part) {
      const { kind, back } = part as { kind: 'post' | 'void'; back: number }
      const pendingId = pendings.at(-1 - back) ?? newId()
      transfers.push({ kind, pendingId, ...at })
      modelled.push({ kind, pendingId })
      continue
    }
    const one = part as Extract<ModelTransfer, { debit: string }>
    const { kind, debit, credit, amount, currency } = one
    transfers.push({ kind, debit, credit, money: { amount, currency }, ...at })
    modelled.push(one)
    if (kind === 'pending') pendings.push(transferIdAt(id, index))
  }
  const ids = transfers.map((_, index) => transferIdAt(id, index))
  return { unit: { id, transfers }, model: { ids, transfers: modelled } }
}

const opened = (): Map<string, Account> =>
  new Map(
    [...ACCOUNTS].map(([id, { currency, growsBy, floor }]) => [
      id,
      {
        ...{ id, currency, floor, normalSide: growsBy, lastEntry: 0n },
        ...{ debitsPosted: 0n, creditsPosted: 0n, debitsPending: 0n, creditsPending: 0n },
      },
    ]),
  )

describe('the decision', () => {
  it('agrees with the model, unit by unit, whatever is wanted', () => {
    const property = fc.property(story, (groups) => {
      const model = openModel(ACCOUNTS)
      const accounts = opened()
      const pendings = new Map<string, Pending>()
      const wanted: string[] = []
      for (const group of groups) {
        const built = group.map((parts) => build(parts, wanted))
        const decision = decide(
          { accounts, pendings },
          built.map((one) => one.unit),
        )
        const verdicts = decision.verdicts.map((v) => (v.accepted ? 'accepted' : v.code))
        expect(verdicts).to.deep.equal(built.map((one) => model.submit(one.model)))
        for (const changed of decision.accounts) accounts.set(changed.id, changed)
        for (const { id, kind, debit, credit, money, pendingId } of decision.transfers) {
          if (kind === 'pending') pendings.set(id, { debit, credit, money, resolved: false })
          const hold = pendingId === null ? undefined : pendings.get(pendingId)
          if (hold !== undefined && pendingId !== null) {
            pendings.set(pendingId, { ...hold, resolved: true })
          }
        }
      }
      for (const [id, one] of accounts) {
        expect(postedBalance(one), 'posted').to.equal(model.posted(id))
        expect(availableBalance(one), 'available').to.equal(model.available(id))
        expect(one.lastEntry, 'entries').to.equal(model.entries(id))
      }
    })
    fc.assert(property, { numRuns: Number(process.env['RUNS'] ?? 2_000), verbose: 1 })
  }).timeout(120_000)

  it('numbers the entries of an account without gaps and carries the balance after each', () => {
    const [ada, ben] = IDS as [string, string]
    const funded = { ...(opened().get(ada) as Account), creditsPosted: 100n }
    const accounts = opened().set(ada, funded)
    const pay = (amount: bigint) =>
      build([{ kind: 'single', debit: ada, credit: ben, amount, currency: 'EUR' }], []).unit
    const { verdicts, transfers } = decide({ accounts, pendings: new Map() }, [
      pay(30n),
      pay(80n),
      pay(70n),
    ])
    expect(verdicts.map((verdict) => verdict.accepted)).to.deep.equal([true, false, true])
    const rows = transfers.map((row) => [row.debitEntry, row.debitBalance, row.creditBalance])
    expect(rows).to.deep.equal([
      [1n, 70n, 30n],
      [2n, 0n, 100n],
    ])
  })

  it('refuses a unit as a whole, even when only its last transfer cannot be made', () => {
    const [ada, ben] = IDS as [string, string]
    const accounts = opened().set(ada, { ...(opened().get(ada) as Account), creditsPosted: 100n })
    const leg = (debit: string, credit: string, amount: bigint) => ({
      ...{ kind: 'single', debit, credit, amount, currency: 'EUR' },
    })
    const { unit } = build([leg(ada, ben, 100n), leg(ben, ada, 101n)], [])
    const decision = decide({ accounts, pendings: new Map() }, [unit])
    expect(decision.verdicts).to.deep.equal([{ accepted: false, code: 'insufficient_funds' }])
    expect(decision.transfers).to.deep.equal([])
    expect(decision.accounts).to.deep.equal([])
  })
})
