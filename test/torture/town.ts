/** Everything as plain processes on loopback: Postgres, banks, an identity provider, Florin. */
import { createHmac, generateKeyPairSync, randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { startSandboxBank } from '../../adapters/sandbox/server.ts'
import { inherited } from '../../services/config.ts'
import { startIdentityProvider } from '../../services/sandbox/identity-provider.ts'
import { openBenchServer } from '../bench/server.ts'
import { keep, type Kept } from './kept.ts'
import { freePort } from '../support/ports.ts'

const ISSUER = 'https://torture.example'
const AUDIENCE = 'florin'

export const BANKS = ['north', 'south'] as const
export type BankName = (typeof BANKS)[number]

/** Customers of each bank: `T-0001` and so on. */
const CUSTOMERS = 400
/** What each has there, in cents: never short of money. */
const BALANCE = 1_000_000_000n

export interface Town {
  readonly apiUrl: string
  /** The owner's database. */
  readonly url: string
  readonly tokenOf: (sub: string, scope: string) => Promise<string>
  /** Where a bank writes down what it did, before it says so. */
  readonly journalOf: (bank: BankName) => string
  readonly api: Kept
  readonly workers: readonly Kept[]
  /** From then on banks do as they are told. */
  readonly calm: () => void
  /** What banks did wrong, and how often. */
  readonly faults: () => Readonly<Record<string, number>>
  /** For logs and journals. */
  readonly folder: string
  readonly close: () => Promise<void>
}

export interface TownOptions {
  readonly seed: number
  /** The share of a bank's answers that go wrong, 0 to 1. */
  readonly faults: number
  /** What processes are told otherwise. */
  readonly settings?: Readonly<Record<string, string>>
}

export async function openTown({ seed, faults, settings: told = {} }: TownOptions): Promise<Town> {
  const server = await openBenchServer()
  const { folder } = server
  const { url, urlOf } = await server.databaseOf('florin_torture')
  const identity = await startIdentityProvider({
    ...{ port: 0, issuer: ISSUER, audience: AUDIENCE, people: new Map() },
    keyFile: join(folder, 'identity.json'),
  })
  const port = await freePort()
  const apiUrl = `http://127.0.0.1:${port}`
  const journalOf = (bank: BankName) => join(folder, `${bank}.jsonl`)
  const banks = await Promise.all(
    BANKS.map(async (name, index) => {
      const bank = await startSandboxBank({
        ...{ name, port: 0, secret: secretOf(name), callbackDelay_ms: 50 },
        ...{ journalFile: journalOf(name), customers: customersOf() },
        callbackUrl: `${apiUrl}/v1/banks/${name}/callbacks`,
        faults: { rate: faults, seed: seed + index },
      })
      return { name, ...bank }
    }),
  )
  const jwksUrl = `${identity.url}/.well-known/jwks.json`
  const shared = { ...inherited(), ...settings(banks, jwksUrl), ...told }
  const process = (name: string, script: string, env: Readonly<Record<string, string>>) =>
    keep({
      ...{ name, script: new URL(`../../services/${script}`, import.meta.url) },
      ...{ env: { ...shared, ...env }, logFile: join(folder, `${name}.log`) },
    })
  const api = await process('api', 'api.ts', { PORT: `${port}`, DATABASE_URL: urlOf('florin_api') })
  const workers = await Promise.all(
    ['worker 1', 'worker 2'].map((name) =>
      process(name, 'worker.ts', { WORKER_PORT: '0', DATABASE_URL: urlOf('florin_worker') }),
    ),
  )
  return {
    ...{ apiUrl, url, journalOf, api, workers, folder },
    tokenOf: openTokens(`${identity.url}/token`),
    calm: () => banks.forEach(({ calm }) => calm()),
    faults: () => sumOf(banks.map(({ faultCounts }) => faultCounts())),
    async close() {
      await Promise.all([api, ...workers].map((one) => one.stop()))
      await Promise.all([...banks, identity].map((one) => one.stop()))
      await server.stop()
    },
  }
}

function sumOf(all: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const sums: Record<string, number> = {}
  for (const [name, count] of all.flatMap((one) => Object.entries(one))) {
    sums[name] = (sums[name] ?? 0) + count
  }
  return sums
}

/** By which a bank's messages are signed. */
export const secretOf = (name: string) =>
  `whsec_${createHmac('sha256', 'torture').update(name).digest('base64')}`

const customersOf = () =>
  Array.from({ length: CUSTOMERS }, (_, index) => ({
    number: `T-${String(index + 1).padStart(4, '0')}`,
    ...{ holder: `Customer ${index + 1}`, currency: 'EUR', balance: BALANCE },
  }))

/** Banks are quick here, and so is whoever waits for them: hours would pass otherwise. */
function settings(banks: readonly { name: string; url: string }[], jwksUrl: string) {
  const { privateKey } = generateKeyPairSync('ed25519')
  const key = randomBytes(32).toString('base64')
  const known = banks.map(({ name, url }) => ({
    ...{ name, protocol: 'sandbox', url, secret: secretOf(name), currencies: ['EUR'] },
  }))
  return {
    ...{ NODE_ENV: 'test', LOG_LEVEL: 'warn', PIN_PEPPER: key, BLIND_INDEX_KEY: key },
    TOKEN_ISSUERS: JSON.stringify([{ issuer: ISSUER, audience: AUDIENCE, jwks_url: jwksUrl }]),
    DATA_KEYS: JSON.stringify([{ kid: 'torture', key }]),
    SEAL_KEY: JSON.stringify(privateKey.export({ format: 'jwk' })),
    ...{ BANKS: JSON.stringify(known), BANK_TIMEOUT_MS: '1000', BANK_CUT_OFF_S: '20' },
    ...{ ENQUIRY_FIRST_S: '2', ENQUIRY_SPACING_S: '3', SWEEP_EVERY_MS: '500' },
    ...{ NO_PIN_LIMIT: '1000000000', NO_PIN_DAY_LIMIT: '1000000000' },
    ...{ RATE_MONEY_PER_MINUTE: '0', RATE_MONEY_PER_DAY: '0', RATE_CALLBACKS_PER_SECOND: '0' },
  }
}

/** Tokens live for minutes: each is asked for again in time. */
function openTokens(url: string): Town['tokenOf'] {
  const known = new Map<string, { readonly token: string; readonly until: number }>()
  return async (sub, scope) => {
    const held = known.get(`${sub} ${scope}`)
    if (held !== undefined && held.until > performance.now()) return held.token
    const response = await fetch(url, {
      ...{ method: 'POST', headers: { 'content-type': 'application/json' } },
      body: JSON.stringify({ sub, scope }),
    })
    const answer = (await response.json()) as { access_token: string; expires_in: number }
    const until = performance.now() + (answer.expires_in - 60) * 1000
    known.set(`${sub} ${scope}`, { token: answer.access_token, until })
    return answer.access_token
  }
}
