/** Between whom an invoice is, as it is kept with the invoice: neither changes afterwards. */
import type { Knex } from 'knex'
import type { Uuid } from '../../ledger/index.ts'
import { findMerchant } from '../merchants/profile.ts'

export interface Party {
  /** As it is registered. */
  readonly name: string
  /** Line by line. */
  readonly address: readonly string[]
  readonly tax_id: string | null
}

/** The merchant as it is registered; by the name people know where it has said nothing else. */
export async function recipientOf(db: Knex, id: Uuid): Promise<Party> {
  const merchant = await findMerchant(db, id)
  if (merchant === undefined) throw new Error(`merchant ${id} has vanished`)
  const { legal_name, name, street, postal_code, city, country, tax_id } = merchant
  const place = [postal_code, city].filter((part) => part !== null).join(' ')
  const address = [street, place, country].filter((line): line is string => Boolean(line))
  return { name: legal_name ?? name, address, tax_id }
}
