/**
 * A world for each file of tests: a database, the API, a worker, some banks, an identity provider,
 * each talking real HTTP to the others. Tests never clean up: each brings people and accounts of
 * its own.
 */
import { generateKeyPairSync, randomInt } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { startSandboxBank } from '../../adapters/sandbox/server.ts'
import { connect } from '../../ledger/index.ts'
import { sweep } from '../../services/banking/sweep.ts'
import { readConfig } from '../../services/config.ts'
import { closeContext, openContext } from '../../services/context.ts'
import { openHandlers } from '../../services/handlers.ts'
import { openServer } from '../../services/http/server.ts'
import { openMetrics } from '../../services/metrics.ts'
import { openApi } from '../../services/routes.ts'
import { startIdentityProvider } from '../../services/sandbox/identity-provider.ts'
import { createDatabase, dropDatabase, MIGRATED, testServer } from './postgres.ts'
import { freePort } from './ports.ts'

const ISSUER = 'https://id.example'
const AUDIENCE = 'florin'
export const BANK_SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`

/** What `east` reports is made up by tests, so its statement need not agree with the books. */
const BANKS = ['north', 'south', 'east'] as const

/**
 * Banks of net settlement, in a currency of their own: what they pay each other is in no statement
 * of the others, and what other tests do is in no window of theirs.
 */
export const NETTED = { banks: ['alder', 'birch', 'cedar'], currency: 'SEK' } as const
/** Each pays the others over one that no customer's money takes: their own bank comes first. */
const NETTED_RAILS = [
  { rail: 'internal', directions: ['debit', 'credit'] },
  { rail: 'clearing', directions: ['credit'], banks: NETTED.banks, priority: 200 },
]
const ownNumber = (bank: string) => `OWN-${bank.toUpperCase()}`
export const OWN_ACCOUNTS = NETTED.banks.map((bank) => ({
  ...{ bank, number: ownNumber(bank), holder: 'Florin' },
}))
const NETTED_CUSTOMERS = [
  ...Array.from({ length: 99 }, (_, index) => ({
    number: `S-${String(index + 1).padStart(4, '0')}`,
    holder: `Customer ${index + 1}`,
  })),
  ...OWN_ACCOUNTS,
].map(({ number, holder }) => ({
  ...{ number, holder, currency: NETTED.currency, balance: 100_000_000n },
}))

/** Customers every test may link: `T-0001` ... `T-0999`, held by whoever claims to. */
const CUSTOMERS = Array.from({ length: 999 }, (_, index) => ({
  number: `T-${String(index + 1).padStart(4, '0')}`,
  holder: `Customer ${index + 1}`,
  currency: 'EUR',
  balance: 100_000_000n,
}))

/** One more, whose number and name are nowhere else by chance. */
export const CANARY_CUSTOMER = {
  number: `CANARY-${randomInt(1e12, 1e13)}`,
  holder: `Canary ${randomInt(1e12, 1e13)}`,
  currency: 'EUR',
  balance: 0n,
}

export type World = Awaited<ReturnType<typeof openWorld>>

async function openWorld() {
  const postgres = testServer()
  const folder = await mkdtemp(join(tmpdir(), 'florin-world-'))
  const { newDatabase, drop } = databasesOf(postgres)
  const { url } = await newDatabase()
  const owner = connect({ url, connectionsMax: 4, applicationName: 'test' })
  const identity = await startIdentityProvider({
    ...{ port: 0, issuer: ISSUER, audience: AUDIENCE, keyFile: join(folder, 'identity.json') },
    people: new Map(),
  })

  // The banks must know where to call back, and the API where the banks are: the port comes first.
  const port = await freePort()
  const apiUrl = `http://127.0.0.1:${port}`
  const banks = await startBanks(folder, apiUrl)
  const jwksUrl = `${identity.url}/.well-known/jwks.json`
  const environment = environmentOf({ port, url, jwksUrl, banks })
  const config = { ...readConfig(environment), PIN_ARGON2: QUICK_HASHES }
  const log = pino({ level: config.LOG_LEVEL })
  const api = openContext({ config, role: 'florin_api', log, metrics: openMetrics('api') })
  const worker = openContext({ config, role: 'florin_worker', log, metrics: openMetrics('worker') })
  worker.queue.work(openHandlers(worker), 8)
  const sweeper = setInterval(() => void sweep(worker).catch(() => {}), 300)
  const routes = openApi({ sandbox: true })
  const server = openServer(api, routes)
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')

  return {
    ...{ environment, postgresLog: postgres.logFile },
    ...{ kind: postgres.kind, url, owner, config, apiUrl, tokenUrl: `${identity.url}/token` },
    ...{ api, worker, routes, banks, newDatabase },
    async close() {
      clearInterval(sweeper)
      server.close()
      server.closeAllConnections()
      await closeContext(worker)
      await closeContext(api)
      await Promise.all([...banks, identity].map((one) => one.stop()))
      await owner.destroy()
      await drop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function databasesOf(postgres: ReturnType<typeof testServer>) {
  const made: string[] = []
  return {
    /** A database of a test's own, a copy of one to which nobody is connected. */
    newDatabase: async (template = MIGRATED) => {
      const name = `florin_test_${randomInt(1e12)}`
      made.push(name)
      return { name, url: await createDatabase(postgres, name, template) }
    },
    drop: () => Promise.all(made.map((name) => dropDatabase(postgres, name))),
  }
}

const NEW_BANKS = [
  ...BANKS.map((name) => ({ name, currency: 'EUR', customers: [...CUSTOMERS, CANARY_CUSTOMER] })),
  ...NETTED.banks.map((name) => ({
    ...{ name, currency: NETTED.currency, customers: NETTED_CUSTOMERS },
  })),
]

const startBanks = (folder: string, apiUrl: string) =>
  Promise.all(
    NEW_BANKS.map(async ({ name, currency, customers }) => {
      const server = await startSandboxBank({
        ...{
          name,
          port: 0,
          secret: BANK_SECRET,
          customers,
          callbackDelay_ms: 20,
        },
        journalFile: join(folder, `${name}.jsonl`),
        callbackUrl: `${apiUrl}/v1/banks/${name}/callbacks`,
      })
      return { name, currency, ...server }
    }),
  )

/** Everything is quick, so that a test can wait for it. */
function environmentOf(told: {
  readonly port: number
  readonly url: string
  readonly jwksUrl: string
  readonly banks: readonly { name: string; url: string; currency: string }[]
}) {
  const banks = told.banks.map(({ name, url, currency }) => ({
    ...{ name, protocol: 'sandbox', url, secret: BANK_SECRET, currencies: [currency] },
    ...(currency === NETTED.currency && { rails: NETTED_RAILS }),
  }))
  return {
    ...{ NODE_ENV: 'test', LOG_LEVEL: process.env['LOG_LEVEL'] ?? 'silent', PORT: `${told.port}` },
    ...{ DATABASE_URL: told.url, REDIS_URL: process.env['REDIS_URL'] },
    // The tests' Postgres is made to be quick and thrown away.
    DATABASE_DURABILITY: 'any',
    DATABASE_CONNECTIONS_MAX: '4',
    // Most tests are about something else than how a merchant comes to be.
    MERCHANT_REVIEW: 'off',
    TOKEN_ISSUERS: JSON.stringify([{ issuer: ISSUER, audience: AUDIENCE, jwks_url: told.jwksUrl }]),
    ...{ PIN_PEPPER: Buffer.alloc(32, 1).toString('base64'), NO_PIN_LIMIT: '1000' },
    ...{ WEBHOOK_TARGETS: 'any' },
    ...GENEROUS_RATES,
    ...{ BANKS: JSON.stringify(banks), BANK_TIMEOUT_MS: '1000', BANK_CUT_OFF_S: '2' },
    ...{ ENQUIRY_FIRST_S: '1', ENQUIRY_SPACING_S: '1', SEAL_KEY: newSealKey(), ...KEYS },
    // Some tests have a bank that fails all day, and others must not hear of it.
    ...{ BREAKER_CALLS: '1000', BREAKER_PAUSE_MS: '200', BANK_REPEATS_PERCENT: '100' },
    PIN_JWE_KEY: newPinKey(),
    // Everybody comes from one address here; what a flood does has tests of its own.
    ...{ SECURITY_LOG_PER_ADDRESS: '100000', SECURITY_LOG_PER_MINUTE: '1000000' },
  }
}

const base64 = (byte: number) => Buffer.alloc(32, byte).toString('base64')

/** What seals at rest. */
export const KEYS = {
  DATA_KEYS: JSON.stringify([{ kid: 'test', key: base64(2) }]),
  BLIND_INDEX_KEY: base64(3),
}

/** A configuration may not say so: less than is safe, since every person of a test has a PIN. */
const QUICK_HASHES = { memory_kib: 64, passes: 1, lanes: 1 }

/** Tests ask more often than people do; those about rates have a process of their own. */
const GENEROUS_RATES = {
  ...{ RATE_MONEY_PER_MINUTE: '1000000', RATE_MONEY_PER_DAY: '1000000' },
  ...{ RATE_LOOKUPS_PER_MINUTE: '1000000', RATE_SECURITY_PER_MINUTE: '1000000' },
  ...{ RATE_ANONYMOUS_PER_MINUTE: '1000000', RATE_CALLBACKS_PER_SECOND: '1000000' },
  ...{ SPRAY_FAILURES_PER_ADDRESS_HOUR: '1000000', SPRAY_FAILURES_GLOBAL_MINUTE: '10000000' },
}

function newSealKey(): string {
  const { privateKey } = generateKeyPairSync('ed25519')
  return JSON.stringify(privateKey.export({ format: 'jwk' }))
}

function newPinKey(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return JSON.stringify(privateKey.export({ format: 'jwk' }))
}

let opened: Promise<World> | undefined

export const world = (): Promise<World> => (opened ??= openWorld())
export async function closeWorld(): Promise<void> {
  const closing = opened
  opened = undefined
  // One that could not be opened has been heard of by whoever wanted it.
  const closed = await closing?.catch(() => undefined)
  await closed?.close()
}
/** What is made once in each world. */
export function onceAWorld<Made>(make: () => Made): () => Made {
  let [of, made]: [Promise<World> | undefined, Made | undefined] = [undefined, undefined]
  return () => {
    if (made === undefined || of !== opened) [of, made] = [world(), make()]
    return made
  }
}

export const worldIsOpen = (): boolean => opened !== undefined
