/**
 * The invariants of what refers back: holds and what became of them, reversals, closed periods.
 */
import { type Pass, proves, TOLERANCE } from './passes.ts'

const RESOLUTIONS = proves(
  'r.id',
  {
    resolutions_mirror_their_hold: `
      (p.kind, p.debit_account_id, p.credit_account_id, p.currency)
      IS DISTINCT FROM ('pending', r.debit_account_id, r.credit_account_id, r.currency)
      OR r.recorded_at < p.recorded_at`,
    nothing_is_posted_after_expiry: `
      r.kind = 'post' AND r.recorded_at > p.expires_at + ${TOLERANCE}`,
  },
  `(SELECT * FROM transfers WHERE pending_id IS NOT NULL) r
   LEFT JOIN (SELECT * FROM transfers WHERE kind = 'pending') p ON p.id = r.pending_id`,
)

const nth = (number: string) => `hashint8extended(${number}, :seed)`

/** What was posted and voided of each pending transfer. `odd` proves the numbers as above. */
const RESOLVED = `
  SELECT pending_id, count(*) AS n, sum(amount) AS amount,
         bit_xor(${nth('resolution')} # ${nth('resolution - 1')}) AS odd
    FROM transfers WHERE pending_id IS NOT NULL GROUP BY pending_id`

const HOLDS = proves(
  'p.id',
  {
    holds_are_not_exceeded: 'r.amount > p.amount',
    resolutions_are_numbered: `r.odd <> ${nth('r.n')} # ${nth('0')}`,
  },
  `(${RESOLVED}) r JOIN transfers p ON p.id = r.pending_id`,
)

const PENDING_TOTALS = proves(
  'a.id',
  {
    pending_totals_are_what_holds_have_left: `
      (a.debits_pending, a.credits_pending)
      IS DISTINCT FROM (coalesce(h.debits, 0), coalesce(h.credits, 0))`,
  },
  `accounts a LEFT JOIN (
    SELECT id, sum(debit) AS debits, sum(credit) AS credits FROM rests
     CROSS JOIN LATERAL (VALUES (debit_account_id, amount, 0), (credit_account_id, 0, amount))
        AS side (id, debit, credit)
     GROUP BY id) h ON h.id = a.id`,
  `WITH rests AS (
    SELECT debit_account_id, credit_account_id, p.amount - coalesce(r.amount, 0) AS amount
      FROM transfers p LEFT JOIN (${RESOLVED}) r ON r.pending_id = p.id
     WHERE p.kind = 'pending' AND p.amount <> coalesce(r.amount, 0))`,
)

const REVERSALS = proves(
  'r.id',
  {
    reversals_mirror_their_original: `
      o.kind IS NULL OR o.kind NOT IN ('single', 'post')
      OR (o.debit_account_id, o.credit_account_id, o.amount, o.currency)
         IS DISTINCT FROM (r.credit_account_id, r.debit_account_id, r.amount, r.currency)
      OR r.recorded_at < o.recorded_at`,
    reversals_happen_once: 'r.times > 1',
  },
  `(SELECT *, count(*) OVER (PARTITION BY reverses_id) AS times
      FROM transfers WHERE reverses_id IS NOT NULL) r
   LEFT JOIN transfers o ON o.id = r.reverses_id`,
)

/** A period is closed through a moment as we write it down: the whole millisecond. */
const MOMENT = `interval '1 millisecond'`

/** Each entry counts in the period that holds the moment at which it is booked. */
const PERIODS = proves(
  'account_id',
  {
    closed_periods_keep_their_balance: 'balance <> recomputed',
    closed_periods_are_silent: 'is_disturbed',
  },
  `(SELECT p.account_id, p.balance, bool_or(is_disturbed) AS is_disturbed,
           sum(sum(coalesce(change, 0))) OVER (
             PARTITION BY p.account_id ORDER BY p.closed_through) AS recomputed
      FROM periods p LEFT JOIN booked USING (account_id, closed_through)
     GROUP BY p.account_id, p.closed_through, p.balance) closed`,
  `WITH periods AS (
    SELECT *, lag(closed_through, 1, '-infinity') OVER (
                PARTITION BY account_id ORDER BY closed_through) AS closed_before
      FROM closed_periods
  ), booked AS (
    SELECT p.account_id, p.closed_through,
           e.recorded_at > p.closed_at + ${TOLERANCE} AS is_disturbed,
           CASE WHEN e.kind IN ('pending', 'void') THEN 0
                WHEN e.side = a.normal_side THEN e.amount ELSE -e.amount END AS change
      FROM periods p JOIN accounts a ON a.id = p.account_id
      JOIN entries e ON e.account_id = p.account_id
                    AND e.booked_at >= p.closed_before + ${MOMENT}
                    AND e.booked_at < p.closed_through + ${MOMENT})`,
)

const LAST_PERIODS = proves(
  'a.id',
  { periods_are_closed_through_the_last: 'p.closed_through IS DISTINCT FROM a.closed_through' },
  `(SELECT id, closed_through FROM accounts WHERE closed_through IS NOT NULL) a FULL JOIN (
    SELECT account_id AS id, max(closed_through) AS closed_through
      FROM closed_periods GROUP BY account_id) p ON p.id = a.id`,
)

export const PROMISES: readonly Pass[] = [
  ...[RESOLUTIONS, HOLDS, PENDING_TOTALS, REVERSALS, LAST_PERIODS, PERIODS],
]
