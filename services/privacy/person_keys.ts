/**
 * A key for each person, itself sealed by the vault. Their name and the notes of their payments are
 * sealed under it, wherever a copy is kept; when it is destroyed nobody can read any of them again.
 */
import { randomBytes } from 'node:crypto'
import type { Uuid } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { type DataKey, openWith, type Place, sealWith, type Vault } from '../vault/vault.ts'

const KEY_BYTES = 32
/** Stored with what it seals; whose key it is, is known from where that is kept. */
const KID = 'person'

const placeOf = (person: Uuid): Place => ({ table: 'person_keys', row: person, column: 'sealed' })
const nameOf = (person: Uuid) => `data key ${person}`

/** A new key, and the row that keeps it. */
export function newPersonKey(vault: Vault, person: Uuid) {
  const key = randomBytes(KEY_BYTES)
  return { key, row: { person_id: person, sealed: vault.seal(placeOf(person), key) } }
}

export const openPersonKey = (vault: Vault, person: Uuid, sealed: Buffer): Buffer =>
  vault.open(placeOf(person), sealed)

/** The key as the table keeps it, opened and remembered for a while. */
export function unsealKey(context: Context, person: Uuid, sealed: Buffer): Buffer {
  const key = openPersonKey(context.vault, person, sealed)
  context.memory.keep(nameOf(person), key, personMemory_ms(context))
  return key
}

/** How long a process may remember who somebody is: an erasure takes so long to reach it. */
export const personMemory_ms = ({ config }: Pick<Context, 'config'>) =>
  config.PERSON_MEMORY_S * 1000

/** The person's key; undefined when it was destroyed. */
export async function findPersonKey(context: Context, person: Uuid): Promise<Buffer | undefined> {
  const known = context.memory.known(nameOf(person)) as Buffer | undefined
  if (known !== undefined) return known
  const row = await context.db('person_keys').where({ person_id: person }).first('sealed')
  return row?.sealed ? unsealKey(context, person, row.sealed) : undefined
}

export const forgetPersonKey = ({ memory }: Pick<Context, 'memory'>, person: Uuid): void =>
  memory.forget(nameOf(person))

export const sealForPerson = (key: Buffer, place: Place, text: string): Buffer =>
  sealWith({ kid: KID, key } satisfies DataKey, place, text)

export const openForPerson = (key: Buffer, place: Place, sealed: Buffer): string =>
  openWith(key, place, sealed).toString()

export const namePlace = (person: Uuid): Place => ({
  ...{ table: 'people', row: person, column: 'name_sealed' },
})

export const notePlace = (payment: Uuid): Place => ({
  ...{ table: 'payments', row: payment, column: 'note_sealed' },
})
