/**
 * What must be so in the books, as statements whose every row is a violation. They are few, because
 * each reads everything: a statement proves as many invariants as one pass over the data can.
 *
 * Not here: that a frozen account was left alone. When it was frozen is not recorded, so nobody can
 * tell later; `check_transfers` refuses it at the time.
 */
import { CHART, POSTINGS } from '../chart.ts'
import { type Pass, proves, TOLERANCE } from './passes.ts'
import { PROMISES } from './promises.ts'

const TYPES = Object.keys(CHART)
const MAX = 2n ** 63n - 1n

/** Both sides of every transfer. What moves is zero where nothing was settled. */
const SIDES = `
  SELECT debit_account_id AS id, debit_entry AS entry, debit_balance AS balance, true AS is_debit,
         CASE WHEN kind IN ('pending', 'void') OR amount < 0 THEN 0 ELSE amount END AS moved
    FROM transfers
   UNION ALL
  SELECT credit_account_id, credit_entry, credit_balance, false,
         CASE WHEN kind IN ('pending', 'void') OR amount < 0 THEN 0 ELSE amount END
    FROM transfers`

/**
 * A number for one state of an account: how many entries it has and what it came to. The hash
 * function folds eight bytes into four before it begins, so the upper ones go in separately.
 */
const stateOf = (entry: string, balance: string) =>
  `hashint8extended(${balance}, hashint8extended((${balance}) >> 32, (${entry}) # :seed))`

const BALANCE = `
  (a.credits_posted - a.debits_posted) * CASE a.normal_side WHEN 'credit' THEN 1 ELSE -1 END`

/**
 * Every entry takes its account from one state to the next: from (n - 1, balance before) to
 * (n, balance after). Both are known from the row alone, as the balance before is the balance after
 * less what moved. Of each account all these states, after and before, are put into one exclusive
 * or. In a chain every state but the first and the last appears twice, once as an "after" and once
 * as a "before", and what appears twice cancels out. So what remains must be
 *
 *     state(last entry, balance) xor state(0, 0)
 *
 * and with as many entries as the last one's number it can be nothing but a chain: for the states
 * to cancel, each number from 1 to n needs an odd number of entries, n entries leave exactly one
 * for each, and the one at n starts where the one at n - 1 ended. A gap, a double, a wrong balance
 * or a wrong total leaves something over. No sorting is needed, so millions of accounts are proven
 * in one pass. That something left over is zero by chance happens once in 2^64; `:seed` is drawn
 * for each audit, so that nobody can prepare it.
 */
const CHAINS = proves(
  'coalesce(a.id, e.id)',
  {
    accounts_exist: 'a.id IS NULL',
    totals_are_the_sum_of_transfers: `
      (a.debits_posted, a.credits_posted)
      IS DISTINCT FROM (coalesce(debits, 0), coalesce(credits, 0))`,
    entries_have_no_gaps: 'a.last_entry IS DISTINCT FROM coalesce(entries, 0)',
    running_balances_chain: `
      coalesce(left_over, 0) IS DISTINCT FROM
         ${stateOf('a.last_entry', BALANCE)} # ${stateOf('0', '0::bigint')}`,
    never_was_below_floor: 'e.lowest < least(a.floor, a.floor_lowest)',
  },
  `accounts a FULL JOIN (
    SELECT id, count(*) AS entries, bit_xor(
             ${stateOf('entry', 'balance')} #
             CASE WHEN CASE WHEN change > 0 THEN balance >= -${MAX} + change
                            ELSE balance <= ${MAX} + change END
                  THEN ${stateOf('entry - 1', 'balance - change')} ELSE 0 END) AS left_over,
           min(balance) AS lowest,
           sum(moved) FILTER (WHERE is_debit) AS debits,
           sum(moved) FILTER (WHERE NOT is_debit) AS credits
      FROM (SELECT *, CASE WHEN is_debit = (id IN (
                        SELECT id FROM accounts WHERE normal_side = 'debit'))
                      THEN moved ELSE -moved END AS change
              FROM (${SIDES}) sides OFFSET 0) sides
     GROUP BY id) e ON e.id = a.id`,
)

/** An entry of an account as one number: narrow enough to join them all in memory. */
const keyOf = (account: string, entry: string) => `uuid_hash_extended(${account}, ${entry})`

/**
 * Entries of one account are recorded in the order of their numbers: `entry_at` relies on it. Each
 * is compared with the next; whom it is about is looked up when there is something to say.
 */
const IN_ORDER = proves(
  'one.key',
  { entries_are_recorded_in_order: 'next.recorded_at < one.recorded_at' },
  `(SELECT ${keyOf('debit_account_id', 'debit_entry')} AS key, recorded_at FROM transfers
     UNION ALL
    SELECT ${keyOf('credit_account_id', 'credit_entry')}, recorded_at FROM transfers) one
   JOIN (
    SELECT ${keyOf('debit_account_id', 'debit_entry - 1')} AS key, recorded_at FROM transfers
     WHERE debit_entry > 1
     UNION ALL
    SELECT ${keyOf('credit_account_id', 'credit_entry - 1')}, recorded_at FROM transfers
     WHERE credit_entry > 1) next USING (key)`,
)

const placeOf = (type: string) => TYPES.indexOf(type) + 1
/** Who may be debited to whom, each pair of types as one number. */
const ALLOWED = Object.entries(POSTINGS).flatMap(([debit, credits]) =>
  credits.map((credit) => placeOf(debit) * 100 + placeOf(credit)),
)
const PLACED = `(SELECT id, currency, closed_at,
                        array_position('{${TYPES.join(',')}}'::text[], type) AS place
                   FROM accounts)`

const TRANSFERS = proves(
  't.id',
  {
    amounts_are_positive: 't.amount <= 0',
    sides_differ: 't.debit_account_id = t.credit_account_id',
    one_currency: 'd.currency <> t.currency OR c.currency <> t.currency',
    postings_follow_the_chart: `
      CASE WHEN t.kind = 'reversal' THEN c.place * 100 + d.place ELSE d.place * 100 + c.place END
      = ANY ('{${ALLOWED.join(',')}}'::int[]) IS NOT TRUE`,
    closed_accounts_are_silent: `
      t.recorded_at > d.closed_at + ${TOLERANCE} OR t.recorded_at > c.closed_at + ${TOLERANCE}`,
    nothing_is_of_the_future: `t.effective_at > t.recorded_at + ${TOLERANCE}`,
    late_transfers_are_booked_later: 't.booked_at <= t.effective_at',
    kinds_say_what_they_refer_to: `
      (t.kind IN ('post', 'void')) <> (t.pending_id IS NOT NULL AND t.resolution IS NOT NULL)
      OR (t.kind = 'reversal') <> (t.reverses_id IS NOT NULL)
      OR (t.expires_at IS NOT NULL AND t.kind <> 'pending')`,
  },
  `transfers t LEFT JOIN ${PLACED} d ON d.id = t.debit_account_id
               LEFT JOIN ${PLACED} c ON c.id = t.credit_account_id`,
)

const CHART_ROWS = Object.entries(CHART).map(
  ([type, { normalSide, floor }]) => `('${type}', '${normalSide}', ${floor}::bigint)`,
)

const ACCOUNTS = proves(
  'a.id',
  {
    never_below_floor: `
      a.floor > ${BALANCE}
                - CASE a.normal_side WHEN 'credit' THEN debits_pending ELSE credits_pending END`,
    totals_are_not_negative:
      'least(debits_posted, credits_posted, debits_pending, credits_pending) < 0',
    normal_sides_follow_the_chart: 'chart.side IS DISTINCT FROM a.normal_side::text',
    floors_follow_the_chart: `
      CASE type WHEN 'merchant' THEN a.floor <= chart.floor IS NOT TRUE
                ELSE a.floor IS DISTINCT FROM chart.floor END`,
    closed_accounts_are_empty: `
      a.closed_at IS NOT NULL
      AND (debits_posted <> credits_posted OR debits_pending <> 0 OR credits_pending <> 0)`,
  },
  `accounts a
   LEFT JOIN (VALUES ${CHART_ROWS.join(', ')}) AS chart (type, side, floor) USING (type)`,
)

/** Two ways to the same sums: what the accounts say, and what the transfers say. */
const TRIAL_BALANCE = proves(
  'coalesce(a.currency, t.currency)',
  {
    trial_balance_is_zero: 'a.debits <> a.credits OR a.debits_pending <> a.credits_pending',
    transfers_make_the_trial_balance: `
      (a.debits, a.credits) IS DISTINCT FROM (coalesce(posted, 0), coalesce(posted, 0))
      OR (a.debits_pending, a.credits_pending)
         IS DISTINCT FROM (coalesce(pending, 0), coalesce(pending, 0))`,
  },
  `(SELECT currency, sum(debits_posted) AS debits, sum(credits_posted) AS credits,
           sum(debits_pending) AS debits_pending, sum(credits_pending) AS credits_pending
      FROM accounts GROUP BY currency) a
   FULL JOIN (
    SELECT currency, sum(amount) FILTER (WHERE kind IN ('single', 'post', 'reversal')) AS posted,
           coalesce(sum(amount) FILTER (WHERE kind = 'pending'), 0)
           - coalesce(sum(amount) FILTER (WHERE kind IN ('post', 'void')), 0) AS pending
      FROM transfers GROUP BY currency) t USING (currency)`,
)

const CLAIMS = proves(
  'id',
  { claims_are_answered_once: 'true' },
  `(
  SELECT id FROM claims GROUP BY id HAVING count(*) > 1) twice`,
)

const POSTING_ROWS = Object.entries(POSTINGS).flatMap(([debit, credits]) =>
  credits.map((credit) => `('${debit}', '${credit}')`),
)
const ALLOWED_POSTINGS = proves(
  `coalesce(ours.debit || ' ' || ours.credit, p.debit_type || ' ' || p.credit_type)`,
  { postgres_has_the_same_chart: 'ours.debit IS NULL OR p.debit_type IS NULL' },
  `allowed_postings p FULL JOIN (VALUES ${POSTING_ROWS.join(', ')}) AS ours (debit, credit)
     ON (ours.debit, ours.credit) = (p.debit_type, p.credit_type)`,
)

/** What Postgres must be refusing by itself. Guards that were gone for a while leave no trace. */
const GUARDS = {
  pg_constraint: [
    ...['transfer_exists', 'amount_not_positive', 'same_account', 'resolution_names_its_pending'],
    ...['reversal_names_its_original', 'only_holds_expire', 'effective_in_future'],
    ...['accounts_pkey', 'account_exists', 'totals_not_negative', 'insufficient_funds'],
    ...['account_not_empty', 'claim_exists', 'period_closed', 'evidence_is_a_digest'],
  ],
  pg_index: ['debit_entry_exists', 'credit_entry_exists', 'hold_resolved', 'already_reversed'],
  pg_trigger: ['transfers append_only', 'transfers check_transfers', 'closed_periods append_only'],
}

const GUARDS_IN_PLACE = proves(
  'guard',
  { guards_are_in_place: 'true' },
  `(
  SELECT unnest('{${Object.values(GUARDS)
    .flat()
    .map((name) => `"${name}"`)
    .join(',')}}'::text[]) AS guard
  EXCEPT ALL (
  SELECT conname FROM pg_constraint
   WHERE convalidated AND connamespace = 'public'::regnamespace
  UNION
  SELECT indexrelid::regclass::text FROM pg_index WHERE indisunique AND indisvalid
  UNION
  SELECT tgrelid::regclass::text || ' ' || tgname FROM pg_trigger WHERE tgenabled IN ('O', 'A'))
) missing`,
)

/** In the order in which they are asked: the quickest first. */
export const PASSES: readonly Pass[] = [
  ...[GUARDS_IN_PLACE, ALLOWED_POSTINGS, ACCOUNTS, TRIAL_BALANCE, ...PROMISES, CLAIMS],
  ...[TRANSFERS, CHAINS, IN_ORDER],
]

/** What a violation that names less than it could is about: asked only when there is one. */
export const DETAILS: Readonly<Record<string, string>> = {
  running_balances_chain: `
    SELECT CASE WHEN entry = expected THEN 'running_balances_chain'
                ELSE 'entries_have_no_gaps' END AS invariant,
           account_id || ' entry ' || entry AS subject
      FROM (
        SELECT e.account_id, entry, row_number() OVER w AS expected,
               e.balance - lag(e.balance, 1, 0::bigint) OVER w AS change,
               CASE WHEN kind IN ('pending', 'void') THEN 0
                    WHEN e.side = a.normal_side THEN amount ELSE -amount END AS moved
          FROM entries e JOIN accounts a ON a.id = e.account_id
         WHERE e.account_id::text = ANY (?)
        WINDOW w AS (PARTITION BY e.account_id ORDER BY entry)) chain
     WHERE entry <> expected OR change <> moved
     ORDER BY entry LIMIT 20`,
  entries_are_recorded_in_order: `
    SELECT 'entries_are_recorded_in_order' AS invariant,
           next.account_id || ' entry ' || next.entry AS subject
      FROM entries one
      JOIN entries next ON next.account_id = one.account_id AND next.entry = one.entry + 1
     WHERE ${keyOf('one.account_id', 'one.entry')}::text = ANY (?)
       AND next.recorded_at < one.recorded_at`,
}
