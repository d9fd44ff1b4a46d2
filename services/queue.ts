/**
 * The doorbell: wakes a worker for an id, and carries no facts. Only this file knows BullMQ.
 *
 * Losing every job loses nothing. Whoever is woken reads the state in Postgres and does what is
 * next, or nothing; the sweep rings again for whatever has been quiet too long.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import * as bullmq from 'bullmq'
import pg from 'pg'
import { endWhenSilent, KEEP_ALIVE, newId, type Uuid } from '../ledger/index.ts'

/** What there may be to do about an id. */
export type Bell = 'instruction' | 'callback' | 'recall' | 'reconciliation'

export type Handlers = Readonly<Record<Bell, (id: Uuid) => Promise<void>>>

export interface Queue {
  /** Never fails: what is not rung now, the sweep rings later. */
  readonly ring: (bell: Bell, ids: readonly Uuid[]) => Promise<void>
  /**
   * Rings for what should have been rung for before `now`. While an earlier such ring waits to be
   * heard there is no second one: sweeps that rang for all that is due, again and again, would
   * bury a worker that is behind under what it is behind with.
   */
  readonly ringAgain: (bell: Bell, ids: readonly Uuid[], now: Date) => Promise<void>
  /**
   * Handles what is rung until `close`. A handler that throws is not called again for that ring.
   */
  readonly work: (handlers: Handlers, concurrency: number) => void
  /** Waits for the handlers that are running. */
  readonly close: () => Promise<void>
}

export interface QueueOptions {
  readonly databaseUrl: string
  readonly redisUrl?: string | undefined
  readonly onError: (error: Error) => void
}

const NAME = 'doorbell'
const RING_PATIENCE_MS = 500
/** Of rings that are not rung yet: BullMQ keeps them in memory while Redis is not there. */
const WAITING_MAX = 1_000
const CONNECT_MAX_MS = 5_000
/** All that BullMQ asks of Postgres is short. */
const STATEMENT_MAX_MS = 10_000
/** Before whoever was refused may ask again. */
const REFUSED_WAIT_MS = 100
/** After BullMQ could not begin. */
const BEGIN_AGAIN_MS = 500
/** A ring that waited so long may have been lost on its way. */
const RING_LOST_MS = 15_000

/** A finished ring is of no use to anybody. */
const JOB_OPTIONS = { attempts: 1, removeOnComplete: true, removeOnFail: true } as const

/** Connections to Postgres: of those who ring, and of those who hear. */
const [RINGING_MAX, HEARING_MAX] = [2, 4]

export function openQueue(options: QueueOptions): Queue {
  const ringer = openLasting(options, RINGING_MAX, ({ backend, ringing }) => {
    const queue = new backend.Queue(NAME, { connection: ringing, defaultJobOptions: JOB_OPTIONS })
    queue.on('error', options.onError)
    return queue
  })
  const hearers: Lasting<bullmq.Worker>[] = []
  let waiting = 0

  async function add(bell: Bell, ids: readonly Uuid[], jobIdOf: (id: Uuid) => string) {
    const jobs = ids.map((id) => ({ name: bell, data: { id }, opts: { jobId: jobIdOf(id) } }))
    if (jobs.length === 0 || waiting >= WAITING_MAX) return
    waiting += jobs.length
    const rung = ringer
      .current()
      .addBulk(jobs)
      .catch(options.onError)
      .finally(() => (waiting -= jobs.length))
    // Redis may have been away since before we started; nobody waits for that.
    await Promise.race([rung, sleep(RING_PATIENCE_MS, undefined, { ref: false })])
  }

  return {
    // Each ring is a job of its own: one with a known id would be dropped while the first runs.
    ring: (bell, ids) => add(bell, ids, newId),
    ringAgain(bell, ids, now) {
      const turn = Math.floor(now.getTime() / RING_LOST_MS)
      return add(bell, ids, (id) => `${bell}-${id}-${turn}`)
    },
    work(handlers, concurrency) {
      const process = (job: { name: string; data: { id: Uuid } }) =>
        handlers[job.name as Bell](job.data.id)
      const open = ({ backend, connection }: Backend) => {
        const worker = new backend.Worker(NAME, process, {
          ...{ connection, concurrency, autorun: false, runRetryDelay: BEGIN_AGAIN_MS },
        })
        worker.on('error', options.onError)
        worker.on('failed', (_job, error) => options.onError(error))
        return worker
      }
      hearers.push(openLasting(options, HEARING_MAX, open, (worker) => worker.run()))
    },
    async close() {
      await Promise.all(hearers.map((hearer) => hearer.close()))
      await ringer.close()
    },
  }
}

interface Lasting<T> {
  readonly current: () => T
  readonly close: () => Promise<void>
}

/**
 * BullMQ looks at its tables when it begins, once. If the database is away just then, it does
 * nothing any more, whatever comes back: it is made anew until it has begun.
 */
function openLasting<T extends bullmq.Queue | bullmq.Worker>(
  options: QueueOptions,
  connectionsMax: number,
  make: (backend: Backend) => T,
  run: (made: T) => Promise<void> = async () => {},
): Lasting<T> {
  const ending = new AbortController()
  const { signal } = ending
  const open = () => {
    const backend = openBackend(options, connectionsMax)
    return { made: make(backend), closeConnection: backend.closeConnection }
  }
  const close = async ({ made, closeConnection }: ReturnType<typeof open>) => {
    await made.close()
    await closeConnection()
  }
  let now = open()
  const begin = async (): Promise<void> => {
    try {
      await now.made.waitUntilReady()
      return await run(now.made)
    } catch (error) {
      if (signal.aborted) return
      options.onError(error as Error)
    }
    await sleep(BEGIN_AGAIN_MS, undefined, { signal })
    close(now).catch(options.onError)
    now = open()
    return begin()
  }
  begin().catch((error: Error) => signal.aborted || options.onError(error))
  return {
    current: () => now.made,
    async close() {
      ending.abort()
      await close(now)
    },
  }
}

interface Backend {
  readonly backend: Pick<typeof bullmq, 'Queue' | 'Worker'>
  readonly connection: bullmq.ConnectionOptions
  /** For those who ring: fails at once, where `connection` waits until it is back. */
  readonly ringing: bullmq.ConnectionOptions
  readonly closeConnection: () => Promise<void>
}

function openBackend({ databaseUrl, redisUrl, onError }: QueueOptions, max: number): Backend {
  if (redisUrl !== undefined) {
    const connection = { url: redisUrl, maxRetriesPerRequest: null }
    const ringing = { ...connection, enableOfflineQueue: false }
    return { backend: bullmq, connection, ringing, closeConnection: async () => {} }
  }
  const pool = new pg.Pool({
    connectionString: databaseUrl,
    max,
    ...KEEP_ALIVE,
    connectionTimeoutMillis: CONNECT_MAX_MS,
    application_name: 'florin doorbell',
    options: `-c search_path=bullmq -c role=${ROLE}`,
  })
  pool.on('error', onError)
  // Whoever waits for rings on a connection that is dead would never hear another one.
  pool.on('connect', (client) => endWhenSilent(client, STATEMENT_MAX_MS))
  const { query } = pool as { query: (...given: unknown[]) => Promise<unknown> }
  // BullMQ asks again at once, as fast as it is refused.
  const patient = (...given: unknown[]) =>
    query.apply(pool, given).catch(async (error: unknown) => {
      await sleep(REFUSED_WAIT_MS)
      throw error
    })
  Object.assign(pool, { query: patient })
  // BullMQ accepts any pool; its types only know the ones it makes itself.
  const connection = pool as unknown as bullmq.ConnectionOptions
  const backend = bullmq.withBackend(bullmq.createPostgresBackend) as unknown as Backend['backend']
  return { backend, connection, ringing: connection, closeConnection: () => pool.end() }
}

/** Both processes act as this role on the doorbell's tables, which it may extend; nowhere else. */
const ROLE = 'florin_doorbell'

/**
 * Creates or updates the tables of the Postgres backend, as their owner, and lets `members` use
 * them.
 */
export async function migrateQueue(databaseUrl: string, members: readonly string[]): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl })
  // Whoever asks is told of it, and an event that nobody listens for would end the process.
  client.on('error', () => {})
  await client.connect()
  try {
    await bullmq.runMigrations(client)
    const { rows } = await client.query('SELECT 1 FROM pg_roles WHERE rolname = $1', [ROLE])
    if (rows.length === 0) await client.query(`CREATE ROLE ${ROLE} NOLOGIN`)
    await client.query(`
      GRANT ${ROLE} TO CURRENT_USER, ${members.join(', ')};
      GRANT USAGE, CREATE ON SCHEMA bullmq TO ${ROLE};
      GRANT ALL ON ALL TABLES IN SCHEMA bullmq TO ${ROLE};
      GRANT ALL ON ALL SEQUENCES IN SCHEMA bullmq TO ${ROLE};
      GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA bullmq TO ${ROLE}`)
  } finally {
    await client.end()
  }
}
