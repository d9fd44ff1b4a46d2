/** What the database refuses on its own, whatever the program believes. */
import { expect } from 'chai'
import { newId } from '../ledger/index.ts'
import { openBooks } from './support/books.ts'
import { world } from './support/world.ts'

describe('the books are defended by Postgres itself', () => {
  let books: Awaited<ReturnType<typeof openBooks>>
  before(async () => {
    books = await openBooks()
  })
  after(() => books.close())

  for (const role of ['florin_api', 'florin_worker']) {
    for (const statement of [
      'UPDATE transfers SET amount = 1',
      'DELETE FROM transfers',
      'TRUNCATE transfers',
      'UPDATE accounts SET floor = NULL',
      'SELECT set_floor(gen_random_uuid(), 1)',
      'DELETE FROM accounts',
      'INSERT INTO accounts (id, credits_posted) VALUES (gen_random_uuid(), 100)',
      'UPDATE claims SET answer = NULL',
      'DELETE FROM claims',
      'UPDATE events SET data = NULL',
      'DELETE FROM events',
      'TRUNCATE events',
      'UPDATE callbacks SET amount = 1',
      'DELETE FROM callbacks',
      'TRUNCATE callbacks',
      'UPDATE payments SET amount = 1',
      'DELETE FROM payments',
      'UPDATE reversals SET operator = NULL',
      "UPDATE fee_schedules SET terms = '{}'",
      'DELETE FROM fee_lines',
      'UPDATE merchant_turnover SET paid = 0',
      'DELETE FROM payment_splits',
      'DELETE FROM proposals',
      "UPDATE proposals SET body = '{}'",
      "UPDATE proposals SET proposed_by = 'somebody else'",
      "SELECT purge_claims(interval '29 days', 0, 1)",
      'DROP TABLE transfers',
      'DROP TRIGGER append_only ON transfers',
      'ALTER TABLE transfers DISABLE TRIGGER append_only',
    ]) {
      it(`${role} may not ${statement} (abuse 27)`, async () => {
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
    it(`even the owner may not ${statement} (abuse 27)`, async () => {
      const { owner } = await world()
      expect(await owner.raw(statement).catch(constraintOf)).to.equal('append_only')
    })
  }

  for (const [type, side, floor] of [
    ['wallet', 'credit', null],
    ['wallet', 'credit', -1],
    ['merchant', 'credit', null],
    ['merchant', 'credit', -1],
    ['merchant', 'credit', 1],
    ['transit', 'credit', null],
    ['fees', 'credit', 0],
    ['bank', 'debit', 0],
  ] as const) {
    it(`nobody opens an account of type ${type} that may fall to ${floor}`, async () => {
      const { owner } = await world()
      const key = { id: newId(), owner: newId(), type, currency: 'EUR', normal_side: side }
      const opened = owner('accounts').insert({ ...key, floor })
      expect(await opened.catch(constraintOf)).to.equal('floor_follows_the_chart')
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
    }
    return owner('transfers')
      .insert({ ...row, ...wrong })
      .catch(constraintOf)
  }

  it('against an account that is not there', async () => {
    expect(await insertWrong({ debit_account_id: newId() })).to.equal('debit_account_not_found')
    expect(await insertWrong({ credit_account_id: newId() })).to.equal('credit_account_not_found')
  })
  it('against another currency (abuse 20)', async () => {
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

/**
 * As long as ANALYZE reads a table, no old version of an account's row may be removed, and payments
 * walk past all of them: where each payment adds a row, it reads a tenth of what is usual.
 */
it('Postgres reads little of what grows with each payment, to know it', async () => {
  const { owner } = await world()
  const { rows } = await owner.raw(`
    SELECT attrelid::regclass::text AS name, min(coalesce(attstattarget, 100)) AS least,
           max(coalesce(attstattarget, 100)) AS most
      FROM pg_attribute
     WHERE attrelid IN ('transfers'::regclass, 'claims'::regclass, 'payments'::regclass,
                        'events'::regclass)
       AND attnum > 0 AND NOT attisdropped
     GROUP BY attrelid ORDER BY 1`)
  const few = ['claims', 'events', 'payments', 'transfers']
  expect(rows).to.deep.equal(few.map((name) => ({ name, least: 10, most: 10 })))
})

const sqlStateOf = (error: { code?: string }) => error.code
const constraintOf = (error: { constraint?: string }) => error.constraint
