/**
 * What a merchant's or the chat app's servers show instead of a token: a key with scopes, an end,
 * and a secret that is shown once and kept as a hash. Being a secret of servers it needs no proof.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Knex } from 'knex'
import { newId, type Uuid } from '../../ledger/index.ts'
import type { Config } from '../config.ts'
import { ServiceError } from '../errors.ts'
import { publicId, suffixOf, uuidOf } from '../ids.ts'
import { openLoader } from '../loader.ts'
import type { SecurityKind } from '../security/kinds.ts'
import { recordSecurity, type Recorder } from '../security/log.ts'
import { type Grant, type Rights, rightsOf } from './scopes.ts'

export interface ApiKey {
  readonly id: Uuid
  /** Undefined for a key of the chat app's servers. */
  readonly merchant: Uuid | undefined
  readonly rights: Rights
}

export interface ApiKeyRow {
  readonly id: Uuid
  readonly merchant_id: Uuid | null
  readonly name: string
  readonly scopes: readonly Grant[]
  readonly created_by: string
  readonly created_at: Date
  readonly expires_at: Date
  readonly last_used_at: Date | null
}

interface SecretRow extends ApiKeyRow {
  readonly secret_hash: Buffer
  readonly previous_hash: Buffer | null
  readonly previous_until: Date | null
  readonly revoked_at: Date | null
}

export const COLUMNS = [
  ...['id', 'merchant_id', 'name', 'scopes', 'created_by', 'created_at', 'expires_at'],
  'last_used_at',
] as const
const SECRETS = ['secret_hash', 'previous_hash', 'previous_until', 'revoked_at'] as const

/** As it stands after `Bearer `: which key, and 256 random bits. */
const VALUE = /^florin_([0-7][0-9a-hjkmnp-tv-z]{25})_([A-Za-z0-9_-]{43})$/
const SECRET_BYTES = 32
/** Compared with where there is no key, so that it takes as long. */
const NOBODYS = Buffer.alloc(32)

export const looksLikeApiKey = (value: string): boolean => value.startsWith('florin_')

export interface ApiKeys {
  /** @throws {ServiceError} `invalid_token` for a key that is unknown, wrong, over or revoked. */
  readonly verify: (value: string, now: Date) => Promise<ApiKey>
}

/** When a key was last used is written down so often at most. */
const NOTED_EVERY_MS = 60_000
const NOTED_MAX = 10_000

/** @param onError of noting when a key was used: nobody waits for that. */
export function openApiKeys(db: Knex, onError: (error: unknown) => void): ApiKeys {
  // Looked up at every request: a revoked key is worth nothing at once.
  const rowOf = openLoader<Uuid, SecretRow>(async (ids) => {
    const rows: SecretRow[] = await db('api_keys')
      .whereIn('id', ids)
      .select([...COLUMNS, ...SECRETS])
    return new Map(rows.map((row) => [row.id, row]))
  })
  const noted = new Map<Uuid, number>()

  function noteUse(id: Uuid, now: Date): void {
    if (now.getTime() - (noted.get(id) ?? 0) < NOTED_EVERY_MS) return
    const [oldest] = noted.keys()
    if (noted.size >= NOTED_MAX && oldest !== undefined) noted.delete(oldest)
    noted.set(id, now.getTime())
    db('api_keys').where({ id }).update({ last_used_at: now }).catch(onError)
  }

  return {
    async verify(value, now) {
      const [, suffix, secret = ''] = VALUE.exec(value) ?? []
      if (suffix === undefined) throw new ServiceError('invalid_token')
      const row = await rowOf(uuidOf(`key_${suffix}`))
      const hash = hashOf(secret)
      const isNow = timingSafeEqual(hash, row?.secret_hash ?? NOBODYS)
      const wasBefore = timingSafeEqual(hash, row?.previous_hash ?? NOBODYS)
      if (row === undefined || !(isNow || wasBefore)) throw new ServiceError('invalid_token')
      const isRotatedOut = !isNow && now >= (row.previous_until ?? now)
      if (isRotatedOut || row.revoked_at !== null || now >= row.expires_at) {
        // Somebody holds a secret that nobody ought to have any more.
        const noted = { kind: 'api_key_refused', subject: publicId('key', row.id) } as const
        throw new ServiceError('invalid_token', { noted })
      }
      noteUse(row.id, now)
      const merchant = row.merchant_id ?? undefined
      const among = merchant === undefined ? (['chat'] as const) : (['merchant'] as const)
      return { id: row.id, merchant, rights: rightsOf(row.scopes, among) }
    },
  }
}

const hashOf = (secret: string) => createHash('sha256').update(secret).digest()
export const newSecret = () => randomBytes(SECRET_BYTES).toString('base64url')
const valueOf = (id: Uuid, secret: string) => `florin_${suffixOf(id)}_${secret}`

/** As much of a context as changing keys takes. */
export interface Desk extends Recorder {
  readonly config: Config
}

const record = (trx: Knex, desk: Desk, kind: SecurityKind, id: Uuid) =>
  recordSecurity({ ...desk, db: trx }, { kind, subject: publicId('key', id) })

export interface NewApiKey {
  /** Undefined for the chat app's servers. */
  readonly merchant: Uuid | undefined
  readonly name: string
  readonly scopes: readonly Grant[]
  readonly by: string
}

/** A key and, this once, its secret. */
export interface Issued {
  readonly row: ApiKeyRow
  readonly value: string
}

/** How many an owner may have at a time: what a list can show, and somebody can keep in mind. */
const KEYS_MAX = 100

/** @throws {ServiceError} `too_many_api_keys` */
export async function createApiKey(desk: Desk, key: NewApiKey): Promise<Issued> {
  const secret = newSecret()
  return desk.db.transaction(async (trx) => {
    const row = await insertApiKey(trx, desk, key, secret)
    return { row, value: valueOf(row.id, secret) }
  })
}

/** @throws {ServiceError} `too_many_api_keys` */
export async function insertApiKey(
  trx: Knex.Transaction,
  desk: Desk,
  key: NewApiKey,
  secret: string,
): Promise<ApiKeyRow> {
  const [id, created_at] = [newId(), desk.now()]
  // Whoever counts is alone, or two would both find room for one.
  await trx.raw('SELECT pg_advisory_xact_lock(hashtextextended(?, 0))', [
    `api_keys ${key.merchant ?? 'chat'}`,
  ])
  const known = await liveKeys(trx, { merchant_id: key.merchant ?? null }, created_at)
  if (known.length >= KEYS_MAX) throw new ServiceError('too_many_api_keys')
  const [row] = await trx('api_keys')
    .insert({
      ...{ id, merchant_id: key.merchant ?? null, name: key.name, scopes: key.scopes },
      ...{ secret_hash: hashOf(secret), created_by: key.by, created_at },
      expires_at: endOf(desk, created_at),
    })
    .returning(COLUMNS)
  await record(trx, desk, 'api_key_created', id)
  return row
}

const DAY_MS = 86_400_000

const endOf = ({ config }: Desk, from: Date) =>
  new Date(from.getTime() + config.API_KEY_DAYS * DAY_MS)

/** Whose keys; every owner's where nothing is said. */
export type Owner = { readonly merchant_id?: Uuid | null }

/** Whose keys, and for which operator a new secret is meant, where two have agreed on one. */
type Rotated = Owner & { readonly secret_for?: string }

/** Those that can still be used, newest first. */
export async function liveKeys(db: Knex, whose: Owner, now: Date): Promise<ApiKeyRow[]> {
  return db('api_keys')
    .where(whose)
    .whereNull('revoked_at')
    .where('expires_at', '>', now)
    .orderBy('id', 'desc')
    .limit(KEYS_MAX)
    .select(COLUMNS)
}

/**
 * A new secret and a new end; the old secret is good for a while yet, so that servers can change
 * over. One that was rotated out before that is over at once.
 * @param refuse throws where whoever asks may not be told the secret of a key with these scopes
 * @throws {ServiceError} `not_found`
 */
export async function rotateApiKey(
  desk: Desk,
  id: Uuid,
  whose: Rotated,
  refuse: (scopes: readonly Grant[]) => void,
): Promise<Issued> {
  const { db, config } = desk
  const [secret, now] = [newSecret(), desk.now()]
  const until = new Date(now.getTime() + config.API_KEY_OVERLAP_S * 1000)
  return db.transaction(async (trx) => {
    const [row] = await trx('api_keys')
      .where({ id, ...whose })
      .whereNull('revoked_at')
      .where('expires_at', '>', now)
      .where((open) => void open.whereNull('secret_until').orWhere('secret_until', '>', now))
      .update({
        ...{ secret_for: null, secret_until: null },
        ...{ previous_hash: trx.ref('secret_hash'), secret_hash: hashOf(secret) },
        previous_until: trx.raw('least(expires_at, ?::timestamptz)', [until]),
        expires_at: endOf(desk, now),
      })
      .returning(COLUMNS)
    if (row === undefined) throw new ServiceError('not_found')
    refuse(row.scopes)
    await record(trx, desk, 'api_key_rotated', id)
    return { row, value: valueOf(id, secret) }
  })
}

/** @throws {ServiceError} `not_found` also for a key that was revoked before. */
export async function revokeApiKey(desk: Desk, id: Uuid, whose: Owner): Promise<void> {
  const revoked_at = desk.now()
  await desk.db.transaction(async (trx) => {
    const count = await trx('api_keys')
      .where({ id, ...whose })
      .whereNull('revoked_at')
      .update({ revoked_at })
    if (count === 0) throw new ServiceError('not_found')
    await record(trx, desk, 'api_key_revoked', id)
  })
}

export const apiKeyOut = (row: ApiKeyRow) => ({
  id: publicId('key', row.id),
  merchant: row.merchant_id && publicId('mer', row.merchant_id),
  ...{ name: row.name, scopes: row.scopes, created_by: row.created_by },
  created_at: row.created_at.toISOString(),
  expires_at: row.expires_at.toISOString(),
  last_used_at: row.last_used_at?.toISOString() ?? null,
})
