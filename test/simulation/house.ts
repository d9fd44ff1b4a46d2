/**
 * Where simulations live: a Postgres of their own, and contexts whose time, banks, breakers and
 * doorbell are the simulation's. Everything else is the product's.
 */
import { pino } from 'pino'
import type { BankAdapter } from '../../adapters/adapter.ts'
import { sandboxAdapter } from '../../adapters/sandbox/adapter.ts'
import { connect } from '../../ledger/index.ts'
import { readConfig } from '../../services/config.ts'
import { closeContext, type Context, openContext } from '../../services/context.ts'
import { openMetrics } from '../../services/metrics.ts'
import { migrateAll } from '../../services/migrations.ts'
import { stepThrough } from '../support/dying.ts'
import { createDatabase, EMPTY, startEmbedded } from '../support/postgres.ts'
import { BANK_SECRET, KEYS } from '../support/world.ts'
import type { SimulatedBank } from './bank.ts'
import type { Schedule } from './schedule.ts'

export const BANK = 'north'
export const CURRENCY = 'EUR'
const DAY_MS = 86_400_000
/** Each simulation takes four, and none may come to a day that Postgres has not seen yet. */
const PAST_DAYS = 10_000

export interface House {
  readonly api: Context
  readonly worker: Context
  /** Who uses the worker's database. */
  schedule: Schedule | undefined
  /** When the next simulation begins: later than all that was written by earlier ones. */
  begins: Date
  readonly close: () => Promise<void>
}

const ENVIRONMENT = {
  ...{ NODE_ENV: 'test', LOG_LEVEL: 'silent', DATABASE_DURABILITY: 'any', ...KEYS },
  ...{ PIN_PEPPER: Buffer.alloc(32, 1).toString('base64'), NO_PIN_LIMIT: '1000000' },
  ...{ NO_PIN_DAY_LIMIT: '1000000', DATABASE_CONNECTIONS_MAX: '4' },
  TOKEN_ISSUERS: JSON.stringify([
    { issuer: 'https://id.example', audience: 'florin', jwks_url: 'http://127.0.0.1:1/jwks' },
  ]),
  ...{ ENQUIRY_FIRST_S: '90', ENQUIRY_SPACING_S: '1800', ENQUIRIES_MAX: '3' },
  ...{ BANK_CUT_OFF_S: '14400', MANUAL_AFTER_S: '86400' },
  BANKS: JSON.stringify([
    {
      ...{ name: BANK, protocol: 'sandbox', url: 'http://bank.invalid', secret: BANK_SECRET },
      currencies: [CURRENCY],
    },
  ]),
}

/** Each simulation begins at the same time of its day. */
export const midnightAfter = (moment: Date) =>
  new Date((Math.floor(moment.getTime() / DAY_MS) + 1) * DAY_MS)

export async function openHouse(): Promise<House> {
  // What has happened is told once all transactions have ended that began before: in a server that
  // others use as well theirs too, and it would be another story each time.
  const server = await startEmbedded({ autovacuum: 'off' })
  const url = await createDatabase(server, 'florin_simulation', EMPTY)
  await migrateAll(url)
  const config = readConfig({ ...ENVIRONMENT, DATABASE_URL: url })
  const log = pino({ level: config.LOG_LEVEL })
  const begins = midnightAfter(new Date(Date.now() - PAST_DAYS * DAY_MS))
  const now = () => begins
  const api = openContext({ config, role: 'florin_api', log, metrics: openMetrics('api'), now })
  const metrics = openMetrics('worker')
  const opened = openContext({ config, role: 'florin_worker', log, metrics, now })
  // One connection: of two statements that are asked at once, the same one always comes first.
  const asked = { url, role: 'florin_worker', connectionsMax: 1, applicationName: 'simulation' }
  const worker = { ...opened, db: connect(asked) }
  const house: House = {
    ...{ api, worker, schedule: undefined, begins },
    async close() {
      await worker.db.destroy()
      await closeContext(opened)
      await closeContext(api)
      await server.stop()
    },
  }
  // Whoever connects first would draw lots that a second simulation does not.
  for (const { db } of [api, opened, worker]) await db.raw('SELECT 1')
  drive(house)
  // What the worker keeps in memory it reads by connections of its own.
  for (const { db } of [api, opened]) holdTime(house, db)
  return house
}

/** Before the database works, and after a commit, time may pass. */
function drive(house: House): void {
  const { db } = house.worker
  stepThrough(house.worker, {
    // Who has begun a transaction has done nothing yet.
    spared: /^begin/i,
    isDead: () => house.schedule?.isDead() ?? false,
    step: () => house.schedule?.step(),
  })
  holdTime(house, db, async () => house.schedule?.mayStop())
  const transaction = db.transaction.bind(db) as (...asked: unknown[]) => Promise<unknown>
  Object.defineProperty(db, 'transaction', {
    async value(...asked: unknown[]) {
      const done = await transaction(...asked)
      await house.schedule?.mayStop()
      return done
    },
  })
}

/** Time stands still while the database works. */
function holdTime(house: House, db: Context['db'], before = async () => {}): void {
  const { client } = db as unknown as { client: Pool }
  const [acquire, release] = [client.acquireConnection, client.releaseConnection]
  const held = new WeakMap<object, Schedule>()
  client.acquireConnection = async function acquireConnection() {
    await before()
    const { schedule } = house
    schedule?.hold()
    try {
      const connection = await acquire.call(client)
      if (schedule !== undefined) held.set(connection, schedule)
      return connection
    } catch (error) {
      schedule?.release()
      throw error
    }
  }
  client.releaseConnection = (connection) => {
    // Of the days in which it was taken: they may be over.
    held.get(connection)?.release()
    held.delete(connection)
    return release.call(client, connection)
  }
}

interface Pool {
  acquireConnection: () => Promise<object>
  releaseConnection: (connection: object) => Promise<void>
}

/** Whoever waits in vain is told so by the simulated bank: our clock knows no virtual time. */
const NEVER_MS = 2 ** 31 - 1

/** The adapter that is shipped, over a wire that is simulated. */
export const adapterTo = (bank: SimulatedBank, { now }: Schedule): BankAdapter =>
  sandboxAdapter(
    { name: BANK, url: 'http://bank.invalid', secret: BANK_SECRET },
    { timeout_ms: NEVER_MS, enquiryTimeout_ms: NEVER_MS, fetch: bank.fetch, clock: now },
  )
