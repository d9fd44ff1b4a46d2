/** Corruptions of what we told banks, and of what they told us. */
import { set, state, NEW, copy, type Plant } from './plant.ts'

export const BANK_PLANTS: Readonly<Record<string, readonly Plant[]>> = {
  instructions_have_set_money_apart: [
    [
      'a bank is told of more than was set apart',
      set('instructions', 'out', 'amount = amount + 1'),
    ],
    ['an instruction names the hold of another', set('instructions', 'into', 'transfer_id = :out')],
    [
      'an instruction spends somebody else’s money',
      set('instructions', 'out', `owner_account_id = ${NEW}`),
    ],
    [
      'an instruction is for another bank than the money',
      set('instructions', 'into', "bank = 'south'"),
    ],
  ],
  instruction_states_are_what_moved: [
    ['a rejected top-up is marked settled', state('instructions', 'rejected', 'settled')],
    ['a settled withdrawal is marked rejected', state('instructions', 'out', 'rejected')],
    ['the money of a payout never left', 'DELETE FROM transfers WHERE reference = :payout'],
    [
      'a withdrawal is booked twice',
      `INSERT INTO transfers SELECT (jsonb_populate_record(t,
       jsonb_build_object('id', ${NEW}, 'debit_entry', 9001, 'credit_entry', 9001))).*
       FROM transfers t WHERE reference = :out`,
    ],
    [
      'the bank’s word moved another amount',
      'UPDATE transfers SET amount = 1 WHERE reference = :out',
    ],
  ],
  instruction_holds_follow_their_state: [
    ['a settled top-up waits again', state('instructions', 'into', 'unknown')],
    [
      'the hold of a settled top-up is still there',
      'DELETE FROM transfers WHERE reference = :into',
    ],
  ],
  ended_instructions_have_evidence: [
    [
      'the callback of a settlement is gone',
      `DELETE FROM callbacks
        WHERE reference = (SELECT reference FROM instructions WHERE id = :payout)`,
    ],
    [
      'a callback was only received',
      `UPDATE callbacks SET disposition = 'duplicate'
       WHERE reference = (SELECT reference FROM instructions WHERE id = :into)`,
    ],
    [
      'a callback told of another amount',
      `UPDATE callbacks SET amount = amount + 1
       WHERE reference = (SELECT reference FROM instructions WHERE id = :out)`,
    ],
  ],
  instruction_steps_lead_to_its_state: [
    [
      'a step is missing',
      "DELETE FROM instruction_steps WHERE instruction_id = :into AND to_state = 'settled'",
    ],
    ['a state was changed without a step', state('instructions', 'out', 'manual')],
  ],
  instructions_that_left_say_when: [
    ['nobody knows when it was sent', set('instructions', 'into', 'sent_at = NULL')],
    ['it was never sent, and it left', set('instructions', 'out', 'submissions = 0')],
  ],
  instructions_serve_what_they_say: [
    ['an instruction serves nothing', set('instructions', 'into', `subject_id = ${NEW}`)],
    [
      'a payout says another sum than its batch',
      set('instructions', 'payout', 'amount = amount - 1'),
    ],
  ],
  whatever_waits_for_a_bank_has_an_instruction: [
    ['the instruction of a payout is gone', 'DELETE FROM instructions WHERE id = :payout'],
    [
      'a top-up has two',
      copy('instructions', 'into', { id: NEW, reference: "'TWICE'", purpose: "'payment'" }),
    ],
  ],
  instruction_batches_are_whole: [
    [
      'a batch has lost its instructions',
      `INSERT INTO instruction_batches
       (id, reference, bank, instructions, state, next_at, created_at, changed_at)
       VALUES (${NEW}, 'LOST', 'north', 1, 'handed_over', now(), now(), now())`,
    ],
  ],
  recalls_end_as_their_instruction: [
    [
      'recalled money is back, and is not',
      `INSERT INTO recalls
       (id, reference, instruction_id, reason, note, operator, state, next_at, created_at,
        changed_at)
       VALUES (${NEW}, 'R', :out, 'DUPL', 'n', 'o', 'returned', now(), now(), now())`,
    ],
  ],
  no_outcome_is_unknown_for_a_day: [
    [
      'an outcome is open since two days',
      set('instructions', 'into', "state = 'unknown', created_at = now() - interval '2 days'"),
    ],
  ],
  no_instruction_waits: [
    [
      'nobody has taken it up',
      set('instructions', 'into', "state = 'created', next_at = now() - interval '1 hour'"),
    ],
  ],
  applied_reports_are_about_an_instruction: [
    [
      'a report that nobody asked for was applied',
      "UPDATE callbacks SET reference = 'NOBODY' WHERE disposition = 'applied'",
    ],
    [
      'another amount was applied',
      "UPDATE callbacks SET amount = amount + 1 WHERE disposition = 'applied'",
    ],
  ],
  reports_are_applied_once: [
    [
      'a callback was applied twice',
      `INSERT INTO callbacks SELECT (jsonb_populate_record(c,
       jsonb_build_object('id', ${NEW}, 'event_id', 'again'))).* FROM callbacks c
       WHERE reference = (SELECT reference FROM instructions WHERE id = :into)`,
    ],
  ],
  applied_refusals_ended_a_recall: [
    [
      'a refusal was applied to no recall',
      `UPDATE callbacks SET outcome = 'recall_refused'
       WHERE reference = (SELECT reference FROM instructions WHERE id = :out)`,
    ],
  ],
  received_money_is_booked_once: [
    [
      'money came and was not booked',
      `UPDATE callbacks SET outcome = 'received'
       WHERE reference = (SELECT reference FROM instructions WHERE id = :into)`,
    ],
  ],
  incoming_money_is_where_it_says: [
    [
      'money is in suspense, and never came',
      `INSERT INTO incoming_money
       (id, bank, reference, amount, currency, suspense_id, transfer_id, state, received_at)
       VALUES (${NEW}, 'north', 'X', 5, 'EUR', ${NEW}, ${NEW}, 'unmatched', now())`,
    ],
  ],
  incoming_money_goes_back_as_its_instruction: [
    [
      'money goes back, and no bank knows',
      `INSERT INTO incoming_money
       (id, bank, reference, amount, currency, suspense_id, transfer_id, state, received_at)
       VALUES (${NEW}, 'north', 'X', 5, 'EUR', ${NEW}, ${NEW}, 'returning', now())`,
    ],
  ],
  obligations_are_as_their_instruction: [
    [
      'a net payment is settled that nobody made',
      `INSERT INTO netting_obligations
       (id, window_id, from_bank, to_bank, amount, currency, state, transfer_id, created_at,
        changed_at)
       VALUES (${NEW}, ${NEW}, 'a', 'b', 5, 'EUR', 'settled', ${NEW}, now(), now())`,
    ],
  ],
  reconciled_transfers_are_as_they_were: [
    [
      'a line was matched with nothing',
      `INSERT INTO reconciliation_items
       (id, reconciliation_id, bank, kind, state, currency, reference, transfer_id, books_amount)
       VALUES (${NEW}, ${NEW}, 'north', 'matched', 'matched', 'EUR', 'X', ${NEW}, 5)`,
    ],
  ],
  the_inbox_is_empty: [['a callback waits', "UPDATE callbacks SET disposition = 'received'"]],
  statements_and_books_agree: [
    [
      'a statement is not explained',
      `INSERT INTO reconciliations
       (id, bank, source, state, requested_by, due_at, created_at, completed_at)
       VALUES (:sale, 'north', 'bank', 'completed', 'o', now(), now(), now())`,
      `INSERT INTO reconciliation_balances
       (reconciliation_id, currency, statement, books, unexplained, open_items)
       VALUES (:sale, 'EUR', 1, 2, 1, 0)`,
    ],
  ],
}
