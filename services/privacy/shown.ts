/**
 * What is stored for ever names people by their ids and keeps what they noted sealed: answers under
 * idempotency keys and the event log. Here it becomes what the API shows. The same text always
 * becomes the same answer, until one of the people in it is erased.
 */
import type { Uuid } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { publicId, uuidOf } from '../ids.ts'
import { partyTexts } from '../identity/parties.ts'
import { findPersonKey, notePlace, openForPerson, sealForPerson } from './person_keys.ts'

/** The note of the payment, or null where there is none. */
export type NoteSealer = (payment: Uuid) => Buffer | null

/** @throws {ServiceError} `forbidden` for who was erased, which this process may not know yet. */
export async function noteSealer(
  context: Context,
  payer: Uuid,
  note: string | undefined,
): Promise<NoteSealer> {
  if (note === undefined) return () => null
  const key = await findPersonKey(context, payer)
  if (key === undefined) throw new ServiceError('forbidden')
  return (payment) => sealForPerson(key, notePlace(payment), note)
}

/** A note as it is stored: with what is needed to open it, as long as that is possible. */
export const storedNote = (payer: Uuid, payment: Uuid, sealed: Buffer) => ({
  sealed: sealed.toString('base64url'),
  by: publicId('per', payer),
  of: publicId('pay', payment),
})

/** Quotes in a text are escaped: nothing that anybody wrote can look like these. */
const PARTY = /("(?:payer|payee)":)\{"id":"((?:per|mer)_[0-9a-z]{26})"\}/g
const NOTE = /"note":\{"sealed":"([\w-]+)","by":"(per_[0-9a-z]{26})","of":"(pay_[0-9a-z]{26})"\}/g

/** The JSON text with every party's alias and name, and every note; null for what was erased. */
export async function showPeople(context: Context, text: string): Promise<string> {
  const ids = new Set<string>()
  for (const [, , id = ''] of text.matchAll(PARTY)) ids.add(id)
  if (ids.size === 0) return text
  const parties = await partyTexts(context, [...ids])
  const named = text.replaceAll(PARTY, (_, field: string, id: string) => {
    return `${field}${parties.get(id) ?? JSON.stringify({ id, alias: null, name: null })}`
  })
  return named.includes('"note":{') ? withNotes(context, named) : named
}

async function withNotes(context: Context, text: string): Promise<string> {
  const payers = new Set<string>()
  for (const [, , by = ''] of text.matchAll(NOTE)) payers.add(by)
  const keys = new Map<string, Buffer>()
  for (const by of payers) {
    // Remembered: whoever was looked up to be shown brought their key along.
    const key = await findPersonKey(context, uuidOf(by))
    if (key !== undefined) keys.set(by, key)
  }
  return text.replaceAll(NOTE, (_, sealed: string, by: string, of: string) => {
    const key = keys.get(by)
    const bytes = Buffer.from(sealed, 'base64url')
    return `"note":${key ? JSON.stringify(openForPerson(key, notePlace(uuidOf(of)), bytes)) : null}`
  })
}
