/** What must be so of merchants: batches, refunds, disputes, and what is kept back. */
import { always, drained, type Invariant, movedFor } from './invariants.ts'

/** What moved the account within each batch, by why; the payouts of batches are no lines. */
const LINES = `
  (SELECT s.id,
          sum(change) AS net,
          coalesce(sum(change) FILTER (WHERE code = 'payment'), 0) AS gross,
          -coalesce(sum(change) FILTER (WHERE code = 'fee'), 0) AS fee,
          -coalesce(sum(change) FILTER (WHERE code = 'tax'), 0) AS tax,
          coalesce(sum(change) FILTER (WHERE code = 'refund'), 0) AS refunds,
          count(*) FILTER (WHERE code = 'payment' AND change > 0) AS payments
     FROM settlements s
     JOIN LATERAL (
       SELECT e.code, CASE e.side WHEN 'credit' THEN e.amount ELSE -e.amount END AS change
         FROM entries e
        WHERE e.account_id = s.account_id AND e.entry > s.from_entry AND e.entry <= s.to_entry
          AND e.kind NOT IN ('pending', 'void')
          AND NOT EXISTS (SELECT FROM settlements p WHERE p.account_id = s.account_id
                             AND p.payout_entry = e.entry)) line ON true
    GROUP BY s.id)`

export const MERCHANTS: readonly Invariant[] = [
  ...always({
    // So every entry of the account is in exactly one batch, or in none yet.
    batches_begin_where_the_last_ended: `
      SELECT s.id AS subject FROM (
          SELECT id, number, from_entry, carried_in,
                 lag(number, 1, 0) OVER w AS last_number,
                 lag(to_entry, 1, 0::bigint) OVER w AS ended,
                 lag(carried_out, 1, 0::bigint) OVER w AS left_over
            FROM settlements WINDOW w AS (PARTITION BY account_id ORDER BY number)) s
       WHERE (number, from_entry, carried_in) <> (last_number + 1, ended, left_over)`,
    batches_are_the_sum_of_their_entries: `
      SELECT s.id AS subject FROM settlements s LEFT JOIN ${LINES} l ON l.id = s.id
       WHERE (s.net, s.gross, s.fee, s.tax, s.refunds, s.payments) <> (
              coalesce(l.net, 0), coalesce(l.gross, 0), coalesce(l.fee, 0), coalesce(l.tax, 0),
              coalesce(l.refunds, 0), coalesce(l.payments, 0))`,
    payouts_left_the_account_that_earned_them: `
      SELECT s.id AS subject FROM settlements s LEFT JOIN transfers t ON t.id = s.transfer_id
       WHERE s.payout > 0 AND (t.debit_account_id, t.debit_entry, t.amount, t.currency, t.reference)
             IS DISTINCT FROM (s.account_id, s.payout_entry, s.payout, s.currency, s.id)`,
    batches_end_as_their_instruction: `
      SELECT s.id AS subject FROM settlements s
        JOIN instructions i ON i.subject_id = s.id AND i.purpose = 'settlement'
       WHERE CASE i.state WHEN 'settled' THEN s.state <> 'settled'
                          WHEN 'rejected' THEN s.state <> 'failed'
                          WHEN 'returned' THEN s.state NOT IN ('failed', 'returned')
                          ELSE s.state <> 'processing' END`,
    refunds_come_to_what_was_refunded: `
      SELECT p.id AS subject FROM payments p
        LEFT JOIN (SELECT payment_id, sum(amount) AS amount, count(*) AS n, max(number) AS last
                     FROM refunds GROUP BY payment_id) r ON r.payment_id = p.id
        LEFT JOIN (SELECT payment_id, sum(amount) AS amount FROM disputes
                    WHERE state IN ('needs_evidence', 'under_review', 'lost')
                    GROUP BY payment_id) d ON d.payment_id = p.id
       WHERE (p.refunded, p.disputed) <> (coalesce(r.amount, 0), coalesce(d.amount, 0))
          OR r.n <> r.last OR p.refunded + p.disputed > coalesce(p.captured, p.amount)`,
    refunds_moved_what_they_say: `
      SELECT r.id AS subject FROM refunds r
        LEFT JOIN ${movedFor('refunds', {
          ...{ paid: 'refund', fee: 'fee_returned', tax: 'tax_returned', shared: 'split_returned' },
        })} t ON t.reference = r.id
       WHERE (t.paid, t.fee, t.tax, t.shared) IS DISTINCT FROM
             (r.amount, r.fee_returned, r.tax_returned, r.shares_returned)`,
    disputes_moved_what_they_say: `
      SELECT d.id AS subject FROM disputes d
        LEFT JOIN ${movedFor('disputes', {
          ...{ taken: 'dispute', fee: 'dispute_fee' },
          ...{ lost: 'chargeback', back: 'chargeback_reversed' },
        })} t ON t.reference = d.id
       WHERE (t.taken, t.fee, t.lost, t.back) IS DISTINCT FROM (d.amount, d.fee,
              CASE WHEN d.state IN ('lost', 'reversed') THEN d.amount ELSE 0 END,
              CASE WHEN d.state IN ('won', 'reversed') THEN d.amount ELSE 0 END)`,
    disputes_are_where_their_last_step_led: `
      SELECT d.id AS subject FROM disputes d
        LEFT JOIN (SELECT DISTINCT ON (dispute_id) dispute_id, state, number FROM dispute_steps
                    ORDER BY dispute_id, number DESC) s ON s.dispute_id = d.id
       WHERE s.state IS DISTINCT FROM d.state`,
    reserves_hold_what_they_say: `
      SELECT r.id AS subject FROM reserves r
        LEFT JOIN ${movedFor('reserves', {
          ...{ kept: 'reserve', freed: 'reserve_released' },
        })} t ON t.reference = r.id
       WHERE (t.kept, t.kept - t.freed) IS DISTINCT FROM (r.amount, r.remaining)`,
  }),
  ...drained({
    no_dispute_waits_beyond_its_deadline: `
      SELECT id AS subject FROM disputes
       WHERE state = 'needs_evidence' AND evidence_due_at < now() - interval '1 hour'`,
  }),
]
