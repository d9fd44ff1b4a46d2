/** The whole path: payments over HTTP, answered by a real API process, asked for by another. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import {
  connect,
  createTransfers,
  newId,
  newUnitId,
  openAccount,
  type NewTransfer,
} from '../../ledger/index.ts'
import { bankOwner, personOwner } from '../../services/books/chart.ts'
import { inherited } from '../../services/config.ts'
import { publicId } from '../../services/ids.ts'
import { type Child, startChild } from '../../services/local/processes.ts'
import { startIdentityProvider } from '../../services/sandbox/identity-provider.ts'
import { examine, type Measured } from './books.ts'
import type { LoadPlan, LoadReport, Payer } from './generator.ts'
import { startHelper } from './helper.ts'
import type { Latency, Round } from './load.ts'
import { bindPhone } from './phones.ts'
import type { Bench } from './plan.ts'
import type { Say } from './rounds.ts'
import type { Database } from './server.ts'
import { freePort } from '../support/ports.ts'

interface Costs {
  readonly rss_mb: number
  /** Of the API's processor time, for each payment. */
  readonly cpu_us: number
}

export interface HttpFigures {
  readonly http: Round & Costs & { readonly errors: number }
  /** Whole payments over one connection, each after the one before it. */
  readonly single: Latency
}

const PEOPLE = 200
const CONNECTIONS = 64
const SINGLES = 300
/** In cents. */
const FUNDS = 1_000_000_000n

const ISSUER = 'https://bench.example'
const AUDIENCE = 'florin'

export async function measureHttp({ server, plan, say }: Bench): Promise<Measured<HttpFigures>> {
  await build()
  say(`http: the API, ${PEOPLE} people with money`)
  const database = await server.databaseOf('florin_bench_http')
  const identity = await startIdentityProvider({
    ...{ port: 0, issuer: ISSUER, audience: AUDIENCE, people: new Map() },
    keyFile: join(server.folder, 'identity.json'),
  })
  const port = await freePort()
  const api = await startApi(server.folder, database, port, identity.url)
  try {
    const greeted = await meetPeople(port, `${identity.url}/token`)
    await fundEverybody(database.url)
    const people = await equipEverybody(database.url, greeted)
    say(`http: ${CONNECTIONS} connections for ${plan.http.seconds} s, then ${SINGLES} one by one`)
    const load = { ...plan.http, port, people, connections: CONNECTIONS, singles: SINGLES }
    const [report, costs] = await withCosts(port, () => generate(load))
    await api.stop()
    return await concluded(database, report, costs, say)
  } finally {
    await api.stop()
    await identity.stop()
  }
}

async function concluded(
  database: Database,
  { load, single, paid, errors, firstError }: LoadReport,
  { rss_mb, cpu_s }: { readonly rss_mb: number; readonly cpu_s: number },
  say: Say,
): Promise<Measured<HttpFigures>> {
  const { faults: found, deadlocks } = await examine(database, PEOPLE + paid, say)
  const faults = firstError === undefined ? found : [...found, `not a 201: ${firstError}`]
  const { per_s: _, ...alone } = single
  const costs = { rss_mb, cpu_us: (cpu_s / paid) * 1_000_000 }
  return { figures: { http: { ...load, ...costs, errors }, single: alone }, faults, deadlocks }
}

/** What is measured is what is deployed: the built API, without a compiler in its memory. */
const build = () => promisify(execFile)('npm', ['run', '--silent', 'build'], { cwd: ROOT })
const ROOT = new URL('../../', import.meta.url)

function startApi(
  folder: string,
  database: Database,
  port: number,
  identityUrl: string,
): Promise<Child> {
  const secret = Buffer.alloc(32, 1).toString('base64')
  // No payment of ours goes to a bank, so nobody listens there.
  const bank = { name: 'north', protocol: 'sandbox', url: 'http://127.0.0.1:9' }
  const env = {
    ...{ NODE_ENV: 'development', LOG_LEVEL: 'warn', PORT: `${port}`, REDIS_URL: '' },
    ...{ DATABASE_URL: database.urlOf('florin_api'), PIN_PEPPER: secret },
    TOKEN_ISSUERS: JSON.stringify([
      { issuer: ISSUER, audience: AUDIENCE, jwks_url: `${identityUrl}/.well-known/jwks.json` },
    ]),
    BLIND_INDEX_KEY: secret,
    DATA_KEYS: JSON.stringify([{ kid: 'bench', key: secret }]),
    // Few people pay very often here: each is counted, and none is refused.
    ...{ RATE_MONEY_PER_MINUTE: '1000000', RATE_MONEY_PER_DAY: '1000000' },
    BANKS: JSON.stringify([{ ...bank, secret: `whsec_${secret}`, currencies: ['EUR'] }]),
  }
  return startChild({
    ...{ name: 'api', script: new URL('../../dist/services/api.js', import.meta.url) },
    ...{ env: { ...inherited(), ...env }, logFile: join(folder, 'api.log'), restartsMax: 0 },
    onRestart: () => {},
    // The generator loses its connections then, and the run fails by that.
    onGiveUp: (reason) => void process.stderr.write(`${reason}\n`),
  })
}

type Greeted = Pick<Payer, 'alias' | 'token'>

/** People exist from their first request on. */
async function meetPeople(port: number, tokenUrl: string): Promise<Greeted[]> {
  return Promise.all(
    Array.from({ length: PEOPLE }, async (_, index) => {
      const alias = `person${index + 1}`
      const asked = { sub: alias, scope: 'person' }
      const answer = await fetch(tokenUrl, { method: 'POST', body: JSON.stringify(asked) })
      const { access_token: token } = (await answer.json()) as { access_token: string }
      const headers = { authorization: `Bearer ${token}` }
      const greeting = await fetch(`http://127.0.0.1:${port}/v1/accounts`, { headers })
      if (greeting.status !== 200) throw new Error(`a first GET was answered ${greeting.status}`)
      await greeting.body?.cancel()
      return { alias, token }
    }),
  )
}

/** Everybody's phone is bound, and limits of every period are in force, by amount and by count. */
async function equipEverybody(url: string, greeted: readonly Greeted[]): Promise<Payer[]> {
  const db = connect({ url, connectionsMax: 4, applicationName: 'florin bench' })
  try {
    await db('limit_rules').insert(LIMITS.map((rule) => ({ id: newId(), ...rule })))
    const people: { id: string; subject: string }[] = await db('people').select('id', 'subject')
    const ids = new Map(people.map(({ id, subject }) => [subject, id]))
    return await Promise.all(
      greeted.map(async (one) => {
        const id = ids.get(one.alias) ?? ''
        return { ...one, id: publicId('per', id), phone: await bindPhone(db, id) }
      }),
    )
  } finally {
    await db.destroy()
  }
}

const LIMITS = (['payment', 'day', 'week', 'month'] as const).flatMap((period) =>
  (['payer', 'payee'] as const).map((scope) => ({
    ...{ scope, period, currency: 'EUR', amount_max: '1000000000', count_max: '1000000000' },
    ...{ after_change: false, valid_from: new Date(0), created_by: 'bench' },
    created_at: new Date(0),
  })),
)

async function fundEverybody(url: string): Promise<void> {
  const db = connect({ url, connectionsMax: 4, applicationName: 'florin bench' })
  try {
    const people: { id: string }[] = await db('people').select('id')
    const currency = 'EUR'
    const debit = await openAccount(db, { owner: bankOwner('north'), type: 'bank', currency })
    const money = { amount: FUNDS, currency }
    const why = { kind: 'single', code: 'test' } as const
    const transfers: NewTransfer[] = []
    for (const { id } of people) {
      const credit = await openAccount(db, { owner: personOwner(id), type: 'wallet', currency })
      transfers.push({ ...why, debit, credit, money, reference: newId() })
    }
    await db.transaction((trx) =>
      createTransfers(trx, { id: newUnitId(), at: new Date(), transfers }),
    )
  } finally {
    await db.destroy()
  }
}

/** Runs the load in a process of its own, which ends when it has reported. */
async function generate(load: LoadPlan): Promise<LoadReport> {
  const generator = startHelper(new URL('./generator.ts', import.meta.url))
  try {
    return await generator.ask<LoadReport>(load)
  } finally {
    await generator.dismiss()
  }
}

const MEMORY_EVERY_MS = 1000

/** What `work` gives, the most memory that the API had meanwhile, and the time of its threads. */
async function withCosts<T>(port: number, work: () => Promise<T>) {
  const before = await usageOf(port)
  const samples = [usageOf(port)]
  const timer = setInterval(() => samples.push(usageOf(port)), MEMORY_EVERY_MS)
  try {
    const result = await work()
    const cpu_s = (await usageOf(port)).cpu_s - before.cpu_s
    const bytes = (await Promise.all(samples)).map(({ residentBytes }) => residentBytes)
    return [result, { rss_mb: Math.max(...bytes) / 1_000_000, cpu_s }] as const
  } finally {
    clearInterval(timer)
  }
}

async function usageOf(port: number) {
  const answer = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
  const metric = (name: string) => {
    const found = new RegExp(`^florin_process_${name}\\S* (\\S+)$`, 'm').exec(answer)?.[1]
    if (found === undefined) throw new Error(`the API does not say its ${name}`)
    return Number(found)
  }
  return { residentBytes: metric('resident_memory_bytes'), cpu_s: metric('cpu_seconds_total') }
}
