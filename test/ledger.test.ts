/** The books on real Postgres: groups, crowds, claims, and what the database itself refuses. */
import { expect } from 'chai'
import fc from 'fast-check'
import {
  audit,
  balanceAt,
  claimOf,
  createTransfers,
  findAccounts,
  findEntries,
  type Group,
  newId,
  newUnitId,
  type NewTransfer,
  transferIdAt,
} from '../ledger/index.ts'
import { openModel, type ModelAccount, type ModelTransfer } from './model/books.ts'
import {
  AT,
  count,
  openBooks,
  pending,
  resolution,
  single,
  times,
  unitOf,
} from './support/books.ts'
import { world } from './support/world.ts'

describe('the books', () => {
  let books: Awaited<ReturnType<typeof openBooks>>
  let group: Group
  before(async () => {
    books = await openBooks()
    group = books.group()
  })
  after(() => books.close())

  const outcome = async (...transfers: NewTransfer[]) =>
    (await group.submit(unitOf(transfers))).answer

  async function funded(amount: bigint): Promise<string> {
    const [bank, wallet] = [await books.account('bank'), await books.account()]
    expect(await outcome(single(bank, wallet, amount))).to.equal('ok')
    return wallet
  }
  async function balances(id: string) {
    const [account] = await findAccounts(books.db, { id })
    return [account?.posted, account?.available]
  }

  it('agree with the model over real Postgres, whatever is wanted', async () => {
    const accounts = new Map<string, ModelAccount>()
    for (const type of ['wallet', 'wallet', 'merchant', 'bank'] as const) {
      const isBank = type === 'bank'
      const growsBy = isBank ? ('debit' as const) : ('credit' as const)
      const floor = isBank ? null : 0n
      accounts.set(await books.account(type), { currency: 'EUR', growsBy, floor })
    }
    const model = openModel(accounts)
    const ids = [...accounts.keys(), newId()]
    const pendings: string[] = []
    const movement = fc.record({
      ...{ kind: fc.constantFrom('single' as const, 'pending' as const) },
      ...{ debit: fc.constantFrom(...ids), credit: fc.constantFrom(...ids) },
      amount: fc.bigInt(1n, 100n),
    })
    const resolve = fc.record({
      kind: fc.constantFrom('post' as const, 'void' as const),
      back: fc.nat(4),
    })
    const parts = fc.array(fc.oneof({ weight: 2, arbitrary: movement }, resolve), {
      ...{ minLength: 1, maxLength: 3 },
    })
    const seed = Number(process.env['SEED'] ?? Date.now() % 2 ** 31)
    const wanted = fc.sample(parts, { numRuns: Number(process.env['UNITS'] ?? 400), seed })
    const seen = new Set<string>()
    for (const unit of wanted) {
      const id = newUnitId()
      const modelled: ModelTransfer[] = []
      const transfers = unit.map((part, index): NewTransfer => {
        if ('back' in part) {
          const pendingId = pendings.at(-1 - part.back) ?? newId()
          modelled.push({ kind: part.kind, pendingId })
          return resolution(part.kind, pendingId)
        }
        modelled.push({ ...part, currency: 'EUR' })
        if (part.kind === 'pending') pendings.push(transferIdAt(id, index))
        return { ...single(part.debit, part.credit, part.amount), kind: part.kind }
      })
      const answered = (await group.submit(unitOf(transfers, { id }))).answer
      const model_ids = transfers.map((_, index) => transferIdAt(id, index))
      const expected = model.submit({ ids: model_ids, transfers: modelled })
      expect(answered === 'ok' ? 'accepted' : answered, `SEED=${seed}`).to.equal(expected)
      seen.add(expected)
    }
    for (const id of accounts.keys()) {
      expect(await balances(id), `SEED=${seed}`).to.deep.equal([
        model.posted(id),
        model.available(id),
      ])
    }
    expect([...seen]).to.include.members(['accepted', 'insufficient_funds', 'same_account'])
  })

  it('cannot be overdrawn by a crowd', async () => {
    const [ada, ben] = [await funded(100n), await books.account()]
    const outcomes = await Promise.all(times(50, () => outcome(single(ada, ben, 10n))))
    expect(count(outcomes, 'ok')).to.equal(10)
    expect(count(outcomes, 'insufficient_funds')).to.equal(40)
    expect(await balances(ada)).to.deep.equal([0n, 0n])
  })

  it('stay right when several processes post to one hot account', async () => {
    const hot = await books.account('merchant')
    const payers = await Promise.all(times(20, () => funded(1_000n)))
    const groups = times(3, () => books.group({ groupSizeMax: 8 }))
    const payments = times(600, (index) => {
      const unit = unitOf([single(payers[index % 20] as string, hot, 7n)])
      return groups[index % 3]?.submit(unit)
    })
    const back = times(100, (index) =>
      groups[index % 3]?.submit(unitOf([single(hot, payers[index % 20] as string, 1n)])),
    )
    await Promise.all([...payments, ...back])
    const [row] = await findAccounts(books.db, { id: hot })
    expect(row?.lastEntry).to.be.satisfy((last: bigint) => last > 599n)
    expect((await audit(books.db)).violations).to.deep.equal([])
  })

  it('hold money, and give it up once: to the payee or back', async () => {
    const [ada, ben] = [await funded(100n), await books.account()]
    const unit = unitOf([pending(ada, ben, 60n)])
    expect((await group.submit(unit)).answer).to.equal('ok')
    expect(await balances(ada)).to.deep.equal([100n, 40n])
    expect(await outcome(single(ada, ben, 41n))).to.equal('insufficient_funds')
    const hold = transferIdAt(unit.id, 0)
    const outcomes = await Promise.all(
      times(10, (index) => outcome(resolution(index % 2 === 0 ? 'post' : 'void', hold))),
    )
    expect(count(outcomes, 'ok')).to.equal(1)
    expect(count(outcomes, 'pending_transfer_resolved')).to.equal(9)
    const [posted, available] = await balances(ada)
    expect([40n, 100n]).to.include(posted)
    expect(available).to.equal(posted)
  })

  it('answer a claim once, and the same ever after, also within one group', async () => {
    const [ada, ben] = [await funded(100n), await books.account()]
    const claim = claimOf('ada', 'pay', newId(), 'ten to ben')
    const submit = () => group.submit(unitOf([single(ada, ben, 10n)], { claim }))
    const answers = await Promise.all(times(20, submit))
    expect(answers.filter((answer) => !answer.replayed)).to.have.length(1)
    expect((await submit()).replayed).to.equal(true)
    expect(await balances(ben)).to.deep.equal([10n, 10n])
    expect((await group.recall(claim))?.answer).to.equal('ok')
  })

  it('answer a claim once when two processes race for it', async () => {
    const [ada, ben] = [await funded(100n), await books.account()]
    const groups = times(4, () => books.group())
    for (const _round of times(10, (index) => index)) {
      const claim = claimOf('ada', 'pay', newId(), 'one to ben')
      const answers = await Promise.all(
        groups.map((one) => one.submit(unitOf([single(ada, ben, 1n)], { claim }))),
      )
      expect(answers.filter((answer) => !answer.replayed)).to.have.length(1)
    }
    expect(await balances(ben)).to.deep.equal([10n, 10n])
  })

  it('refuse a claim for something else, and keep the answer of a refusal', async () => {
    const [ada, ben] = [await books.account(), await books.account()]
    const key = newId()
    const claim = claimOf('ada', 'pay', key, 'ten')
    const unit = () => unitOf([single(ada, ben, 10n)], { claim })
    expect((await group.submit(unit())).answer).to.equal('insufficient_funds')
    const bank = await books.account('bank')
    expect(await outcome(single(bank, ada, 100n))).to.equal('ok')
    expect(await group.submit(unit())).to.deep.equal({
      answer: 'insufficient_funds',
      replayed: true,
    })
    const other = unitOf([], { claim: claimOf('ada', 'pay', key, 'eleven') })
    expect(await refusalOf(group.submit(other))).to.equal('idempotency_key_reused')
  })

  it('let only the offender see its error when a companion row breaks a constraint', async () => {
    const [ada, ben] = [await funded(100n), await books.account()]
    const person_id = newId()
    const { owner } = await world()
    await owner('people').insert({ id: person_id, issuer: 'x', subject: person_id, name: 'x' })
    const alias = `a${person_id.slice(-8)}`
    const unit = () => ({
      ...unitOf([single(ada, ben, 1n)]),
      conclude: (verdict: { accepted: boolean; code?: string }) => ({
        answer: verdict.accepted ? 'ok' : (verdict.code ?? ''),
        ...(verdict.accepted && { rows: { aliases: [{ alias, person_id }] } }),
      }),
    })
    const outcomes = await Promise.all([
      ...times(3, () => group.submit(unit()).then(({ answer }) => answer, refusalCode)),
      ...times(5, () => outcome(single(ada, ben, 1n))),
    ])
    expect(count(outcomes, 'ok')).to.equal(6)
    expect(count(outcomes, 'alias_taken')).to.equal(2)
    expect(await balances(ben)).to.deep.equal([6n, 6n])
  })

  it('turn callers away when too many wait, rather than remember them all', async () => {
    const [ada, ben] = [await funded(100n), await books.account()]
    const small = books.group({ queueLengthMax: 5 })
    const outcomes = await Promise.all(
      times(20, () => small.submit(unitOf([single(ada, ben, 1n)])).then(() => 'ok', refusalCode)),
    )
    expect(count(outcomes, 'ok')).to.equal(5)
    expect(count(outcomes, 'ledger_saturated')).to.equal(15)
  })

  it('move money inside the caller’s transaction, and not at all when that rolls back', async () => {
    const [ada, ben] = [await funded(100n), await books.account()]
    const unit = { id: newUnitId(), transfers: [single(ada, ben, 30n)] }
    const failing = books.db.transaction(async (trx) => {
      await createTransfers(trx, unit)
      throw new Error('changed our mind')
    })
    expect(await failing.catch((error: Error) => error.message)).to.equal('changed our mind')
    expect(await balances(ada)).to.deep.equal([100n, 100n])
    await books.db.transaction(async (trx) => {
      const tooMuch = { id: newUnitId(), transfers: [single(ada, ben, 101n)] }
      expect(await refusalOf(createTransfers(trx, tooMuch))).to.equal('insufficient_funds')
      await createTransfers(trx, unit)
    })
    expect(await balances(ada)).to.deep.equal([70n, 70n])
  })

  it('tell an account’s story, newest first, and its balance at any moment', async () => {
    const [ada, ben] = [await funded(100n), await books.account()]
    const before = new Date()
    await new Promise((resolve) => setTimeout(resolve, 5))
    for (const amount of [10n, 20n, 30n]) await outcome(single(ada, ben, amount))
    const entries = await findEntries(books.db, ada, { limit: 2 })
    const told = entries.map(({ entry, side, amount, balance }) => [entry, side, amount, balance])
    expect(told).to.deep.equal([
      [4n, 'debit', 30n, 40n],
      [3n, 'debit', 20n, 70n],
    ])
    const older = await findEntries(books.db, ada, { limit: 9, before: 3n })
    expect(older.map(({ entry }) => entry)).to.deep.equal([2n, 1n])
    expect(await balanceAt(books.db, ada, before)).to.equal(100n)
    expect(await balanceAt(books.db, ada, new Date())).to.equal(40n)
    expect(await balanceAt(books.db, ada, new Date(0))).to.equal(0n)
  })

  describe('are defended by Postgres itself', () => {
    for (const role of ['florin_api', 'florin_worker']) {
      for (const statement of [
        'UPDATE transfers SET amount = 1',
        'DELETE FROM transfers',
        'TRUNCATE transfers',
        'UPDATE accounts SET floor = NULL',
        'DELETE FROM accounts',
        'UPDATE claims SET answer = NULL',
        'DELETE FROM claims',
        'UPDATE events SET data = NULL',
        'ALTER TABLE transfers DISABLE TRIGGER append_only',
      ]) {
        it(`${role} may not ${statement}`, async () => {
          const { owner } = await world()
          const refused = owner.transaction(async (trx) => {
            await trx.raw(`SET LOCAL ROLE ${role}`)
            await trx.raw(statement)
          })
          expect(await refused.catch(sqlStateOf)).to.equal('42501')
        })
      }
    }

    for (const statement of [
      'UPDATE transfers SET amount = 1',
      'DELETE FROM transfers',
      'TRUNCATE transfers',
    ]) {
      it(`even the owner may not ${statement}`, async () => {
        const { owner } = await world()
        expect(await owner.raw(statement).catch(constraintOf)).to.equal('append_only')
      })
    }

    /** A row as decide would write it, with something wrong. */
    async function insertWrong(wrong: object): Promise<unknown> {
      const { owner } = await world()
      const [ada, ben] = [await books.account(), await books.account()]
      const row = {
        ...{ id: newId(), kind: 'single', debit_account_id: ada, credit_account_id: ben },
        ...{ reference: newId(), amount: '1', currency: 'EUR', code: 'test' },
        ...{ debit_entry: 1, credit_entry: 1, debit_balance: '-1', credit_balance: '1' },
        effective_at: AT().effectiveAt,
      }
      return owner('transfers')
        .insert({ ...row, ...wrong })
        .catch(constraintOf)
    }

    it('against an account that is not there', async () => {
      expect(await insertWrong({ debit_account_id: newId() })).to.equal('debit_account_not_found')
      expect(await insertWrong({ credit_account_id: newId() })).to.equal('credit_account_not_found')
    })
    it('against another currency', async () => {
      expect(await insertWrong({ currency: 'USD' })).to.equal('currency_mismatch')
    })
    it('against amounts that are not positive', async () => {
      expect(await insertWrong({ amount: '0' })).to.equal('amount_not_positive')
    })
    it('against a transfer that its accounts do not know of', async () => {
      expect(await insertWrong({})).to.equal('entry_out_of_order')
    })
    it('against a balance below the floor', async () => {
      const { owner } = await world()
      const id = await books.account()
      const overdraw = owner('accounts').where({ id }).update({ debits_posted: '1' })
      expect(await overdraw.catch(constraintOf)).to.equal('insufficient_funds')
    })
  })
})

const refusalCode = (error: { code?: string }) => error.code
const refusalOf = (work: Promise<unknown>) => work.then(() => 'accepted', refusalCode)
const sqlStateOf = (error: { code?: string }) => error.code
const constraintOf = (error: { constraint?: string }) => error.constraint
