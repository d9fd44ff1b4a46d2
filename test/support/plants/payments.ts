/** Corruptions of payments, of what merchants are owed, and of what was told of both. */
import { set, state, without, NEW, copy, type Plant } from './plant.ts'

const DELIVERY = `INSERT INTO webhook_deliveries
  (id, endpoint_id, event_id, state, attempts, next_at, created_at, changed_at)`
const ENDPOINT = `INSERT INTO webhook_endpoints
  (id, url, types, state, secret_sealed, created_by, created_at, changed_at)
  VALUES (:sale, 'https://x', '{*}', 'enabled', '', 'x', now(), now())`

export const PAYMENT_PLANTS: Readonly<Record<string, readonly Plant[]>> = {
  payments_moved_what_they_say: [
    [
      'a payment was made and nobody paid',
      `DELETE FROM transfers WHERE reference = :sale AND code = 'payment'`,
    ],
    ['a payment failed and was paid', set('payments', 'sale', "state = 'failed', failure = 'x'")],
    [
      'a fee was charged twice',
      "UPDATE transfers SET amount = amount * 2 WHERE reference = :sale AND code = 'fee'",
    ],
    [
      'a share was promised and not paid',
      `INSERT INTO payment_splits (payment_id, line, merchant_id, amount)
       VALUES (:sale, 1, :merchant, 5)`,
    ],
  ],
  payments_are_between_their_parties: [
    ['a payment is of another currency', set('payments', 'sale', "currency = 'USD'")],
    [
      'somebody else paid',
      `UPDATE transfers SET debit_account_id = :stranger, debit_entry = debit_entry + 9000
        WHERE reference = :sale AND code = 'payment'`,
    ],
    [
      'somebody else was paid',
      `UPDATE transfers SET credit_account_id = :rival, credit_entry = credit_entry + 9000
        WHERE reference = :sale AND code = 'payment'`,
    ],
  ],
  fee_lines_come_to_fee_and_tax: [
    ['a fee line is gone', 'DELETE FROM fee_lines WHERE payment_id = :sale AND line = 1'],
    [
      'a fee line says more',
      'UPDATE fee_lines SET amount = amount + 1 WHERE payment_id = :sale AND line = 1',
    ],
    [
      'gross is not net, fee and tax',
      without('payments', 'gross_is_net_fee_and_tax'),
      set('payments', 'sale', 'fee = fee + 1'),
    ],
  ],
  captures_come_to_what_was_captured: [
    ['a capture is gone', 'DELETE FROM payment_captures WHERE payment_id = :held'],
    [
      'more was captured than was taken',
      without('payments', 'gross_is_net_fee_and_tax'),
      set('payments', 'held', 'captured = captured + 1'),
    ],
  ],
  payment_holds_follow_their_state: [
    ['a payment is over and its money still held', state('payments', 'held', 'completed')],
  ],
  reviews_are_of_payments_in_review: [
    [
      'a payment is in review and nobody looks',
      set('payments', 'sale', "state = 'review', review_due_at = now()"),
    ],
  ],
  payments_end_as_their_instruction: [
    ['a top-up waits for a bank that has paid', state('payments', 'topUp', 'processing')],
    ['the bank rejected it, and it is completed', state('instructions', 'into', 'rejected')],
  ],
  reversed_payments_are_moved_back: [
    [
      'a payment is reversed, and nothing came back',
      set('payments', 'sale', "state = 'reversed', reversed_at = now()"),
    ],
  ],
  exchanges_moved_what_they_say: [
    [
      'an exchange moved nothing',
      `INSERT INTO exchanges
       (id, quote_id, person_id, transfer_id, rate_id, sell_amount, sell_currency, buy_amount,
        buy_currency, mid_value, spread, residue, mid_rate, rate, spread_bps, source, approval,
        approval_digest, created_at)
       VALUES (${NEW}, ${NEW}, :person, ${NEW}, ${NEW}, 1, 'EUR', 1, 'USD', 1, 0, 0, 1, 1, 0, 's',
               'none', '', now())`,
    ],
  ],
  batches_begin_where_the_last_ended: [
    ['a batch leaves an entry out', set('settlements', 'settlement', 'from_entry = 1')],
    [
      'a payment is in two batches',
      copy('settlements', 'settlement', { id: NEW, number: '2', payout_entry: '999' }),
    ],
  ],
  batches_are_the_sum_of_their_entries: [
    [
      'a batch pays more than its payments',
      without('settlements', 'net_is_sum_of_lines'),
      without('settlements', 'total_is_carried_and_net'),
      set('settlements', 'settlement', 'net = net + 1'),
    ],
    ['a batch hides a fee', set('settlements', 'settlement', 'gross = gross + 1, fee = fee + 1')],
  ],
  payouts_left_the_account_that_earned_them: [
    ['a payout left another account', set('settlements', 'settlement', `transfer_id = ${NEW}`)],
  ],
  batches_end_as_their_instruction: [
    ['the bank has paid, and the batch failed', state('settlements', 'settlement', 'failed')],
  ],
  refunds_come_to_what_was_refunded: [
    ['a refund is gone', 'DELETE FROM refunds WHERE id = :refund'],
    [
      'more was refunded than captured',
      without('payments', 'refund_exceeds_capture'),
      set('payments', 'sale', 'refunded = 20001'),
    ],
  ],
  refunds_moved_what_they_say: [
    [
      'a refund is more than what moved',
      without('refunds', 'refund_is_paid_for'),
      set('refunds', 'refund', 'amount = amount + 1'),
    ],
  ],
  disputes_moved_what_they_say: [
    ['a dispute is won, and the money still held', state('disputes', 'dispute', 'won')],
  ],
  disputes_are_where_their_last_step_led: [
    ['a dispute has no history', 'DELETE FROM dispute_steps WHERE dispute_id = :dispute'],
  ],
  no_dispute_waits_beyond_its_deadline: [
    [
      'nobody has answered a dispute, and it is not lost',
      set('disputes', 'dispute', "evidence_due_at = now() - interval '2 hours'"),
    ],
  ],
  reserves_hold_what_they_say: [
    [
      'a reserve holds nothing',
      `INSERT INTO reserves
       (id, merchant_id, currency, rule_id, kind, day, transfer_id, amount, remaining, from_entry,
        to_entry, created_at, changed_at)
       VALUES (${NEW}, :merchant, 'EUR', ${NEW}, 'fixed', now(), ${NEW}, 5, 5, 0, 1, now(), now())`,
    ],
  ],
  whatever_happened_was_told: [
    ['nobody was told of a payment', "DELETE FROM events WHERE type = 'payment.completed'"],
    ['nobody was told of a batch', "DELETE FROM events WHERE type = 'settlement.settled'"],
    ['nobody was told of a refund', "DELETE FROM events WHERE type = 'refund.completed'"],
    ['no person was told to look', state('instructions', 'into', 'manual')],
  ],
  events_of_an_object_are_numbered: [
    ['an event is gone', "DELETE FROM events WHERE type = 'payment.processing'"],
    ['an event is there twice', copy('events', 'event', { id: NEW, version: '1' })],
  ],
  deliveries_are_of_events: [
    [
      'something is delivered that never happened',
      `${DELIVERY} VALUES (${NEW}, ${NEW}, ${NEW}, 'failed', 0, now(), now(), now())`,
    ],
  ],
  what_was_delivered_was_answered: [
    [
      'nobody has answered what was delivered',
      `${DELIVERY} VALUES (${NEW}, ${NEW}, :event, 'delivered', 0, now(), now(), now())`,
    ],
  ],
  attempts_are_counted: [
    [
      'attempts are missing',
      `${DELIVERY} VALUES (${NEW}, ${NEW}, :event, 'failed', 3, now(), now(), now())`,
    ],
  ],
  payments_have_their_answer: [['an answer is lost, and the key pays again', 'DELETE FROM claims']],
  answers_are_about_payments_that_exist: [
    ['somebody was told of a payment that is lost', 'DELETE FROM payments WHERE id = :sale'],
  ],
  keys_pay_once: [
    ['one key has paid twice', copy('payments', 'sale', { id: NEW, order_id: 'NULL' })],
  ],
  events_have_become_deliveries: [
    ['events are not fanned out', 'UPDATE webhook_progress SET transaction_id = 0'],
  ],
  no_delivery_waits: [
    [
      'a delivery waits',
      ENDPOINT,
      `${DELIVERY}
       VALUES (${NEW}, :sale, :event, 'waiting', 0, now() - interval '1 hour', now(), now())`,
    ],
  ],
}
