/**
 * The verifier, verified: healthy books in which everything has happened, and one corruption after
 * another, each as somebody with the owner's rights could make it. Each must be found by the
 * invariant that it breaks, and every invariant must find one.
 */
import { expect } from 'chai'
import type { Knex } from 'knex'
import { audit, connect } from '../ledger/index.ts'
import { PASSES } from '../ledger/audit/invariants.ts'
import { type Healthy, openHealthyBooks } from './support/healthy.ts'
import { world } from './support/world.ts'

const without = (...constraints: string[]) =>
  constraints.map((constraint) => {
    const [table, name] = constraint.split('.')
    return `ALTER TABLE ${table} DROP CONSTRAINT ${name}`
  })

const total = (account: string, change: string) =>
  `UPDATE accounts SET ${change} WHERE id = '${account}'`
const row = (id: string, change: string) => `UPDATE transfers SET ${change} WHERE id = '${id}'`

const SWAPPED = 'debit_account_id = credit_account_id, credit_account_id = debit_account_id'

/** What is done to the books, by the invariant that must find it. */
const corruptions = (b: Healthy): Readonly<Record<string, readonly (readonly string[])[]>> => ({
  trial_balance_is_zero: [
    [total(b.bank, 'debits_posted = debits_posted + 1')],
    [
      ...without('accounts.totals_not_negative'),
      total(b.ada, 'debits_pending = debits_pending - 1'),
    ],
  ],
  transfers_make_the_trial_balance: [
    [
      total(b.bank, 'debits_posted = debits_posted + 1'),
      total(b.ada, 'credits_posted = credits_posted + 1'),
    ],
  ],
  totals_are_the_sum_of_transfers: [
    [total(b.ada, 'debits_posted = debits_posted + 5, credits_posted = credits_posted + 5')],
    [
      total(b.ben, 'credits_posted = credits_posted + 7'),
      total(b.merchant, 'credits_posted = credits_posted - 7'),
    ],
    [row(b.payment, 'amount = amount + 1')],
  ],
  accounts_exist: [[`DELETE FROM accounts WHERE id = '${b.fees}'`]],
  entries_have_no_gaps: [
    [total(b.ada, 'last_entry = last_entry + 1')],
    [row(b.last, 'debit_entry = debit_entry + 1')],
    ['DROP INDEX debit_entry_exists', row(b.last, 'debit_entry = debit_entry - 1')],
    [`DELETE FROM transfers WHERE id = '${b.payment}'`],
    [
      'DROP INDEX debit_entry_exists, credit_entry_exists',
      'ALTER TABLE transfers DROP CONSTRAINT transfer_exists',
      `INSERT INTO transfers SELECT * FROM transfers WHERE id = '${b.payment}'`,
    ],
  ],
  running_balances_chain: [
    [row(b.payment, 'debit_balance = debit_balance + 1')],
    [row(b.payment, 'credit_balance = -credit_balance')],
    [row(b.payment, 'debit_balance = debit_balance # 4294967297')],
    [row(b.payment, "kind = 'pending'")],
    [row(b.payment, 'amount = 9223372036854775807')],
  ],
  never_below_floor: [
    [
      ...without('accounts.insufficient_funds', 'accounts.floor_follows_the_chart'),
      total(b.ben, 'floor = 1000000'),
    ],
    [
      ...without('accounts.insufficient_funds'),
      total(b.ada, 'debits_pending = debits_pending + 9999'),
    ],
  ],
  never_was_below_floor: [
    [
      ...without('accounts.floor_follows_the_chart'),
      total(b.merchant, 'floor = credits_posted - debits_posted'),
    ],
  ],
  totals_are_not_negative: [
    [...without('accounts.totals_not_negative'), total(b.ada, 'debits_posted = -1')],
  ],
  normal_sides_follow_the_chart: [
    [...without('accounts.insufficient_funds'), total(b.ada, "normal_side = 'debit'")],
  ],
  floors_follow_the_chart: [
    [...without('accounts.floor_follows_the_chart'), total(b.ada, 'floor = NULL')],
    [...without('accounts.floor_follows_the_chart'), total(b.ada, 'floor = -1')],
    [...without('accounts.floor_follows_the_chart'), total(b.merchant, 'floor = NULL')],
    [...without('accounts.floor_follows_the_chart'), total(b.merchant, 'floor = 1')],
    [...without('accounts.floor_follows_the_chart'), total(b.fees, 'floor = 0')],
  ],
  closed_accounts_are_empty: [
    [...without('accounts.account_not_empty'), total(b.ada, 'closed_at = now()')],
  ],
  closed_accounts_are_silent: [[total(b.closed, "closed_at = now() - interval '1 hour'")]],
  one_currency: [[row(b.payment, "currency = 'USD'")], [total(b.fees, "currency = 'USD'")]],
  amounts_are_positive: [
    [...without('transfers.amount_not_positive'), row(b.payment, 'amount = 0')],
    [...without('transfers.amount_not_positive'), row(b.payment, 'amount = -amount')],
  ],
  sides_differ: [
    [
      ...without('transfers.same_account'),
      row(b.payment, 'credit_account_id = debit_account_id, credit_entry = 999'),
    ],
  ],
  postings_follow_the_chart: [
    [total(b.fees, "type = 'rounding'")],
    [total(b.fees, "type = 'gifts'")],
  ],
  nothing_is_of_the_future: [
    [
      ...without('transfers.effective_in_future'),
      row(b.payment, "effective_at = recorded_at + interval '1 hour'"),
    ],
  ],
  late_transfers_are_booked_later: [[row(b.late, "booked_at = effective_at - interval '1 day'")]],
  kinds_say_what_they_refer_to: [
    [...without('transfers.reversal_names_its_original'), row(b.payment, "kind = 'reversal'")],
    [...without('transfers.resolution_names_its_pending'), row(b.capture, 'pending_id = NULL')],
    [...without('transfers.resolution_names_its_pending'), row(b.capture, 'resolution = NULL')],
    [...without('transfers.only_holds_expire'), row(b.payment, 'expires_at = now()')],
  ],
  resolutions_mirror_their_hold: [
    [row(b.capture, `credit_account_id = '${b.ada}', debit_account_id = '${b.merchant}'`)],
    [row(b.capture, `pending_id = '${b.payment}'`)],
    [`DELETE FROM transfers WHERE id = '${b.hold}'`],
    [row(b.hold, "recorded_at = recorded_at + interval '1 hour'")],
  ],
  holds_are_not_exceeded: [[row(b.hold, 'amount = 1')], [row(b.capture, 'amount = 100000')]],
  resolutions_are_numbered: [
    [row(b.capture, 'resolution = 9')],
    ['DROP INDEX hold_resolved', row(b.capture, 'resolution = 2')],
  ],
  nothing_is_posted_after_expiry: [[row(b.hold, "expires_at = recorded_at - interval '1 hour'")]],
  pending_totals_are_what_holds_have_left: [
    [total(b.ada, 'debits_pending = debits_pending + 1')],
    [`DELETE FROM transfers WHERE id = '${b.capture}'`],
    [row(b.open, "kind = 'single', expires_at = NULL")],
  ],
  reversals_mirror_their_original: [
    [row(b.reversal, 'amount = amount + 1')],
    [row(b.reversal, `reverses_id = '${b.hold}'`)],
    [row(b.reversal, `reverses_id = '${b.reversal}'`)],
    ['DROP INDEX debit_entry_exists, credit_entry_exists', row(b.reversal, SWAPPED)],
    [row(b.reversal, "recorded_at = recorded_at - interval '1 hour'")],
  ],
  reversals_happen_once: [
    ['DROP INDEX already_reversed', row(b.otherReversal, `reverses_id = '${b.reversed}'`)],
  ],
  closed_periods_keep_their_balance: [
    ['UPDATE closed_periods SET balance = balance + 1'],
    [row(b.late, 'booked_at = NULL')],
    ["UPDATE closed_periods SET closed_through = closed_through - interval '1 year'"],
  ],
  closed_periods_are_silent: [
    ["UPDATE closed_periods SET closed_at = closed_at - interval '1 hour'"],
  ],
  periods_are_closed_through_the_last: [
    [total(b.ben, 'closed_through = NULL')],
    ['DELETE FROM closed_periods'],
  ],
  claims_are_answered_once: [
    [...without('claims.claim_exists'), 'INSERT INTO claims SELECT * FROM claims LIMIT 1'],
  ],
  postgres_has_the_same_chart: [
    ["INSERT INTO allowed_postings VALUES ('wallet', 'rounding')"],
    ["DELETE FROM allowed_postings WHERE debit_type = 'bank' AND credit_type = 'wallet'"],
  ],
  guards_are_in_place: [
    ['ALTER TABLE transfers DISABLE TRIGGER append_only'],
    ['ALTER TABLE transfers DISABLE TRIGGER check_transfers'],
    [...without('transfers.amount_not_positive')],
    ['DROP INDEX hold_resolved'],
  ],
  entries_are_recorded_in_order: [
    [row(b.payment, "recorded_at = recorded_at + interval '1 hour'")],
  ],
})

describe('the verifier', () => {
  let db: Knex
  let healthy: Healthy
  before(async () => {
    const { newDatabase } = await world()
    const { url } = await newDatabase()
    db = connect({ url, connectionsMax: 1, applicationName: 'test corruptions' })
    healthy = await openHealthyBooks(db)
  })
  after(() => db.destroy())

  /** The invariants that do not hold once this has been done, which is then undone. */
  async function foundAfter(statements: readonly string[]): Promise<string[]> {
    const trx = await db.transaction()
    try {
      // No trigger fires: neither the checks nor the refusal to change what was recorded.
      await trx.raw('SET LOCAL session_replication_role = replica')
      for (const statement of statements) await trx.raw(statement)
      const { violations } = await audit(trx)
      return violations.map(({ invariant }) => invariant)
    } finally {
      await trx.rollback()
    }
  }

  it('finds nothing wrong with books in which everything has happened', async () => {
    const progress: string[] = []
    const onProgress = (invariant: string, done: number, of: number) =>
      void progress.push(`${invariant} ${done}/${of}`)
    const { violations, accounts, transfers } = await audit(db, { onProgress })
    expect(violations).to.deep.equal([])
    expect([accounts > 10n, transfers > 20n]).to.deep.equal([true, true])
    const names = PASSES.flatMap(({ invariants }) => invariants)
    expect(progress).to.deep.equal(names.map((one, n) => `${one} ${n + 1}/${names.length}`))
  })

  it('finds every corruption, by the invariant that it breaks (abuse 28)', async () => {
    let planted = 0
    for (const [invariant, cases] of Object.entries(corruptions(healthy))) {
      for (const statements of cases) {
        const found = await foundAfter(statements)
        expect(found, `after ${statements.join('; ')}`).to.include(invariant)
        planted += 1
      }
    }
    expect(planted).to.be.greaterThan(50)
    expect((await audit(db)).violations).to.deep.equal([])
  })

  it('is shown a corruption of every invariant that it knows', () => {
    const invariants = PASSES.flatMap((pass) => pass.invariants)
    expect(Object.keys(corruptions(healthy)).sort()).to.deep.equal([...invariants].sort())
  })

  it('names the very entry that is wrong', async () => {
    const trx = await db.transaction()
    await trx.raw('SET LOCAL session_replication_role = replica')
    await trx.raw(row(healthy.payment, 'debit_balance = debit_balance + 1'))
    const { violations } = await audit(trx)
    await trx.rollback()
    const chain = violations.filter(({ invariant }) => invariant === 'running_balances_chain')
    const { debit_account_id: account, debit_entry: entry } = await db('transfers')
      .where({ id: healthy.payment })
      .first()
    expect(chain.map(({ subject }) => subject)).to.include(`${account} entry ${entry}`)
  })
})
