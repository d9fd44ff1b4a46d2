/**
 * What is stored for ever names people by their ids and keeps what they noted sealed: answers under
 * idempotency keys and the event log. Here it becomes what the API shows. The same text always
 * becomes the same answer, until one of the people in it is erased.
 */
import type { Uuid } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { publicId, uuidOf } from '../ids.ts'
import { knownPartyText, partyTexts } from '../people/parties.ts'
import { findPersonKey, notePlace, openForPerson, sealForPerson } from './person_keys.ts'

/** What a payment hands over beside its answer, which is then not read again to be shown. */
export interface Made {
  readonly id: string
  readonly state: string
  /** In the clear; undefined where there is none. */
  readonly note: string | undefined
}

/** What the payer noted. */
export interface Note {
  readonly text: string | undefined
  /** As it is kept with the payment; null where there is none. */
  readonly seal: (payment: Uuid) => Buffer | null
}

const NO_NOTE: Note = { text: undefined, seal: () => null }

/** @throws {ServiceError} `forbidden` for who was erased, which this process may not know yet. */
export async function noteOf(
  context: Context,
  payer: Uuid,
  text: string | undefined,
): Promise<Note> {
  if (text === undefined) return NO_NOTE
  const key = await findPersonKey(context, payer)
  if (key === undefined) throw new ServiceError('forbidden')
  return { text, seal: (payment) => sealForPerson(key, notePlace(payment), text) }
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

/**
 * The JSON text with every party's alias and name, and every note; null for what was erased.
 * @param made whose note is known, as it has just been sealed.
 */
export async function showPeople(
  context: Context,
  text: string,
  made?: Partial<Made>,
): Promise<string> {
  const missing = new Set<string>()
  const known = text.replaceAll(PARTY, (party, field: string, id: string) => {
    const shown = knownPartyText(context, id)
    if (shown === undefined) missing.add(id)
    return shown === undefined ? party : field + shown
  })
  const named = missing.size === 0 ? known : await withParties(context, known, [...missing])
  if (!named.includes('"note":{')) return named
  const note = made?.note
  return note === undefined
    ? withNotes(context, named)
    : named.replace(NOTE, () => `"note":${JSON.stringify(note)}`)
}

async function withParties(context: Context, text: string, ids: readonly string[]) {
  const parties = await partyTexts(context, ids)
  return text.replaceAll(PARTY, (_, field: string, id: string) => {
    return field + (parties.get(id) ?? JSON.stringify({ id, alias: null, name: null }))
  })
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
