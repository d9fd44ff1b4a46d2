/**
 * Hands endpoints to sessions. Postgres is the queue: what is due is found there, whoever has made
 * it due, and a worker that dies loses nothing but the time until its leases end.
 *
 * Receivers that answer quickly share the slots, one each until they have answered; those that are
 * slow, failing or new have a few of their own. One that was quick and hangs is not counted after
 * half a second. So who hangs is in nobody’s way but that of others who do.
 */
import type { Knex } from 'knex'
import { newId, type Uuid } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { firstIdAt } from '../events/identity.ts'
import { openRecorder } from './deliveries.ts'
import { disableEndpoint } from './endpoints.ts'
import { fanOut, replayStep } from './fan_out.ts'
import { openPoster, type Poster } from './post.ts'
import {
  isStuck,
  type Leased,
  leaseOf_ms,
  newSession,
  serve,
  type Session,
  type Tools,
} from './session.ts'

/** An endpoint of which nothing was accepted is left alone so long. */
const REST_MS = 15_000
const DAY_MS = 86_400_000
/** Batches of events that become deliveries in one turn. */
const BATCHES_MAX = 20
/** Slots in all, those of receivers that hang included, as a multiple of those that share. */
const STUCK_FACTOR = 4

export interface Dispatcher {
  /** One turn: new events become deliveries, and what is due is begun. */
  readonly run: () => Promise<void>
  /** Ends; what is under way has so long to end by itself. */
  readonly close: (patience_ms: number) => Promise<void>
  readonly stats: () => { readonly running: number; readonly arrived: number; failed: number }
}

interface Desk {
  readonly context: Context
  readonly tools: Tools
  readonly sessions: Map<Session, Promise<void>>
  readonly ended: { arrived: number; failed: number }
  taking?: Promise<void> | undefined
}

export function openDispatcher(
  context: Context,
  poster: Poster = openPoster(context.config),
): Dispatcher {
  let closing = false
  const isClosing = () => closing
  const sessions: Desk['sessions'] = new Map()
  const room = () => roomBeside([...sessions.keys()], context.config).quick
  const tools = { poster, record: openRecorder(context.db), isClosing, room }
  const desk: Desk = { context, tools, sessions, ended: { arrived: 0, failed: 0 } }
  return {
    async run() {
      try {
        for (let batch = 0; batch < BATCHES_MAX && !isClosing(); batch += 1) {
          if ((await fanOut(context)).isAll) break
        }
        await replayStep(context)
      } finally {
        // What is due already waits for nobody.
        await take(desk)
      }
    },
    async close(patience_ms) {
      closing = true
      const impatient = setTimeout(() => poster.close(), patience_ms)
      await desk.taking?.catch(() => {})
      await Promise.all(desk.sessions.values())
      clearTimeout(impatient)
      poster.close()
    },
    stats: () => ({ ...desk.ended, running: desk.sessions.size }),
  }
}

async function take(desk: Desk): Promise<void> {
  if (desk.tools.isClosing()) return
  await (desk.taking ??= takeAll(desk).finally(() => (desk.taking = undefined)))
}

async function takeAll(desk: Desk): Promise<void> {
  const { context, sessions } = desk
  const room = roomBeside([...sessions.keys()], context.config)
  for (const endpoint of await lease(context, true, room.quick)) begin(desk, endpoint)
  for (const endpoint of await lease(context, false, room.slow)) begin(desk, endpoint)
}

function begin(desk: Desk, endpoint: Leased): void {
  const { context, tools, sessions, ended } = desk
  const session = newSession(endpoint)
  const onError = (error: unknown) => context.log.warn({ err: error }, 'webhooks')
  const work = serve(context, tools, session)
    .catch(onError)
    .then(() => release(context, session))
    .catch(onError)
    .finally(() => {
      sessions.delete(session)
      ended.arrived += session.arrived
      ended.failed += session.failed
      // There may be more for it, or for those that found no room.
      take(desk).catch(onError)
    })
  sessions.set(session, work)
}

interface Slots {
  readonly WEBHOOK_SLOTS: number
  readonly WEBHOOK_SLOW_SLOTS: number
}

/** How many more slots of each kind there are. */
function roomBeside(sessions: readonly Session[], config: Slots) {
  const quick = sessions.filter(({ endpoint }) => endpoint.is_quick)
  const slotsOf = (some: readonly Session[]) => some.reduce((sum, { slots }) => sum + slots, 0)
  const left = config.WEBHOOK_SLOTS - slotsOf(quick.filter((one) => !isStuck(one)))
  const leftInAll = STUCK_FACTOR * config.WEBHOOK_SLOTS - slotsOf(quick)
  return {
    quick: Math.max(0, Math.min(left, leftInAll)),
    slow: Math.max(0, config.WEBHOOK_SLOW_SLOTS - (sessions.length - quick.length)),
  }
}

/** Makes endpoints with something due this worker's, those first that have waited longest. */
async function lease(context: Context, isQuick: boolean, limit: number): Promise<Leased[]> {
  if (limit === 0) return []
  const lease_ms = leaseOf_ms(context.config)
  const [now, until_ms, id] = [context.now(), performance.now() + lease_ms, newId()]
  const due = (db: Knex | Knex.QueryBuilder) =>
    (db as Knex)('webhook_endpoints')
      .where({ state: 'enabled', deleted_at: null, is_quick: isQuick })
      .where('due_at', '<=', now)
      .where((free) => void free.whereNull('leased_until').orWhere('leased_until', '<', now))
      .orderBy('due_at')
      .limit(limit)
  const { db } = context
  if ((await due(db).first('id')) === undefined) return []
  const rows: Omit<Leased, 'until_ms'>[] = await db('webhook_endpoints')
    .whereIn('id', due(db).select('id').forUpdate().skipLocked())
    .update({ lease: id, leased_until: new Date(now.getTime() + lease_ms) })
    .returning([
      ...['id', 'merchant_id', 'url', 'is_quick', 'failing_since', 'lease'],
      ...['secret_sealed', 'previous_sealed', 'previous_until'],
    ])
  return rows.map((row) => ({ ...row, until_ms }))
}

/** Gives the endpoint back, unless it is somebody else's by now, and notes how it fares. */
async function release(context: Context, session: Session): Promise<void> {
  const { endpoint, arrived, failed, isQuick, failingSince, isGone } = session
  const now = context.now()
  const { id, lease: own } = endpoint
  await context.db.transaction(async (trx) => {
    const mine = trx('webhook_endpoints').where({ id, lease: own })
    // Locked first: what became due before that is seen by the next statement.
    if ((await mine.clone().forUpdate().first('id')) === undefined) return
    const rest = arrived === 0 && failed > 0 ? new Date(now.getTime() + REST_MS) : now
    await mine.update({
      ...{ is_quick: isQuick, failing_since: failingSince, lease: null, leased_until: null },
      due_at: trx.raw(
        `(SELECT CASE WHEN min(next_at) IS NOT NULL THEN greatest(min(next_at), ?::timestamptz) END
            FROM webhook_deliveries
           WHERE endpoint_id = webhook_endpoints.id AND state = 'waiting')`,
        [rest],
      ),
    })
    const failing_ms = failingSince === null ? 0 : now.getTime() - failingSince.getTime()
    const isFailing = failing_ms >= context.config.WEBHOOK_FAILING_DAYS * DAY_MS
    if (isGone) await disableEndpoint(trx, id, 'gone', now)
    else if (isFailing && failed > 0) await disableEndpoint(trx, id, 'failing', now)
  })
}

/** Rows of one turn. */
const PURGED_MAX = 5_000

/** Forgets deliveries that ended long ago, or will never be made, with their attempts. */
export async function purgeDeliveries({ db, config, now }: Context): Promise<void> {
  const before: Uuid = firstIdAt(new Date(now().getTime() - config.WEBHOOK_LOG_DAYS * DAY_MS))
  const unheard = db('webhook_endpoints')
    .whereNot({ state: 'enabled' })
    .orWhereNotNull('deleted_at')
  const old = db('webhook_deliveries')
    .where('id', '<', before)
    .where((over) => {
      void over.whereNot({ state: 'waiting' }).orWhereIn('endpoint_id', unheard.select('id'))
    })
  // What is being sent again is in somebody's hands, and waits by the time they are done.
  const ended = old.orderBy('id').limit(PURGED_MAX).select('id').forUpdate().skipLocked()
  await db('webhook_deliveries').whereIn('id', ended).del()
}
