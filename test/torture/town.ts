/** Everything as plain processes on loopback: Postgres, banks, an identity provider, Florin. */
import { createHmac, generateKeyPairSync, randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startSandboxBank } from '../../adapters/sandbox/server.ts'
import { inherited } from '../../services/config.ts'
import { startIdentityProvider } from '../../services/sandbox/identity-provider.ts'
import { freePort } from '../support/ports.ts'
import { openClock } from './clock.ts'
import { keep, type Kept } from './kept.ts'
import { type Network, openNetwork } from './network.ts'
import { type Opened, openWith, together } from './opened.ts'
import { keepPostgres, type KeptPostgres } from './postgres.ts'
import { type Faulty } from './proxy.ts'
import { keepRedis, type KeptRedis } from './redis.ts'
import { seedOf } from './seeds.ts'
import { openTokens, type Tokens } from './tokens.ts'

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
  readonly tokenOf: Tokens['tokenOf']
  /** What nobody may read anywhere: of every token that was ever issued, and of the settings. */
  readonly secrets: () => readonly string[]
  /** Where a process listens, by its name. */
  readonly portOf: (name: string) => number
  /** Where a bank writes down what it did, before it says so. */
  readonly journalOf: (bank: BankName) => string
  /** As its own customers reach it. */
  readonly bankUrl: (bank: BankName) => string
  readonly apis: readonly Kept[]
  readonly workers: readonly Kept[]
  readonly postgres: KeptPostgres
  readonly redis: KeptRedis | undefined
  /** From then on banks do as they are told, and what is between all of them passes on. */
  readonly calm: () => void
  /** What banks and links did wrong, and how often. */
  readonly faults: () => Readonly<Record<string, number>>
  /** For logs and journals. */
  readonly folder: string
  readonly close: () => Promise<void>
}

export interface TownOptions {
  readonly seed: number
  /** The share of a bank's answers that go wrong, 0 to 1. */
  readonly faults: number
  /** Two APIs where there is one, links that fail between all, and clocks that can jump. */
  readonly isRough: boolean
  /** Rings are kept in Redis. */
  readonly hasRedis?: boolean
  /** What processes are told otherwise. */
  readonly settings?: Readonly<Record<string, string>>
}

/** Where one thing does not start nothing stays: neither the others nor the folder. */
export const openTown = (options: TownOptions): Promise<Town> =>
  openWith((opened) => openAll(options, opened))

async function openAll(options: TownOptions, opened: Opened): Promise<Town> {
  const folder = await mkdtemp(join(tmpdir(), 'florin-torture-'))
  opened.keep(() => rm(folder, { recursive: true, force: true }))
  const postgres = await keepPostgres(folder)
  opened.keep(postgres.stop)
  const identity = await startIdentityProvider({
    ...{ port: 0, issuer: ISSUER, audience: AUDIENCE, people: new Map() },
    keyFile: join(folder, 'identity.json'),
  })
  opened.keep(identity.stop)
  const ports = await portsOf(options)
  const ways = waysOf(options, apisOf(ports))
  opened.keep(ways.close)
  const journalOf = (bank: BankName) => join(folder, `${bank}.jsonl`)
  const banks = await openBanks(options, await ways.callbackUrl(), journalOf)
  opened.keep(() => Promise.all(banks.map((one) => one.stop())))
  const toBank = async ({ name, url }: { readonly name: BankName; readonly url: string }) => ({
    ...{ name, url: await ways.toBank(name, url) },
  })
  const known = await Promise.all(banks.map(toBank))
  const jwksUrl = `${identity.url}/.well-known/jwks.json`
  const redis = options.hasRedis === true ? await keepRedis(folder) : undefined
  if (redis !== undefined) opened.keep(redis.stop)
  const own = settings(known, jwksUrl)
  const shared = {
    ...{ ...inherited(), ...own.told, ...options.settings },
    REDIS_URL: redis === undefined ? '' : await ways.toRedis(redis.port),
  }
  const { apis, workers } = await startProcesses(options, ports, {
    ...{ folder, shared },
    apiDatabase: await ways.toPostgres(postgres, 'florin_api'),
    workerDatabase: await ways.toPostgres(postgres, 'florin_worker'),
  })
  opened.keep(() => Promise.all([...apis, ...workers].map((one) => one.stop())))
  const tokens = openTokens(`${identity.url}/token`)
  return {
    ...{ apiUrl: await ways.apiUrl(), url: postgres.url, journalOf, apis, workers, postgres },
    ...{ redis, folder, tokenOf: tokens.tokenOf, portOf: (name) => portOf(ports, name) },
    bankUrl: (bank) => banks.find(({ name }) => name === bank)?.url ?? '',
    secrets: () => [...own.secrets, ...tokens.signatures()],
    calm: () => [ways, ...banks].forEach(({ calm }) => calm()),
    faults: () => sumOf([...banks.map(({ faultCounts }) => faultCounts()), ways.counts()]),
    close: opened.close,
  }
}

/** Of each process by its name, APIs first. */
type Ports = ReadonlyMap<string, number>

async function portsOf({ isRough }: TownOptions): Promise<Ports> {
  const names = [...(isRough ? ['api 1', 'api 2'] : ['api 1']), 'worker 1', 'worker 2']
  return new Map(await Promise.all(names.map(async (name) => [name, await freePort()] as const)))
}

const apisOf = (ports: Ports) =>
  [...ports].flatMap(([name, port]) => (name.startsWith('api') ? [port] : []))

function portOf(ports: Ports, name: string): number {
  const port = ports.get(name)
  if (port === undefined) throw new Error(`nobody is called ${name}`)
  return port
}

const waysOf = ({ isRough, seed }: TownOptions, apiPorts: readonly number[]) =>
  isRough ? roughWays(openNetwork(seed), apiPorts) : plainWays(apiPorts)

async function startProcesses(
  { isRough }: TownOptions,
  ports: Ports,
  told: {
    readonly folder: string
    readonly shared: Readonly<Record<string, string>>
    readonly apiDatabase: string
    readonly workerDatabase: string
  },
) {
  const start = (name: string, script: string, env: Readonly<Record<string, string>>) =>
    keep({
      ...{ name, script: new URL(`../../services/${script}`, import.meta.url) },
      ...{ env: { ...told.shared, ...env }, logFile: join(told.folder, `${name}.log`) },
      clock: isRough ? openClock(join(told.folder, `${name}.clock`)) : undefined,
    })
  const isApi = (name: string) => name.startsWith('api')
  const starting = [...ports].map(([name, port]) =>
    isApi(name)
      ? start(name, 'api.ts', { PORT: `${port}`, DATABASE_URL: told.apiDatabase })
      : start(name, 'worker.ts', { WORKER_PORT: `${port}`, DATABASE_URL: told.workerDatabase }),
  )
  const all = await together(starting, (one) => one.stop())
  return {
    apis: all.filter(({ name }) => isApi(name)),
    workers: all.filter(({ name }) => !isApi(name)),
  }
}

const openBanks = (
  { seed, faults }: TownOptions,
  callbackUrl: string,
  journalOf: (bank: BankName) => string,
) =>
  together(
    BANKS.map(async (name) => {
      const bank = await startSandboxBank({
        ...{ name, port: 0, secret: secretOf(name), callbackDelay_ms: 50 },
        ...{ journalFile: journalOf(name), customers: customersOf() },
        callbackUrl: `${callbackUrl}/v1/banks/${name}/callbacks`,
        faults: { rate: faults, seed: seedOf(seed, `bank ${name}`) },
      })
      return { name, ...bank }
    }),
    (bank) => bank.stop(),
  )

/** By which address one finds the other. */
interface Ways extends Faulty {
  readonly apiUrl: () => Promise<string>
  readonly callbackUrl: () => Promise<string>
  readonly toBank: (name: BankName, url: string) => Promise<string>
  readonly toRedis: (port: number) => Promise<string>
  readonly toPostgres: (postgres: KeptPostgres, role: string) => Promise<string>
}

const LOOPBACK = '127.0.0.1'
const at = (port: number | undefined) => `http://${LOOPBACK}:${port}`

const plainWays = ([port]: readonly number[]): Ways => ({
  ...{ apiUrl: async () => at(port), callbackUrl: async () => at(port) },
  toBank: async (_, url) => url,
  toRedis: async (port) => `redis://${LOOPBACK}:${port}`,
  toPostgres: async ({ urlOf }, role) => urlOf(role),
  ...{ counts: () => ({}), calm: () => {}, close: async () => {} },
})

const roughWays = (network: Network, apiPorts: readonly number[]): Ways => ({
  ...network,
  async apiUrl() {
    const port = await network.forwarder('driver and API', apiPorts)
    return at(await network.link('driver and API', [{ host: LOOPBACK, port }]))
  },
  async callbackUrl() {
    const targets = apiPorts.map((port) => ({ host: LOOPBACK, port }))
    const port = await network.link('bank and API', targets)
    return at(await network.forwarder('bank and API', [port]))
  },
  async toBank(name, url) {
    const port = Number(new URL(url).port)
    return at(await network.link('worker and bank', [{ host: LOOPBACK, port }], name))
  },
  async toRedis(port) {
    return `redis://${LOOPBACK}:${await network.link('Redis', [{ host: LOOPBACK, port }])}`
  },
  async toPostgres({ target, database }, role) {
    const who = role === 'florin_api' ? 'API' : 'worker'
    const port = await network.link(`${who} and Postgres`, [target])
    return `postgres://${role}@${LOOPBACK}:${port}/${database}`
  },
})

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
  const seal = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' })
  const [pepper, index, key] = [newKey(), newKey(), newKey()]
  const known = banks.map(({ name, url }) => ({
    ...{ name, protocol: 'sandbox', url, secret: secretOf(name), currencies: ['EUR'] },
  }))
  const told = {
    ...{ NODE_ENV: 'test', LOG_LEVEL: 'warn', PIN_PEPPER: pepper, BLIND_INDEX_KEY: index },
    TOKEN_ISSUERS: JSON.stringify([{ issuer: ISSUER, audience: AUDIENCE, jwks_url: jwksUrl }]),
    DATA_KEYS: JSON.stringify([{ kid: 'torture', key }]),
    SEAL_KEY: JSON.stringify(seal),
    ...{ BANKS: JSON.stringify(known), BANK_TIMEOUT_MS: '1000', BANK_CUT_OFF_S: '20' },
    ...{ ENQUIRY_FIRST_S: '2', ENQUIRY_SPACING_S: '3', SWEEP_EVERY_MS: '500' },
    ...{ NO_PIN_LIMIT: '1000000000', NO_PIN_DAY_LIMIT: '1000000000' },
    ...{ RATE_MONEY_PER_MINUTE: '0', RATE_MONEY_PER_DAY: '0', RATE_CALLBACKS_PER_SECOND: '0' },
  }
  const keys = [pepper, index, key, seal.d ?? '', ...banks.map(({ name }) => secretOf(name))]
  return { told, secrets: keys.flatMap(formsOf) }
}

const newKey = () => randomBytes(32).toString('base64')

/** A key as it is set, without the word for what it is, and as the bytes that it stands for. */
function formsOf(key: string): string[] {
  const bare = key.replace(/^whsec_/, '')
  return [bare, Buffer.from(bare, 'base64').toString('hex')]
}
