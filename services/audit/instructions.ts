/** What must be so of instructions: their money, their history, the bank's word that ended them. */
import { always, drained, type Invariant } from './invariants.ts'

const OPEN = `('created', 'sent', 'unknown', 'manual')`

/** What the bank's word moved for each instruction, by what it was. */
const RESOLVED = `
  (SELECT reference,
          count(*) FILTER (WHERE code IN ('top_up', 'payout', 'netting')
                             AND kind IN ('single', 'post')) AS settled,
          count(*) FILTER (WHERE code = 'payout_rejected' OR kind = 'void') AS rejected,
          count(*) FILTER (WHERE code IN ('return', 'return_unfunded')) AS returned,
          count(*) AS moved, min(amount) AS least, max(amount) AS most,
          min(currency) AS currency
     FROM transfers WHERE reference IN (SELECT id FROM instructions) GROUP BY reference)`

/** What the steps of an instruction that was followed from its beginning add up to. */
const WALKED = `
  (SELECT instruction_id AS id, state, sum(steps) AS steps FROM (
     SELECT instruction_id, to_state AS state, 1 AS steps FROM instruction_steps
      UNION ALL
     SELECT instruction_id, from_state, -1 FROM instruction_steps
      UNION ALL
     SELECT id, 'created', 1 FROM instructions
      UNION ALL
     SELECT id, state, -1 FROM instructions) walk
    WHERE instruction_id IN (SELECT id FROM instructions WHERE state = 'created')
       OR instruction_id IN (SELECT instruction_id FROM instruction_steps
                              WHERE from_state = 'created')
    GROUP BY 1, 2)`

export const INSTRUCTIONS: readonly Invariant[] = [
  ...always({
    // Before a bank hears of it the money is held, or in transit: exactly this, and whose it is.
    instructions_have_set_money_apart: `
      SELECT i.id AS subject FROM instructions i
        LEFT JOIN transfers t ON t.id = i.transfer_id
        LEFT JOIN accounts ours ON ours.id = CASE WHEN i.direction = 'debit'
               THEN t.debit_account_id ELSE t.credit_account_id END
       WHERE (t.kind::text, t.code, t.amount, t.currency, t.reference) IS DISTINCT FROM
             (CASE WHEN i.direction = 'debit' OR i.purpose = 'netting'
                   THEN 'pending' ELSE 'single' END,
              CASE WHEN i.purpose = 'netting' THEN 'netting'
                   WHEN i.direction = 'debit' THEN 'top_up' ELSE 'payout' END,
              i.amount, i.currency, i.subject_id)
          OR i.owner_account_id <> CASE WHEN i.direction = 'debit'
               THEN t.credit_account_id ELSE t.debit_account_id END
          OR (ours.owner, ours.type) IS DISTINCT FROM ('bank:' || i.bank,
              CASE WHEN i.direction = 'debit' OR i.purpose = 'netting'
                   THEN 'bank' ELSE 'transit' END)`,
    instruction_states_are_what_moved: `
      SELECT i.id AS subject FROM instructions i LEFT JOIN ${RESOLVED} m ON m.reference = i.id
       WHERE (coalesce(settled, 0), coalesce(rejected, 0), coalesce(returned, 0)) NOT IN (
               SELECT v.settled, v.rejected, v.returned FROM (VALUES
                 ('settled', 1, 0, 0), ('rejected', 0, 1, 0),
                 -- What came back before we heard that it was settled never left.
                 ('returned', 1, 0, 1), ('returned', 0, 1, 0),
                 ('created', 0, 0, 0), ('sent', 0, 0, 0), ('unknown', 0, 0, 0),
                 ('manual', 0, 0, 0)) v (state, settled, rejected, returned)
                WHERE v.state = i.state)
          OR m.moved <> m.settled + m.rejected + m.returned
          OR m.least <> i.amount OR m.most <> i.amount OR m.currency <> i.currency`,
    instruction_holds_follow_their_state: `
      SELECT i.id AS subject FROM instructions i
        JOIN transfers h ON h.id = i.transfer_id AND h.kind = 'pending'
        LEFT JOIN (SELECT pending_id, count(*) AS times, sum(amount) AS amount FROM transfers
                    WHERE pending_id IS NOT NULL GROUP BY pending_id) r ON r.pending_id = h.id
       WHERE CASE WHEN i.state IN ${OPEN} THEN r.times IS NOT NULL
                  ELSE (r.times, r.amount) IS DISTINCT FROM (1, i.amount) END`,
    // The bank's own word, or that we never told it.
    ended_instructions_have_evidence: `
      SELECT i.id AS subject FROM instructions i
       WHERE i.state NOT IN ${OPEN}
         AND NOT EXISTS (SELECT FROM callbacks c
                          WHERE (c.bank, c.reference, c.outcome, c.amount, c.currency)
                              = (i.bank, i.reference, i.state, i.amount, i.currency)
                            AND c.disposition = 'applied')
         AND NOT (i.state = 'rejected' AND i.sent_at IS NULL
                  AND EXISTS (SELECT FROM instruction_steps s
                               WHERE s.instruction_id = i.id AND s.to_state = 'rejected'
                                 AND s.event IN ('canceled', 'refused')))`,
    // In whichever order the clocks of several processes put them.
    instruction_steps_lead_to_its_state: `
      SELECT id AS subject FROM ${WALKED} walked WHERE steps <> 0`,
    instructions_that_left_say_when: `
      SELECT id AS subject FROM instructions
       WHERE (submissions > 0) <> (sent_at IS NOT NULL)
          OR (sent_at IS NULL) <> (last_sent_at IS NULL) OR last_sent_at < sent_at
          OR (state IN ('sent', 'unknown') AND sent_at IS NULL)`,
    instructions_serve_what_they_say: `
      SELECT i.id AS subject FROM instructions i
        LEFT JOIN (
          SELECT id, CASE WHEN kind IN ('person', 'order') THEN 'payment' ELSE kind END AS purpose,
                 amount, currency, bank_account_id FROM payments
           UNION ALL
          SELECT id, 'settlement', payout, currency, bank_account_id FROM settlements
           UNION ALL
          SELECT id, 'netting', amount, currency, NULL FROM netting_obligations
           UNION ALL
          SELECT r.id, 'send_back', amount, currency, NULL
            FROM incoming_returns r JOIN incoming_money m ON m.id = r.incoming_id
        ) s ON (s.id, s.purpose) = (i.subject_id, i.purpose)
       WHERE (s.amount, s.currency) IS DISTINCT FROM (i.amount, i.currency)
          OR s.bank_account_id <> i.bank_account_id`,
    // What waits for a bank, and no bank will ever hear of it.
    whatever_waits_for_a_bank_has_an_instruction: `
      SELECT w.id AS subject FROM (
          SELECT id FROM payments WHERE bank_account_id IS NOT NULL
             AND (review_due_at IS NULL OR released_at IS NOT NULL)
           UNION ALL SELECT id FROM settlements WHERE payout > 0
           UNION ALL SELECT id FROM netting_obligations WHERE transfer_id IS NOT NULL
           UNION ALL SELECT id FROM incoming_returns) w
        LEFT JOIN instructions i ON i.subject_id = w.id
       GROUP BY w.id HAVING count(i.id) <> 1`,
    instruction_batches_are_whole: `
      SELECT b.id AS subject FROM instruction_batches b
        LEFT JOIN instructions i ON i.batch_id = b.id
       GROUP BY b.id HAVING count(i.id) <> b.instructions OR bool_or(i.bank <> b.bank)`,
    recalls_end_as_their_instruction: `
      SELECT r.id AS subject FROM recalls r JOIN instructions i ON i.id = r.instruction_id
       WHERE CASE WHEN r.state = 'returned' THEN i.state <> 'returned'
                  WHEN r.state = 'refused' THEN i.state NOT IN ('settled', 'returned')
                  ELSE i.state <> 'settled' END
          OR i.direction <> 'credit'`,
  }),
  ...drained({
    no_outcome_is_unknown_for_a_day: `
      SELECT id AS subject FROM instructions
       WHERE state IN ('created', 'sent', 'unknown') AND created_at < now() - interval '24 hours'`,
    no_instruction_waits: `
      SELECT id AS subject FROM instructions
       WHERE state IN ('created', 'sent', 'unknown') AND next_at < now() - interval '1 minute'`,
  }),
]
