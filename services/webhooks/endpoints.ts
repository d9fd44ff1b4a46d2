/** Where the chat app and merchants want to be told what happens, and with which secret. */
import type { Knex } from 'knex'
import { newId, type Uuid } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { type EventType, EVENT_TYPES } from '../events/catalogue.ts'
import { recordEvent } from '../events/events.ts'
import { publicId } from '../ids.ts'
import type { SecurityKind } from '../security/kinds.ts'
import { recordSecurity } from '../security/log.ts'
import type { Vault } from '../vault/vault.ts'
import { newSecret } from './signature.ts'
import { targetOf } from './targets.ts'

/** Why nothing is sent: its owner said so, it answered 410 Gone, or nothing arrived for days. */
export const DISABLED_REASONS = ['owner', 'gone', 'failing'] as const
export type DisabledReason = (typeof DISABLED_REASONS)[number]

export interface Endpoint {
  readonly id: Uuid
  /** Null for the chat app, which is told everything. */
  readonly merchant_id: Uuid | null
  readonly url: string
  /** Types, `payment.*` for all of a kind, `*` for all. */
  readonly types: readonly string[]
  readonly description: string | null
  readonly state: 'enabled' | 'disabled'
  readonly disabled_reason: DisabledReason | null
  readonly previous_until: Date | null
  readonly failing_since: Date | null
  readonly replay_from: Uuid | null
  readonly created_at: Date
  readonly changed_at: Date
}

export const ENDPOINT_COLUMNS = [
  ...['id', 'merchant_id', 'url', 'types', 'description', 'state', 'disabled_reason'],
  ...['previous_until', 'failing_since', 'replay_from', 'created_at', 'changed_at'],
] as const

export interface SealedSecrets {
  readonly id: Uuid
  readonly secret_sealed: Buffer
  readonly previous_sealed: Buffer | null
  readonly previous_until: Date | null
}

/** Whose endpoints; everybody's where nothing is said. */
export type Owner = { readonly merchant_id?: Uuid | null }

/** How many an owner may have. */
const ENDPOINTS_MAX = 16

export const isKnownFilter = (filter: string): boolean =>
  filter === '*' || EVENT_TYPES.some((type) => filtersOf(type).includes(filter))

/** What an endpoint may list to be told of such an event. */
export const filtersOf = (type: EventType): readonly string[] => [
  ...[type, `${type.slice(0, type.indexOf('.'))}.*`, '*'],
]

const place = (row: Uuid, column: 'secret_sealed' | 'previous_sealed') => ({
  ...{ table: 'webhook_endpoints', row, column },
})

/** All that are good at the moment, the newest first. */
export function secretsOf(vault: Vault, row: SealedSecrets, now: Date): Buffer[] {
  const secrets = [vault.open(place(row.id, 'secret_sealed'), row.secret_sealed)]
  if (row.previous_sealed === null || row.previous_until === null) return secrets
  if (row.previous_until <= now) return secrets
  return [...secrets, vault.open(place(row.id, 'previous_sealed'), row.previous_sealed)]
}

/** An endpoint and, this once, its secret. */
export interface Issued {
  readonly row: Endpoint
  readonly secret: Buffer
}

export interface NewEndpoint {
  readonly merchant: Uuid | null
  readonly url: string
  readonly types: readonly string[]
  readonly description: string | undefined
  readonly by: string
}

/** @throws {ServiceError} `url_not_allowed`, `too_many_webhook_endpoints` */
export async function createEndpoint(context: Context, asked: NewEndpoint): Promise<Issued> {
  const { db, vault, config } = context
  const url = targetOf(config, asked.url)
  const [id, secret, now] = [newId(), newSecret(), context.now()]
  return db.transaction(async (trx) => {
    const whose = { merchant_id: asked.merchant }
    // Whoever counts is alone, or two would both find room for one.
    await trx.raw('SELECT pg_advisory_xact_lock(hashtextextended(?, 0))', [
      `webhook_endpoints ${asked.merchant ?? 'chat'}`,
    ])
    const known = await findEndpoints(trx, whose)
    if (known.length >= ENDPOINTS_MAX) throw new ServiceError('too_many_webhook_endpoints')
    const [row] = await trx('webhook_endpoints')
      .insert({
        ...{ id, ...whose, url, types: asked.types, description: asked.description ?? null },
        ...{ state: 'enabled', secret_sealed: vault.seal(place(id, 'secret_sealed'), secret) },
        ...{ created_by: asked.by, created_at: now, changed_at: now },
      })
      .returning(ENDPOINT_COLUMNS)
    await record(trx, context, 'webhook_added', id)
    return { row, secret }
  })
}

const record = (trx: Knex, context: Context, kind: SecurityKind, id: Uuid) =>
  recordSecurity({ ...context, db: trx }, { kind, subject: publicId('whe', id) })

/** Newest first. */
export const findEndpoints = async (db: Knex, whose: Owner): Promise<Endpoint[]> =>
  db('webhook_endpoints')
    .where(whose)
    .whereNull('deleted_at')
    .orderBy('id', 'desc')
    .select(ENDPOINT_COLUMNS)

/** @throws {ServiceError} `not_found` */
export async function findEndpoint(db: Knex, id: Uuid, whose: Owner): Promise<Endpoint> {
  const query = db('webhook_endpoints').where({ id, ...whose })
  const row = await query.whereNull('deleted_at').first(ENDPOINT_COLUMNS)
  if (row === undefined) throw new ServiceError('not_found')
  return row
}

export interface EndpointChange {
  readonly url?: string | undefined
  readonly types?: readonly string[] | undefined
  readonly description?: string | null | undefined
  readonly state?: 'enabled' | 'disabled' | undefined
}

/**
 * What is not given stays as it is. Enabled again it gets what was waiting for it; what happened
 * meanwhile can be replayed.
 * @throws {ServiceError} `not_found`, `url_not_allowed`
 */
export async function changeEndpoint(
  context: Context,
  id: Uuid,
  whose: Owner,
  { url, state, ...rest }: EndpointChange,
): Promise<Endpoint> {
  const now = context.now()
  const enabled = { state, disabled_reason: null, failing_since: null, due_at: now }
  const change = {
    ...rest,
    ...(url !== undefined && { url: targetOf(context.config, url) }),
    ...(state === 'enabled' && enabled),
    ...(state === 'disabled' && { state, disabled_reason: 'owner' }),
    changed_at: now,
  }
  return changed(context, { id, whose, kind: 'webhook_changed' }, () => change)
}

/**
 * A new secret; the one before signs too for a while, so that receivers can change over.
 * @throws {ServiceError} `not_found`
 */
export async function rotateSecret(context: Context, id: Uuid, whose: Owner): Promise<Issued> {
  const { vault, config } = context
  const [secret, now] = [newSecret(), context.now()]
  const until = new Date(now.getTime() + config.WEBHOOK_OVERLAP_S * 1000)
  const row = await changed(context, { id, whose, kind: 'webhook_rotated' }, (before) => ({
    previous_sealed: vault.seal(
      place(id, 'previous_sealed'),
      vault.open(place(id, 'secret_sealed'), before.secret_sealed),
    ),
    previous_until: until,
    secret_sealed: vault.seal(place(id, 'secret_sealed'), secret),
    changed_at: now,
  }))
  return { row, secret }
}

/** @throws {ServiceError} `not_found` */
export async function removeEndpoint(context: Context, id: Uuid, whose: Owner): Promise<void> {
  const now = context.now()
  await changed(context, { id, whose, kind: 'webhook_removed' }, () => ({
    ...{ deleted_at: now, changed_at: now },
  }))
}

interface Occasion {
  readonly id: Uuid
  readonly whose: Owner
  readonly kind: SecurityKind
}

async function changed(
  context: Context,
  { id, whose, kind }: Occasion,
  changeOf: (before: SealedSecrets) => object,
): Promise<Endpoint> {
  return context.db.transaction(async (trx) => {
    const known = trx('webhook_endpoints')
      .where({ id, ...whose })
      .whereNull('deleted_at')
    const before = await known.forUpdate().first()
    if (before === undefined) throw new ServiceError('not_found')
    const [row] = await trx('webhook_endpoints')
      .where({ id })
      .update(changeOf(before))
      .returning(ENDPOINT_COLUMNS)
    await record(trx, context, kind, id)
    return row
  })
}

/** Ends deliveries, unless they have ended; its owner is told by every other way there is. */
export async function disableEndpoint(
  trx: Knex.Transaction,
  id: Uuid,
  reason: Exclude<DisabledReason, 'owner'>,
  at: Date,
): Promise<void> {
  const change = { state: 'disabled', disabled_reason: reason, changed_at: at }
  const [row]: Endpoint[] = await trx('webhook_endpoints')
    .where({ id, state: 'enabled' })
    .update(change)
    .returning(ENDPOINT_COLUMNS)
  if (row === undefined) return
  const [type, data] = ['webhook_endpoint.disabled' as const, endpointOut(row)]
  const merchant = row.merchant_id ?? undefined
  await recordEvent(trx, { type, object: data.id, merchant, data, at })
}

export const endpointOut = (row: Endpoint) => ({
  id: publicId('whe', row.id),
  merchant: row.merchant_id && publicId('mer', row.merchant_id),
  ...{ url: row.url, types: row.types, description: row.description, state: row.state },
  disabled_reason: row.disabled_reason,
  failing_since: row.failing_since?.toISOString() ?? null,
  previous_secret_until: row.previous_until?.toISOString() ?? null,
  is_replaying: row.replay_from !== null,
  created_at: row.created_at.toISOString(),
  changed_at: row.changed_at.toISOString(),
})
