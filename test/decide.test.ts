/**
 * The decision function against the independent model, and the division of money against one. A
 * failure prints its seed and path, and the story shrunk to what is needed.
 */
import { expect } from 'chai'
import fc from 'fast-check'
import type { Account, Restrictions } from '../ledger/balances.ts'
import { type Books, decide, referencesOf } from '../ledger/decide.ts'
import { newId } from '../ledger/ids.ts'
import { allocate } from '../ledger/money.ts'
import { afterwards, type Origin, originOf } from '../ledger/origins.ts'
import type { NewUnit } from '../ledger/units.ts'
import { type Model, openModel } from './model/books.ts'
import { sharesOf } from './model/chart.ts'
import { CAST, type OrderWish, type Step, story, type UnitWish } from './model/stories.ts'
import { inModelWords, openTeller } from './model/teller.ts'

/** Every refusal that the decision can come to. */
const CODES = [
  ...['condition_failed', 'hold_not_found', 'hold_resolved', 'hold_expired'],
  ...['hold_in_several_currencies', 'amount_exceeds_hold', 'original_not_found', 'not_reversible'],
  ...['already_reversed', 'unit_too_large', 'debit_account_not_found', 'credit_account_not_found'],
  ...['same_account', 'currency_mismatch', 'amount_not_positive', 'posting_not_allowed'],
  ...['account_closed', 'account_frozen', 'effective_in_future', 'insufficient_funds'],
  ...['total_too_large'],
]

const START = Date.UTC(2026, 0, 1)

/** The ledger's side of a story, kept in memory as Postgres would keep it. */
function openBooks(ids: readonly string[]) {
  const accounts = new Map<string, Account>(
    CAST.map(({ type, currency, floor }, place) => [
      ids[place] ?? '',
      {
        ...{ id: ids[place] ?? '', type, currency, floor, lastEntry: 0n, restrictions: null },
        ...{ debitsPosted: 0n, creditsPosted: 0n, debitsPending: 0n, creditsPending: 0n },
      },
    ]),
  )
  /** Every unit that was ever accepted, as it stands. */
  const units = new Map<string, Origin>()
  return {
    accounts,
    decide(wanted: readonly NewUnit[]) {
      const origins = new Map([...referencesOf(wanted)].flatMap((id) => known(units, id)))
      const books: Books = { accounts, origins, quotas: new Map() }
      const decision = decide(books, wanted)
      for (const account of decision.accounts) accounts.set(account.id, account)
      for (const [index, verdict] of decision.verdicts.entries()) {
        if (!verdict.accepted) continue
        for (const [id, origin] of units) units.set(id, afterwards(origin, verdict.transfers))
        units.set(wanted[index]?.id ?? '', originOf(verdict.transfers))
      }
      return decision
    },
  }
}

const known = (units: ReadonlyMap<string, Origin>, id: string): [string, Origin][] => {
  const origin = units.get(id)
  return origin === undefined ? [] : [[id, origin]]
}

/** Restricts an account on both sides. */
function order(
  { account: place, what }: OrderWish,
  ids: readonly string[],
  accounts: Map<string, Account>,
  model: Model,
  now: number,
): void {
  const id = ids[place] ?? ''
  const account = accounts.get(id) as Account
  const none = { debitsFrozen: false, creditsFrozen: false, isClosed: false, closedThrough: null }
  const before: Restrictions = { ...none, ...account.restrictions }
  const restrict = (more: Partial<Restrictions>) =>
    accounts.set(id, { ...account, restrictions: { ...before, ...more } })
  if (what.kind === 'close_period') {
    const through = now - what.ago
    // Periods close one after the other.
    if (through <= (before.closedThrough?.getTime() ?? 0)) return
    model.order(id, { kind: what.kind, through })
    restrict({ closedThrough: new Date(through) })
    return
  }
  model.order(id, what)
  if (what.kind === 'close') restrict({ isClosed: true })
  else restrict({ debitsFrozen: what.debits, creditsFrozen: what.credits })
}

/** Plays the story on both sides, and is told of every verdict. */
function play(steps: readonly Step[], onVerdict: (code: string) => void): void {
  const ids = CAST.map(() => newId())
  const books = openBooks(ids)
  const model = openModel(new Map(ids.map((id, place) => [id, CAST[place] as (typeof CAST)[0]])))
  const teller = openTeller(ids, START)
  const group = (units: readonly UnitWish[]) => {
    const told = units.map((unit) => teller.tell(unit, model))
    const decision = books.decide(told.map(({ unit }) => unit))
    const expected = told.map((one) => model.submit(one.model))
    const codes = decision.verdicts.map((one) => (one.accepted ? 'accepted' : one.code))
    const expectedCodes = expected.map((one) => (typeof one === 'string' ? one : 'accepted'))
    expect(codes).to.deep.equal(expectedCodes)
    const rows = expected.flatMap((one) => (typeof one === 'string' ? [] : one))
    expect(decision.transfers.map(inModelWords)).to.deep.equal(rows)
    for (const [index, code] of codes.entries()) {
      if (code !== 'accepted') teller.refused(told[index]?.unit.id ?? '')
      onVerdict(code)
    }
  }
  for (const step of steps) {
    if ('pass' in step) teller.pass(step.pass)
    else if ('what' in step) order(step, ids, books.accounts, model, teller.now())
    else group(step)
  }
  for (const [id, account] of books.accounts) {
    const { debitsPosted, creditsPosted, debitsPending, creditsPending, lastEntry } = account
    const totals = { debitsPosted, creditsPosted, debitsPending, creditsPending, lastEntry }
    expect(totals).to.deep.equal(model.totals(id))
  }
}

describe('the decision', () => {
  it('agrees with the model, unit by unit, whatever is wanted', () => {
    const seen = new Map<string, number>()
    let commands = 0
    const property = fc.property(story(30), (steps) => {
      commands += steps.filter((one) => !Array.isArray(one)).length
      play(steps, (code) => {
        commands += 1
        seen.set(code, (seen.get(code) ?? 0) + 1)
      })
    })
    fc.assert(property, { numRuns: Number(process.env['RUNS'] ?? 700), verbose: 1 })
    const counts = [...seen].sort(([, a], [, b]) => b - a).map((one) => one.join(' '))
    process.stdout.write(`      ${commands} commands: ${counts.join(', ')}\n`)
    expect([...seen.keys()]).to.include.members(CODES)
  }).timeout(600_000)

  it('divides money as one who hands it out bit by bit would', () => {
    const weights = fc.array(fc.oneof(fc.bigInt(0n, 40n), fc.bigInt(0n, 2n ** 62n)), {
      ...{ minLength: 1, maxLength: 8 },
    })
    const property = fc.property(weights, fc.bigInt(0n, 2n ** 65n), (parts, any) => {
      const all = parts.reduce((sum, part) => sum + part, 0n)
      fc.pre(all > 0n)
      const amount = any % (all + 1n)
      const shares = allocate(amount, parts)
      expect(shares).to.deep.equal(allocate(amount, parts))
      expect(shares).to.deep.equal(sharesOf(amount, parts))
      expect(shares.reduce((sum, share) => sum + share, 0n)).to.equal(amount)
      for (const [n, share] of shares.entries()) {
        const part = parts[n] ?? 0n
        expect(share >= 0n && share <= part, 'above its weight').to.equal(true)
        // The exact share is amount * part / all: both sides times `all`.
        const off = share * all - amount * part
        expect(off < all && off > -all, 'a whole unit off').to.equal(true)
      }
    })
    fc.assert(property, { numRuns: 5_000, verbose: 1 })
  })
})
