/**
 * The other end of a net payment: the bank that gets it reports money that came in. Our books have
 * it there since the first bank said that it paid, so it must not be booked again.
 */
import type { Knex } from 'knex'
import type { Money, Uuid } from '../../ledger/index.ts'
import { OUR_REFERENCE } from '../banking/references.ts'

/** Our reference, as it stands alone in what the sender's bank passed on. */
const REFERENCE = new RegExp(`(?<![A-Z0-9])${OUR_REFERENCE}(?![A-Z0-9])`, 'g')

export interface Arrival {
  /** The event's. */
  readonly id: Uuid
  /** Which bank reports it. */
  readonly bank: string
  readonly money: Money
  readonly remittance: string | null
  /** What the paying bank called it, where it was passed on: our own reference. */
  readonly endToEndId: string | null
}

/**
 * Whether the money is a net payment that arrives, for the first time, whole, where it should, and
 * that has not failed. Everything else is money that nobody asked for.
 */
export async function isArrival(
  trx: Knex.Transaction,
  { id, bank, money, ...words }: Arrival,
): Promise<boolean> {
  const named = namedIn(words)
  const [reference] = named
  if (reference === undefined || named.length > 1) return false
  const arrived = await trx('netting_obligations')
    .where({ to_bank: bank, currency: money.currency, amount: money.amount.toString() })
    .where({ arrival_id: null })
    .whereIn('state', ['instructed', 'settled'])
    .whereIn(
      'id',
      trx('instructions').where({ purpose: 'netting', reference }).select('subject_id'),
    )
    .update({ arrival_id: id })
  return arrived === 1
}

/** Some banks pass on what was written, some only what a payment is called, some both. */
function namedIn({ remittance, endToEndId }: Pick<Arrival, 'remittance' | 'endToEndId'>) {
  const written: readonly string[] = remittance?.match(REFERENCE) ?? []
  const isNew = endToEndId !== null && !written.includes(endToEndId)
  return isNew ? [...written, endToEndId] : written
}
