/** What is known of a merchant: who it is before the law, what it sells, where its money goes. */
import type { Knex } from 'knex'
import type { Uuid } from '../../ledger/index.ts'
import { publicId } from '../ids.ts'
import type { MerchantState } from './standing.ts'

export interface Profile {
  readonly legal_name: string | null
  readonly registration_number: string | null
  readonly tax_id: string | null
  /** MCC, ISO 18245. */
  readonly category: string | null
  /** ISO 3166-1, two letters. */
  readonly country: string | null
  readonly street: string | null
  readonly postal_code: string | null
  readonly city: string | null
  /** By which UPI pays it, in India. */
  readonly upi_vpa: string | null
  /** By which Pix pays it, in Brazil. */
  readonly pix_key: string | null
  readonly pix_key_type: PixKeyType | null
  /** The linked bank account that it is settled to. */
  readonly settlement_account_id: Uuid | null
}

export const PIX_KEY_TYPES = ['CPF', 'CNPJ', 'EMAIL', 'PHONE', 'EVP'] as const
type PixKeyType = (typeof PIX_KEY_TYPES)[number]

const FIELDS = [
  ...(['legal_name', 'registration_number', 'tax_id', 'category', 'country'] as const),
  ...(['street', 'postal_code', 'city', 'upi_vpa', 'pix_key', 'pix_key_type'] as const),
  'settlement_account_id',
] as const satisfies readonly (keyof Profile)[]

/** Without these nobody looks at a merchant. */
const NEEDED = [
  ...(['legal_name', 'registration_number', 'category', 'country'] as const),
  ...(['street', 'city', 'settlement_account_id'] as const),
] as const satisfies readonly (keyof Profile)[]

export interface Merchant extends Profile {
  readonly id: Uuid
  readonly name: string
  readonly alias: string | null
  readonly state: MerchantState
  readonly state_reason: string | null
  readonly state_at: Date | null
  /** What the bank said of the holder's name. */
  readonly name_check: string | null
  readonly created_at: Date
}

/** What is missing, by the names that the API knows. Pure. */
export const missingOf = (profile: Profile): string[] =>
  NEEDED.filter((field) => profile[field] === null).map((field) =>
    field === 'settlement_account_id' ? 'settlement_account' : field,
  )

const merchantsQuery = (db: Knex): Knex.QueryBuilder =>
  db('merchants')
    .leftJoin('aliases', 'aliases.merchant_id', 'merchants.id')
    .leftJoin('bank_accounts', 'bank_accounts.id', 'merchants.settlement_account_id')
    .select(FIELDS.map((field) => `merchants.${field}`))
    .select('merchants.id', 'merchants.name', 'alias', 'state', 'state_reason', 'state_at')
    .select('name_check', 'merchants.created_at')

export async function findMerchant(db: Knex, id: Uuid): Promise<Merchant | undefined> {
  return merchantsQuery(db).where('merchants.id', id).first()
}

/** Newest first. */
export async function findMerchants(
  db: Knex,
  {
    state,
    before,
    limit,
  }: { state: MerchantState | undefined; before: Uuid | undefined; limit: number },
): Promise<Merchant[]> {
  const query = merchantsQuery(db).orderBy('merchants.id', 'desc').limit(limit)
  if (state !== undefined) query.where({ state })
  if (before !== undefined) query.where('merchants.id', '<', before)
  return query
}

export const merchantOut = (merchant: Merchant) => ({
  id: publicId('mer', merchant.id),
  name: merchant.name,
  alias: merchant.alias,
  state: merchant.state,
  state_reason: merchant.state_reason,
  state_at: merchant.state_at?.toISOString() ?? null,
  legal_name: merchant.legal_name,
  registration_number: merchant.registration_number,
  tax_id: merchant.tax_id,
  category: merchant.category,
  country: merchant.country,
  street: merchant.street,
  postal_code: merchant.postal_code,
  city: merchant.city,
  upi_vpa: merchant.upi_vpa,
  pix_key: merchant.pix_key,
  pix_key_type: merchant.pix_key_type,
  settlement_account:
    merchant.settlement_account_id === null
      ? null
      : {
          id: publicId('bac', merchant.settlement_account_id),
          name_check: merchant.name_check,
        },
  missing: missingOf(merchant),
  created_at: merchant.created_at.toISOString(),
})
