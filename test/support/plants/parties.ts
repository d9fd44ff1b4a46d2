/** Corruptions of whose money moved: as much as should, and to or from somebody else. */
import { set, type Plant } from './plant.ts'

type Side = 'debit' | 'credit'

/** What was moved for `id` by `code` has this account of somebody else on one side. */
const moved = (id: string, code: string, side: Side, account: 'stranger' | 'rival', more = '') =>
  `UPDATE transfers SET ${side}_account_id = :${account}, ${side}_entry = ${side}_entry + 9000
    WHERE reference = :${id} AND code = '${code}'${more}`

export const PARTY_PLANTS: Readonly<Record<string, readonly Plant[]>> = {
  money_goes_between_its_parties: [
    ['a stranger was refunded', moved('refund', 'refund', 'credit', 'stranger')],
    ['another merchant paid for a refund', moved('refund', 'refund', 'debit', 'rival')],
    ['another merchant got a fee back', moved('refund', 'fee_returned', 'credit', 'rival')],
    ['another merchant paid the fee', moved('sale', 'fee', 'debit', 'rival')],
    [
      'a share came from another merchant',
      moved('shared', 'split', 'debit', 'rival', ' AND amount = 500'),
    ],
    ['a stranger was charged back', moved('lost', 'chargeback', 'credit', 'stranger')],
    ['another merchant was disputed', moved('dispute', 'dispute', 'debit', 'rival')],
    ['another merchant’s money was kept back', moved('reserve', 'reserve', 'debit', 'rival')],
    ['a reserve was released to another', moved('reserve', 'reserve_released', 'credit', 'rival')],
    [
      'what was bought is in somebody else’s wallet',
      moved('exchange', 'exchange', 'credit', 'stranger', " AND currency = 'USD'"),
    ],
    [
      'somebody else sold',
      moved('exchange', 'exchange', 'debit', 'stranger', " AND currency = 'EUR'"),
    ],
    [
      'an exchange went the other way round',
      `UPDATE transfers SET debit_account_id = credit_account_id,
              credit_account_id = debit_account_id, debit_entry = credit_entry + 9000,
              credit_entry = debit_entry + 9000
        WHERE reference = :exchange AND code = 'exchange' AND currency = 'EUR'`,
    ],
    [
      'a top-up is in somebody else’s wallet',
      moved('topUp', 'top_up', 'credit', 'stranger'),
      moved('into', 'top_up', 'credit', 'stranger'),
      set('instructions', 'into', 'owner_account_id = :stranger'),
    ],
    [
      'somebody else’s money was withdrawn',
      moved('withdrawal', 'payout', 'debit', 'stranger'),
      set('instructions', 'out', 'owner_account_id = :stranger'),
    ],
    [
      'the money of another merchant was paid out',
      moved('settlement', 'payout', 'debit', 'rival'),
      set('settlements', 'settlement', 'account_id = :rival'),
      set('instructions', 'payout', 'owner_account_id = :rival'),
    ],
  ],
  shares_are_of_their_beneficiaries: [
    [
      'two beneficiaries have each other’s share',
      `UPDATE transfers t SET amount = other.amount FROM transfers other
        WHERE t.reference = :shared AND t.code = 'split' AND other.id <> t.id
          AND (other.reference, other.code) = (t.reference, t.code)`,
    ],
    [
      'two beneficiaries gave back each other’s share',
      `UPDATE transfers t SET amount = other.amount FROM transfers other
        WHERE t.reference = :given AND t.code = 'split_returned' AND other.id <> t.id
          AND (other.reference, other.code) = (t.reference, t.code)`,
    ],
    [
      'a share is of somebody else',
      `UPDATE payment_splits SET merchant_id = :merchant WHERE payment_id = :shared AND line = 1`,
    ],
  ],
  settlements_are_of_their_merchants_account: [
    ['a batch is of another’s account', set('settlements', 'settlement', 'account_id = :rival')],
    ['a batch is of a wallet', set('settlements', 'settlement', 'account_id = :stranger')],
  ],
  banks_are_told_of_their_owners_account: [
    [
      'a withdrawal went to somebody else’s account at a bank',
      `UPDATE instructions SET bank_account_id = other.bank_account_id
         FROM instructions other WHERE instructions.id = :out AND other.id = :payout`,
    ],
    [
      'a payout went to an account that nobody knows',
      set('instructions', 'payout', 'bank_account_id = gen_random_uuid()'),
    ],
  ],
}
