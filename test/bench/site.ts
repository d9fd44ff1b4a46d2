/** A whole site to be measured: the built processes, and people with money and phones. */
import { execFile } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Knex } from 'knex'
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
import { startChild } from '../../services/local/processes.ts'
import { startIdentityProvider } from '../../services/sandbox/identity-provider.ts'
import { freePort } from '../support/ports.ts'
import type { Payer } from './payments.ts'
import { bindPhone } from './phones.ts'
import type { Database } from './server.ts'

/** In cents. */
const FUNDS = 1_000_000_000n

const ISSUER = 'https://bench.example'
const AUDIENCE = 'florin'

export interface SiteOptions {
  /** As the migrations leave it. */
  readonly database: Pick<Database, 'url' | 'urlOf'>
  /** For logs and keys. */
  readonly folder: string
  /** How many. */
  readonly people: number
  readonly hasWorker?: boolean
  /** As it is deployed, which takes its time; else as `npm start` runs it. */
  readonly isBuilt?: boolean
  /** What processes are told otherwise. */
  readonly settings?: Readonly<Record<string, string>>
}

export interface Site {
  readonly port: number
  /** For its metrics, where there is one. */
  readonly workerPort: number | undefined
  readonly people: readonly Payer[]
  /** Where people get their next token. */
  readonly tokenUrl: string
  readonly stop: () => Promise<void>
}

export async function openSite(options: SiteOptions): Promise<Site> {
  const { database, folder, hasWorker = false, isBuilt = false } = options
  if (isBuilt) await build()
  const identity = await startIdentityProvider({
    ...{ port: 0, issuer: ISSUER, audience: AUDIENCE, people: new Map() },
    keyFile: join(folder, 'identity.json'),
  })
  const tokenUrl = `${identity.url}/token`
  const [port, workerPort] = await Promise.all([freePort(), freePort()])
  const shared = { ...inherited(), ...settingsOf(identity.url), ...options.settings }
  const start = (name: 'api' | 'worker', env: Readonly<Record<string, string>>) =>
    startChild({
      ...{ name, script: programOf(name, isBuilt) },
      ...{ env: { ...shared, ...env }, logFile: join(folder, `${name}.log`), restartsMax: 0 },
      onRestart: () => {},
      // Whoever asks loses its connections then, and the run fails by that.
      onGiveUp: (reason) => void process.stderr.write(`${reason}\n`),
    })
  const urlOf = (role: string) => ({ DATABASE_URL: database.urlOf(role) })
  const api = await start('api', { PORT: `${port}`, ...urlOf('florin_api') })
  const worker = hasWorker
    ? await start('worker', { WORKER_PORT: `${workerPort}`, ...urlOf('florin_worker') })
    : undefined
  const stop = async () => {
    await Promise.all([api.stop(), worker?.stop()])
    await identity.stop()
  }
  try {
    const greeted = await meetPeople(port, tokenUrl, options.people)
    const people = await equipEverybody(database.url, greeted)
    return { port, workerPort: worker && workerPort, people, tokenUrl, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** What is deployed has no compiler in its memory. */
const programOf = (name: string, isBuilt: boolean) =>
  new URL(`../../${isBuilt ? `dist/services/${name}.js` : `services/${name}.ts`}`, import.meta.url)

const build = () => promisify(execFile)('npm', ['run', '--silent', 'build'], { cwd: ROOT })
const ROOT = new URL('../../', import.meta.url)

function settingsOf(identityUrl: string): Readonly<Record<string, string>> {
  const secret = Buffer.alloc(32, 1).toString('base64')
  const { privateKey } = generateKeyPairSync('ed25519')
  // No payment of ours goes to a bank, so nobody listens there.
  const bank = { name: 'north', protocol: 'sandbox', url: 'http://127.0.0.1:9' }
  return {
    ...{ NODE_ENV: 'development', LOG_LEVEL: 'warn', REDIS_URL: '', PIN_PEPPER: secret },
    TOKEN_ISSUERS: JSON.stringify([
      { issuer: ISSUER, audience: AUDIENCE, jwks_url: `${identityUrl}/.well-known/jwks.json` },
    ]),
    BLIND_INDEX_KEY: secret,
    DATA_KEYS: JSON.stringify([{ kid: 'bench', key: secret }]),
    SEAL_KEY: JSON.stringify(privateKey.export({ format: 'jwk' })),
    // Few people pay very often here: each is counted, and none is refused.
    ...{ RATE_MONEY_PER_MINUTE: '1000000', RATE_MONEY_PER_DAY: '1000000' },
    BANKS: JSON.stringify([{ ...bank, secret: `whsec_${secret}`, currencies: ['EUR'] }]),
  }
}

type Greeted = Pick<Payer, 'alias' | 'token'>

/** People exist from their first request on. */
async function meetPeople(port: number, tokenUrl: string, count: number): Promise<Greeted[]> {
  return Promise.all(
    Array.from({ length: count }, async (_, index) => {
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

/** Everybody has money and a phone, and limits of every period are in force. */
async function equipEverybody(url: string, greeted: readonly Greeted[]): Promise<Payer[]> {
  const db = connect({ url, connectionsMax: 4, applicationName: 'florin bench' })
  try {
    await fundEverybody(db)
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

async function fundEverybody(db: Knex): Promise<void> {
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
}

/** What a process says of itself, by the name of the metric. */
export async function metricsOf(port: number): Promise<(name: string) => number | undefined> {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
  return (name) => {
    const found = new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'm').exec(text)?.[1]
    return found === undefined ? undefined : Number(found)
  }
}
