/**
 * The doorbell: wakes a worker for an id, and carries no facts. Only this file knows BullMQ.
 *
 * Losing every job loses nothing. Whoever is woken reads the state in Postgres and does what is
 * next, or nothing; the sweep rings again for whatever has been quiet too long.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import * as bullmq from 'bullmq'
import pg from 'pg'
import { endWhenSilent, newId, type Uuid } from '../ledger/index.ts'

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
/** All that BullMQ asks of Postgres is short. */
const STATEMENT_MAX_MS = 10_000
/** A ring that waited so long may have been lost on its way. */
const RING_LOST_MS = 15_000

/** A finished ring is of no use to anybody. */
const JOB_OPTIONS = { attempts: 1, removeOnComplete: true, removeOnFail: true } as const

export function openQueue(options: QueueOptions): Queue {
  const { backend, connection, ringing, closeConnection } = openBackend(options)
  const queue = new backend.Queue(NAME, { connection: ringing, defaultJobOptions: JOB_OPTIONS })
  queue.on('error', options.onError)
  const workers: bullmq.Worker[] = []

  async function add(bell: Bell, ids: readonly Uuid[], jobIdOf: (id: Uuid) => string) {
    const jobs = ids.map((id) => ({ name: bell, data: { id }, opts: { jobId: jobIdOf(id) } }))
    if (jobs.length === 0) return
    const rung = queue.addBulk(jobs).catch(options.onError)
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
      const worker = new backend.Worker(NAME, process, { connection, concurrency })
      worker.on('error', options.onError)
      worker.on('failed', (_job, error) => options.onError(error))
      workers.push(worker)
    },
    async close() {
      await Promise.all(workers.map((worker) => worker.close()))
      await queue.close()
      await closeConnection()
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

function openBackend({ databaseUrl, redisUrl, onError }: QueueOptions): Backend {
  if (redisUrl !== undefined) {
    const connection = { url: redisUrl, maxRetriesPerRequest: null }
    const ringing = { ...connection, enableOfflineQueue: false }
    return { backend: bullmq, connection, ringing, closeConnection: async () => {} }
  }
  const pool = new pg.Pool({
    connectionString: databaseUrl,
    max: 6,
    keepAlive: true,
    application_name: 'florin doorbell',
    options: `-c search_path=bullmq -c role=${ROLE}`,
  })
  pool.on('error', onError)
  // Whoever waits for rings on a connection that is dead would never hear another one.
  pool.on('connect', (client) => endWhenSilent(client, STATEMENT_MAX_MS))
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
