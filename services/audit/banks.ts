/** What must be so of what banks told us, and of money between us that nobody asked for. */
import { always, drained, type Invariant, movedFor } from './invariants.ts'

const REPORTS = `('settled', 'rejected', 'returned')`

export const BANKS: readonly Invariant[] = [
  ...always({
    // An instruction ends once; a return is the one word that may follow another.
    applied_reports_are_about_an_instruction: `
      SELECT c.id AS subject FROM callbacks c
        LEFT JOIN instructions i ON (i.bank, i.reference) = (c.bank, c.reference)
       WHERE c.disposition = 'applied' AND c.outcome IN ${REPORTS}
         AND ((i.amount, i.currency) IS DISTINCT FROM (c.amount, c.currency)
              OR (c.outcome, i.state) NOT IN (('settled', 'settled'), ('settled', 'returned'),
                                              ('rejected', 'rejected'), ('returned', 'returned')))`,
    reports_are_applied_once: `
      SELECT bank || ' ' || reference AS subject FROM callbacks
       WHERE disposition = 'applied' AND outcome IN ${REPORTS}
       GROUP BY bank, reference, outcome HAVING count(*) > 1`,
    applied_refusals_ended_a_recall: `
      SELECT c.id AS subject FROM callbacks c
       WHERE c.disposition = 'applied' AND c.outcome = 'recall_refused'
         AND NOT EXISTS (SELECT FROM instructions i JOIN recalls r ON r.instruction_id = i.id
                          WHERE (i.bank, i.reference) = (c.bank, c.reference)
                            AND r.state = 'refused')`,
    // Booked, or known as the other end of a payment of ours; never both.
    received_money_is_booked_once: `
      SELECT c.id AS subject FROM callbacks c
        LEFT JOIN incoming_money m ON m.id = c.id
        LEFT JOIN netting_obligations o ON o.arrival_id = c.id
       WHERE c.outcome = 'received'
         AND (num_nonnulls(m.id, o.id) <> CASE c.disposition WHEN 'applied' THEN 1 ELSE 0 END
              OR (m.bank, m.reference, m.amount, m.currency)
                 <> (c.bank, c.reference, c.amount, c.currency)
              OR (o.to_bank, o.amount, o.currency) <> (c.bank, c.amount, c.currency))`,
    incoming_money_is_where_it_says: `
      SELECT m.id AS subject FROM incoming_money m
        LEFT JOIN ${movedFor('incoming_money', {
          came: 'incoming',
          went: 'incoming_matched',
        })} t ON t.reference = m.id
       WHERE t.came IS DISTINCT FROM m.amount
          OR t.went <> CASE m.state WHEN 'matched' THEN m.amount ELSE 0 END
          OR (m.state = 'matched' AND NOT EXISTS (
                SELECT FROM transfers x WHERE x.id = m.match_id AND x.reference = m.id
                   AND x.debit_account_id = m.suspense_id))`,
    incoming_money_goes_back_as_its_instruction: `
      SELECT m.id AS subject FROM incoming_money m
        LEFT JOIN incoming_returns r ON r.incoming_id = m.id
        LEFT JOIN instructions i ON i.subject_id = r.id AND i.purpose = 'send_back'
       GROUP BY m.id HAVING (m.state = 'returning') <>
                coalesce(bool_or(i.state IN ('created', 'sent', 'unknown', 'manual')), false)
          OR (m.state = 'sent_back') <> coalesce(bool_or(i.state = 'settled'), false)`,
    obligations_are_as_their_instruction: `
      SELECT o.id AS subject FROM netting_obligations o
        LEFT JOIN instructions i ON i.subject_id = o.id AND i.purpose = 'netting'
       WHERE o.state <> CASE WHEN i.id IS NULL THEN 'due' WHEN i.state = 'settled' THEN 'settled'
                             WHEN i.state IN ('rejected', 'returned') THEN 'carried'
                             ELSE 'instructed' END
          OR i.transfer_id <> o.transfer_id OR i.bank <> o.from_bank`,
    // What was matched with a line of a statement is what the books have, and stays so.
    reconciled_transfers_are_as_they_were: `
      SELECT r.id AS subject FROM reconciliation_items r
        LEFT JOIN transfers t ON t.id = r.transfer_id
       WHERE r.transfer_id IS NOT NULL
         AND (abs(r.books_amount), r.currency) IS DISTINCT FROM (t.amount, t.currency)
          OR (r.state = 'matched' AND r.statement_amount <> r.books_amount)
          OR (r.correction_id IS NOT NULL AND NOT EXISTS (
                SELECT FROM transfers c WHERE c.id = r.correction_id AND c.reference = r.id))`,
  }),
  ...drained({
    the_inbox_is_empty: `SELECT id AS subject FROM callbacks WHERE disposition = 'received'`,
    statements_and_books_agree: `
      SELECT n.id || ' ' || b.currency AS subject
        FROM (SELECT DISTINCT ON (bank) id FROM reconciliations
               WHERE state = 'completed' ORDER BY bank, completed_at DESC) n
        JOIN reconciliation_balances b ON b.reconciliation_id = n.id
       WHERE b.unexplained <> 0`,
  }),
]
