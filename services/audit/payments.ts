/** What must be so of payments: what moved, what it cost, what is held, and what it waits for. */
import { always, type Invariant, movedFor, publicIdSql } from './invariants.ts'

/** Whether the payee got anything, and how much: of a payment that is captured, what was. */
const CAME_TO = `
  coalesce(p.captured, CASE WHEN p.state IN ('completed', 'reversed') THEN p.amount ELSE 0 END)`

/** What is still held for each payment, be it for its payee or for a review. */
const STILL_HELD = `
  (SELECT h.reference, sum(h.amount - coalesce(r.amount, 0)) AS amount
     FROM transfers h
     LEFT JOIN (SELECT pending_id, sum(amount) AS amount FROM transfers
                 WHERE pending_id IS NOT NULL GROUP BY pending_id) r ON r.pending_id = h.id
    WHERE h.kind = 'pending' AND h.code = 'payment' GROUP BY h.reference)`

export const PAYMENTS: readonly Invariant[] = [
  ...always({
    payments_moved_what_they_say: `
      SELECT p.id AS subject FROM payments p
        LEFT JOIN ${movedFor('payments', {
          ...{ paid: 'payment', fee: 'fee', tax: 'tax', shared: 'split' },
        })} t ON t.reference = p.id
       WHERE p.kind IN ('person', 'order')
         AND (coalesce(t.paid, 0) <> ${CAME_TO}
              OR coalesce(t.fee, 0) <> CASE WHEN ${CAME_TO} = 0 THEN 0 ELSE p.fee END
              OR coalesce(t.tax, 0) <> CASE WHEN ${CAME_TO} = 0 THEN 0 ELSE p.tax END
              OR coalesce(t.shared, 0) <> CASE
                   WHEN p.captured IS NOT NULL THEN coalesce((
                     SELECT sum(amount) FROM capture_splits c WHERE c.payment_id = p.id), 0)
                   WHEN ${CAME_TO} = 0 THEN 0 ELSE coalesce((
                     SELECT sum(amount) FROM payment_splits s WHERE s.payment_id = p.id), 0) END)`,
    payments_are_between_their_parties: `
      WITH paid AS (
        SELECT t.* FROM transfers t JOIN payments p ON p.id = t.reference
         WHERE t.code = 'payment' AND t.kind IN ('single', 'post')),
      parties AS (
        SELECT id, ${publicIdSql('per', 'id')} AS owner FROM people
         UNION ALL
        SELECT id, ${publicIdSql('mer', 'id')} FROM merchants)
      SELECT p.id AS subject FROM payments p JOIN paid ON paid.reference = p.id
        JOIN accounts d ON d.id = paid.debit_account_id
        JOIN accounts c ON c.id = paid.credit_account_id
        LEFT JOIN parties payer ON payer.id = p.payer_id
        LEFT JOIN parties payee ON payee.id = p.payee_id
       WHERE paid.currency <> p.currency
          OR (d.owner, d.type) IS DISTINCT FROM (payer.owner, 'wallet')
          OR c.owner IS DISTINCT FROM payee.owner OR c.type NOT IN ('wallet', 'merchant')
       UNION
      SELECT there.reference FROM paid there
        JOIN paid back ON (back.reference, back.debit_account_id, back.credit_account_id)
                        = (there.reference, there.credit_account_id, there.debit_account_id)`,
    fee_lines_come_to_fee_and_tax: `
      SELECT p.id AS subject FROM payments p
        LEFT JOIN (SELECT payment_id, sum(amount) AS charged,
                          coalesce(sum(amount) FILTER (WHERE kind = 'tax'), 0) AS tax
                     FROM fee_lines GROUP BY payment_id) l ON l.payment_id = p.id
       WHERE (coalesce(l.charged, 0), coalesce(l.tax, 0)) <> (p.fee + p.tax, p.tax)`,
    captures_come_to_what_was_captured: `
      SELECT p.id AS subject FROM payments p
        LEFT JOIN (SELECT payment_id, sum(amount) AS amount, sum(fee) AS fee, sum(tax) AS tax,
                          sum(net) AS net, count(*) AS n, max(number) AS last
                     FROM payment_captures GROUP BY payment_id) c ON c.payment_id = p.id
       WHERE CASE WHEN p.captured IS NULL THEN c.n IS NOT NULL
                  ELSE (coalesce(c.amount, 0), coalesce(c.fee, 0), coalesce(c.tax, 0),
                        coalesce(c.net, 0)) <> (p.captured, p.fee, p.tax, p.net)
                       OR c.n <> c.last END`,
    // While it may be captured, or is looked at, it is held, and afterwards nothing is.
    payment_holds_follow_their_state: `
      SELECT p.id AS subject FROM payments p
        LEFT JOIN reviews r ON r.payment_id = p.id
        LEFT JOIN ${STILL_HELD} h ON h.reference = p.id
       WHERE coalesce(h.amount, 0) <> CASE
               WHEN p.state = 'authorized' THEN p.amount - p.captured
               WHEN p.state = 'review' AND r.hold_id IS NOT NULL THEN p.amount ELSE 0 END`,
    reviews_are_of_payments_in_review: `
      SELECT p.id AS subject FROM payments p LEFT JOIN reviews r ON r.payment_id = p.id
       WHERE (p.state = 'review') <> (r.state IS NOT DISTINCT FROM 'pending')
          OR (p.review_due_at IS NULL) <> (r.id IS NULL)
          OR (r.state = 'released') <> (p.released_at IS NOT NULL)`,
    payments_end_as_their_instruction: `
      SELECT p.id AS subject FROM payments p
        JOIN instructions i ON i.subject_id = p.id
                           AND i.purpose IN ('payment', 'top_up', 'withdrawal')
       WHERE CASE WHEN i.state IN ('created', 'sent', 'unknown', 'manual')
                  THEN p.state <> 'processing'
                  WHEN i.state = 'rejected' THEN p.state NOT IN ('failed', 'canceled')
                  WHEN i.purpose = 'payment' THEN p.state IN ('processing', 'review')
                  WHEN i.state = 'settled' THEN p.state <> 'completed'
                  ELSE p.state NOT IN ('completed', 'failed') END`,
    reversed_payments_are_moved_back: `
      SELECT p.id AS subject FROM payments p
        LEFT JOIN reversals r ON r.payment_id = p.id
        LEFT JOIN (SELECT reference, sum(amount) AS amount FROM transfers o
                    WHERE code = 'payment' AND EXISTS (
                      SELECT FROM transfers b WHERE b.reverses_id = o.id)
                    GROUP BY reference) back ON back.reference = p.id
       WHERE (p.state = 'reversed') <> (r.id IS NOT NULL)
          OR coalesce(back.amount, 0) <> CASE p.state WHEN 'reversed'
               THEN coalesce(p.captured, p.amount) ELSE 0 END`,
    exchanges_moved_what_they_say: `
      SELECT x.id AS subject FROM exchanges x
        LEFT JOIN (SELECT reference, currency,
                          coalesce(sum(amount) FILTER (WHERE code = 'exchange'), 0) AS exchanged,
                          coalesce(sum(amount) FILTER (WHERE code = 'spread'), 0) AS spread,
                          coalesce(sum(amount) FILTER (WHERE code = 'rounding'), 0) AS residue
                     FROM transfers WHERE reference IN (SELECT id FROM exchanges)
                    GROUP BY 1, 2) t ON t.reference = x.id
       GROUP BY x.id HAVING count(*) <> 2 OR NOT bool_and(
         (t.currency, t.exchanged, t.spread, t.residue) IN (
           (x.sell_currency, x.sell_amount, 0, 0),
           (x.buy_currency, x.buy_amount, x.spread, x.residue)) IS TRUE)`,
  }),
]
