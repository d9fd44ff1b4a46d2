/** What people read instead of codes and minor units. Pure. */
import { type Currency, formatMoney } from '../../ledger/index.ts'
import type { Statement } from './statement.ts'

const CODES: Readonly<Record<string, string>> = {
  ...{ payment: 'Payment', fee: 'Fee', tax: 'Tax', refund: 'Refund', reversal: 'Reversal' },
  ...{ fee_returned: 'Fee returned', tax_returned: 'Tax returned', reserve: 'Kept in reserve' },
  ...{ reserve_released: 'Reserve released', dispute: 'Dispute', dispute_fee: 'Dispute fee' },
  ...{ chargeback_reversed: 'Chargeback reversed', payout: 'Payout', split: 'Share of others' },
  ...{ payout_rejected: 'Payout failed', return: 'Payout returned', adjustment: 'Adjustment' },
}

/** "Reserve released"; a code that is not known speaks for itself. */
export function codeText(code: string): string {
  const words = code.replaceAll('_', ' ')
  return CODES[code] ?? `${words.slice(0, 1).toUpperCase()}${words.slice(1)}`
}

/** "-1,234.50" */
export function amountText(amount: bigint, currency: Currency): string {
  const [text = ''] = formatMoney({ amount, currency }).split(' ')
  const [whole = '', fraction] = text.split('.')
  const grouped = whole.replaceAll(/\B(?=(\d{3})+$)/g, ',')
  return fraction === undefined ? grouped : `${grouped}.${fraction}`
}

/** "1234.50", without a sign: as ISO 20022 has it. */
export function decimalText(amount: bigint, currency: Currency): string {
  const positive = amount < 0n ? -amount : amount
  return formatMoney({ amount: positive, currency }).split(' ')[0] ?? ''
}

/** Days and minutes, as clocks show them in the time zone. */
export function clockOf(timeZone: string) {
  const day = new Intl.DateTimeFormat('en-GB', { timeZone, dateStyle: 'medium' })
  const minute = new Intl.DateTimeFormat('en-GB', {
    timeZone,
    dateStyle: 'short',
    timeStyle: 'short',
  })
  return {
    day: (at: Date) => day.format(at),
    minute: (at: Date) => minute.format(at).replace(',', ''),
  }
}

/** The sums that are not nothing, signed as they change what is owed to the merchant. */
export function summaryOf({
  sums,
  payouts,
}: Statement): (readonly [label: string, amount: bigint])[] {
  const all: (readonly [string, bigint])[] = [
    [`${sums.payments} ${sums.payments === 1 ? 'payment' : 'payments'}`, sums.gross],
    ['Fees', -sums.fee],
    ['Tax on fees', -sums.tax],
    ['Refunds', sums.refunds],
    ['Fees returned', sums.feesReturned],
    ['Reserves', sums.reserves],
    ['Disputes', sums.disputes],
    ['Reversals', sums.reversals],
    ['Shares of others', sums.splits],
    ['Payouts that came back', sums.returnedPayouts],
    ['Other', sums.other],
    ['Payouts', -payouts],
  ]
  return all.filter(([, amount], index) => index === 0 || amount !== 0n)
}
