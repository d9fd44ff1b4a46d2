/** Where sealed values are kept: all there are. Rotation and tests walk this list. */
import type { Place } from './vault.ts'

export interface SealedColumn extends Omit<Place, 'row'> {
  /** The column of the primary key. */
  readonly id: string
  /** Whose key seals it: the vault's own, or a person's, which the vault seals in turn. */
  readonly under: 'vault' | 'person'
}

export const SEALED_COLUMNS: readonly SealedColumn[] = [
  { table: 'bank_accounts', id: 'id', column: 'holder_sealed', under: 'vault' },
  { table: 'bank_accounts', id: 'id', column: 'name_at_bank_sealed', under: 'vault' },
  { table: 'bank_accounts', id: 'id', column: 'number_sealed', under: 'vault' },
  { table: 'callbacks', id: 'id', column: 'remittance_sealed', under: 'vault' },
  { table: 'callbacks', id: 'id', column: 'sender_account_sealed', under: 'vault' },
  { table: 'callbacks', id: 'id', column: 'sender_sealed', under: 'vault' },
  { table: 'payments', id: 'id', column: 'note_sealed', under: 'person' },
  { table: 'people', id: 'id', column: 'name_sealed', under: 'person' },
  { table: 'person_keys', id: 'person_id', column: 'sealed', under: 'vault' },
  { table: 'totp', id: 'person_id', column: 'seed_sealed', under: 'vault' },
  { table: 'totp_enrolments', id: 'person_id', column: 'seed_sealed', under: 'vault' },
  { table: 'webhook_endpoints', id: 'id', column: 'previous_sealed', under: 'vault' },
  { table: 'webhook_endpoints', id: 'id', column: 'secret_sealed', under: 'vault' },
]
