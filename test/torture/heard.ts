/** Whether merchants heard of all that happened to them, and of nothing else. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Knex } from 'knex'
import { publicId } from '../../services/ids.ts'
import type { Arrival, Hooks } from './hooks.ts'
import { type Intents, madeOf } from './told.ts'

/** Something that is in the log of events. */
export interface Happened {
  readonly id: string
  readonly shop: string
  readonly type: string
  readonly object: string
}

export interface Misheard {
  readonly what: 'event_lost' | 'event_invented' | 'event_changed' | 'event_unsigned'
  readonly where: string
}

/** What whoever asked for it hears of, by the path by which they did. */
const TOLD_OF: readonly (readonly [path: RegExp, type: RegExp])[] = [
  [/^\/v1\/orders$/, /^order\.created$/],
  [/^\/v1\/payments$/, /^payment\.(completed|authorized)$/],
  [/\/capture$/, /^payment\.captured$/],
  [/\/void$/, /^payment\.(canceled|completed)$/],
  [/\/refunds$/, /^refund\.completed$/],
  [/\/disputes$/, /^dispute\.opened$/],
  [/\/evidence$/, /^dispute\.evidence_submitted$/],
  [/\/accept$/, /^dispute\.lost$/],
  [/^\/v1\/settlements$/, /^settlement\.(processing|carried)$/],
]

/** X4: every event arrived, under one id with one body however often, and none was made up. */
export function judgeEvents(
  happened: readonly Happened[],
  arrivals: readonly Arrival[],
  intents: Intents,
): Misheard[] {
  const events = new Map(happened.map((one) => [one.id, one]))
  const arrived = new Set(
    arrivals.filter(({ isAccepted }) => isAccepted).map(({ id, shop }) => `${id} ${shop}`),
  )
  const lost = happened.filter(({ id, shop }) => !arrived.has(`${id} ${shop}`))
  return [
    ...lost.map(({ id, type }) => ({ what: 'event_lost' as const, where: `${type} ${id}` })),
    ...wrongOf(events, arrivals),
    ...neverTold(happened, intents),
  ]
}

function wrongOf(events: ReadonlyMap<string, Happened>, arrivals: readonly Arrival[]): Misheard[] {
  const first = new Map<string, string>()
  return arrivals.flatMap(({ id: where, shop, body, isSigned }): Misheard[] => {
    if (!isSigned) return [{ what: 'event_unsigned', where }]
    const event = events.get(where)
    const { id, type, object } = JSON.parse(body)
    const isSo = id === where && event?.type === type && event?.object === object
    if (!isSo || event?.shop !== shop) return [{ what: 'event_invented', where }]
    const earlier = first.get(where) ?? body
    first.set(where, earlier)
    return earlier === body ? [] : [{ what: 'event_changed', where }]
  })
}

/**
 * What was acknowledged, and of which nothing is in the log of events. An event tells of one thing:
 * of two captures there are two. By name, so that a payment is told of by what comes first.
 */
function neverTold(happened: readonly Happened[], intents: Intents): Misheard[] {
  const known = new Map<string, string[]>()
  for (const { object, type } of happened) {
    known.set(object, [...(known.get(object) ?? []), type].toSorted())
  }
  return madeOf(intents)
    .filter(({ asks: { path, body } }) => path !== '/v1/payments' || body?.['order'] !== undefined)
    .flatMap(({ asks: { path, key }, made }) => {
      const type = TOLD_OF.find(([asked]) => asked.test(path))?.[1]
      const types = known.get(String(made['id'])) ?? []
      if (type === undefined) return []
      const at = types.findIndex((one) => type.test(one))
      if (at !== -1) types.splice(at, 1)
      return at === -1 ? [{ what: 'event_lost' as const, where: key }] : []
    })
}

/** Nobody listened yet when a merchant was taken on and priced. */
const BEFORE = /^(merchant|fee_)/

/** What happened to merchants. */
export async function readEvents(db: Knex): Promise<Happened[]> {
  const rows = await db('events')
    .join('aliases', 'aliases.merchant_id', 'events.merchant_id')
    .select('events.id', 'type', 'object_id', 'alias')
  return rows
    .filter(({ type }) => !BEFORE.test(type))
    .map(({ id, type, object_id: object, alias: shop }) => ({
      ...{ id: publicId('evt', id), type, object, shop },
    }))
}

const WAIT_MS = 60_000

/** As if all the time had passed that deliveries wait for. The judge says what is missing then. */
export async function untilHeard(db: Knex, { arrivals }: Hooks): Promise<void> {
  const deadline = performance.now() + WAIT_MS
  const none: Intents = new Map()
  while (performance.now() < deadline) {
    const found = judgeEvents(await readEvents(db), arrivals, none)
    if (!found.some(({ what }) => what === 'event_lost')) return
    await db.raw(
      `WITH due AS (
         UPDATE webhook_deliveries SET next_at = now() - interval '1 s'
          WHERE id IN (SELECT id FROM webhook_deliveries
                        WHERE state = 'waiting' AND next_at > now() FOR UPDATE SKIP LOCKED)
         RETURNING endpoint_id)
       UPDATE webhook_endpoints SET due_at = now() - interval '1 s'
        WHERE id IN (SELECT endpoint_id FROM due)`,
    )
    await sleep(1_000)
  }
}
