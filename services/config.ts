/**
 * The environment, read and checked once, every fault reported at once. Only here is process.env.
 */
import { z } from 'zod'
import { APPROVAL_SETTINGS } from './config/approvals.ts'
import { BANK_SETTINGS } from './config/banks.ts'
import { DATABASE_SETTINGS } from './config/database.ts'
import { DISPUTE_SETTINGS } from './config/disputes.ts'
import { EDGE_SETTINGS } from './config/edge.ts'
import { integer, postgresUrl } from './config/kinds.ts'
import { INBOX_SETTINGS } from './config/inbox.ts'
import { LIMIT_SETTINGS } from './config/limits.ts'
import { NETTING_SETTINGS } from './config/netting.ts'
import { ORDER_SETTINGS } from './config/orders.ts'
import { OVERSIGHT_SETTINGS } from './config/oversight.ts'
import { PIN_SETTINGS } from './config/pins.ts'
import { PROCESS_SETTINGS } from './config/processes.ts'
import { RATE_SETTINGS } from './config/rates.ts'
import { RISK_SETTINGS } from './config/risk.ts'
import { RULE_SETTINGS } from './config/rules.ts'
import { SEAL_SETTINGS } from './config/seals.ts'
import { SETTLEMENT_SETTINGS } from './config/settlements.ts'
import { tokenFaults, TOKEN_SETTINGS } from './config/tokens.ts'
import { TOTP_SETTINGS } from './config/totp.ts'
import { VAULT_SETTINGS } from './config/vault.ts'
import { ForeignTrialFile, TrialFile } from './config/trial.ts'
import { WEBHOOK_SETTINGS } from './config/webhooks.ts'
import type { VaultKeys } from './vault/vault.ts'

/** Every setting of the API and the worker, by topic: what they read, and what the docs list. */
export const TOPICS = {
  'The processes': PROCESS_SETTINGS,
  'The database': DATABASE_SETTINGS,
  'The HTTP edge': EDGE_SETTINGS,
  'How often somebody may ask': RATE_SETTINGS,
  'Who people are: tokens, keys, DPoP': TOKEN_SETTINGS,
  PINs: PIN_SETTINGS,
  'The second factor': TOTP_SETTINGS,
  'Approvals, devices, quotes': APPROVAL_SETTINGS,
  Limits: LIMIT_SETTINGS,
  'Rules, risk, sanctions': { ...RULE_SETTINGS, ...RISK_SETTINGS },
  'Orders and their QR codes': ORDER_SETTINGS,
  Disputes: DISPUTE_SETTINGS,
  'The second person, the security log': OVERSIGHT_SETTINGS,
  'What is sealed at rest': VAULT_SETTINGS,
  'The banks': BANK_SETTINGS,
  'What banks tell, files and batches': INBOX_SETTINGS,
  'Net settlement between banks': NETTING_SETTINGS,
  'Settlement of merchants': SETTLEMENT_SETTINGS,
  'Checkpoints and receipts': SEAL_SETTINGS,
  'Webhooks and the stream of events': WEBHOOK_SETTINGS,
}

/** What has all that each member of the union has. */
type AllOf<T> = (T extends unknown ? (one: T) => void : never) extends (all: infer A) => void
  ? A
  : never
type Settings = AllOf<(typeof TOPICS)[keyof typeof TOPICS]>

const Environment = z.object(Object.assign({}, ...Object.values(TOPICS)) as Settings)

export type Config = Readonly<z.infer<typeof Environment>>

/** Thrown once, with a line for every fault. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

/** Where keys are needed only when there is something to seal. */
const OPTIONAL_KEYS = {
  DATA_KEYS: VAULT_SETTINGS.DATA_KEYS.optional(),
  BLIND_INDEX_KEY: VAULT_SETTINGS.BLIND_INDEX_KEY.optional(),
}

const Migration = z.object({
  DATABASE_URL: postgresUrl,
  /** Given, the role may log in with it; left out, how roles log in stays as it is. */
  API_PASSWORD: z.string().min(12).optional(),
  WORKER_PASSWORD: z.string().min(12).optional(),
  ...OPTIONAL_KEYS,
})

/** What `npm run migrate` needs: the owner's url, and the passwords of the processes' roles. */
export function readMigrationConfig(env: NodeJS.ProcessEnv = process.env) {
  return parseAll(Migration, env)
}

const SandboxEnvironment = z.object({
  HOST: z.string().default('127.0.0.1'),
  DATA_DIR: z.string(),
  API_URL: z.url(),
  IDENTITY_URL: z.url(),
  SHOP_URL: z.url(),
  TOKEN_AUDIENCE: z.string(),
  BANKS: BANK_SETTINGS.BANKS,
})

/** What child processes of `npm start` get beside what they are told: PATH, HOME and the like. */
export function inherited(env: NodeJS.ProcessEnv = process.env): Readonly<Record<string, string>> {
  const given = Object.entries(env).filter((pair): pair is [string, string] => Boolean(pair[1]))
  return Object.fromEntries(given)
}

/** What the sandbox process of `npm start` is told. */
export function readSandboxConfig(env: NodeJS.ProcessEnv = process.env) {
  return parseAll(SandboxEnvironment, env)
}

const StartEnvironment = z.object({
  PORT: integer(8080, 1, 65_000),
  DATA_DIR: z.string().default('.florin'),
  DATABASE_URL: z.string().optional(),
  REDIS_URL: z.string().optional(),
})

/** What `npm start` itself may be told. The other ports follow from PORT. */
export function readStartConfig(env: NodeJS.ProcessEnv = process.env) {
  return parseAll(StartEnvironment, env)
}

const CommandEnvironment = z.object({
  DATABASE_URL: postgresUrl.optional(),
  DATA_DIR: z.string().default('.florin'),
  SEAL_ORIGIN: z.string().default('florin'),
  ...OPTIONAL_KEYS,
})

/** What the commands of `florin` are told by the environment. */
export function readCommandConfig(env: NodeJS.ProcessEnv = process.env) {
  return parseAll(CommandEnvironment, env)
}

const ReconcileEnvironment = z.object({
  DATABASE_URL: postgresUrl.optional(),
  // Where it is told, the statement of another account is refused.
  BANKS: BANK_SETTINGS.BANKS.optional(),
  RECONCILIATION_LATE_DAYS: BANK_SETTINGS.RECONCILIATION_LATE_DAYS,
  STATEMENT_LINES_MAX: BANK_SETTINGS.STATEMENT_LINES_MAX,
})

/** What `florin bank reconcile` is told, as the worker is. */
export function readReconcileConfig(env: NodeJS.ProcessEnv = process.env) {
  return parseAll(ReconcileEnvironment, env)
}

/** What `npm start` seals with, of what it tells its processes. */
export function readVaultKeys(env: NodeJS.ProcessEnv): VaultKeys {
  const keys = parseAll(z.object(VAULT_SETTINGS), env)
  return { dataKeys: keys.DATA_KEYS, blindIndexKey: keys.BLIND_INDEX_KEY }
}

/** The keys of the vault, where both settings are given. */
export function vaultKeysOf({
  DATA_KEYS: dataKeys,
  BLIND_INDEX_KEY: blindIndexKey,
}: z.infer<z.ZodObject<typeof OPTIONAL_KEYS>>): VaultKeys | undefined {
  return dataKeys && blindIndexKey && { dataKeys, blindIndexKey }
}

export function readConfig(env: NodeJS.ProcessEnv = process.env): Config {
  const config = parseAll(Environment, env)
  const faults = [
    ...(config.NODE_ENV === 'production' ? productionFaults(config) : []),
    ...starvationFaults(config),
  ]
  if (faults.length > 0) throw new ConfigError(`configuration:\n  ${faults.join('\n  ')}`)
  return Object.freeze(config)
}

/**
 * The file of `florin bank certify --config`.
 * @throws {ConfigError}
 */
export const readTrial = (text: string): TrialFile => checked(TrialFile, jsonIn(text))

/** The same beside an adapter that is not among ours. */
export const readForeignTrial = (text: string): ForeignTrialFile => foreignTrialOf(jsonIn(text))

/** What such an adapter's own sandbox says of itself. */
export const foreignTrialOf = (told: unknown): ForeignTrialFile => checked(ForeignTrialFile, told)

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    throw new ConfigError(`configuration: ${error.message}`, { cause: error })
  }
}

function parseAll<T>(schema: z.ZodType<T>, env: NodeJS.ProcessEnv): T {
  return checked(
    schema,
    Object.fromEntries(Object.entries(env).filter(([, value]) => value !== '')),
  )
}

function checked<T>(schema: z.ZodType<T>, given: unknown): T {
  const parsed = schema.safeParse(given)
  if (parsed.success) return parsed.data
  const faults = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`)
  throw new ConfigError(`configuration:\n  ${faults.join('\n  ')}`)
}

/** Hashes run on the threads on which Node reads files and asks DNS: some are left to these. */
function starvationFaults({ PIN_HASHES_AT_ONCE, UV_THREADPOOL_SIZE }: Config): string[] {
  if (PIN_HASHES_AT_ONCE <= UV_THREADPOOL_SIZE - THREADS_LEFT_MIN) return []
  return [`PIN_HASHES_AT_ONCE: must leave ${THREADS_LEFT_MIN} threads of UV_THREADPOOL_SIZE free`]
}

const THREADS_LEFT_MIN = 2

/** What is convenient on a laptop and wrong where money is real. */
function productionFaults(config: Config): string[] {
  const faults = [
    config.SANDBOX !== undefined && 'SANDBOX: refused in production',
    config.DATABASE_DURABILITY === 'any' && 'DATABASE_DURABILITY: any is refused in production',
    config.DATA_NETWORK === 'open' &&
      isHeardOnTheWay(config.REDIS_URL) &&
      'REDIS_URL: must be rediss:// in production, on this machine, or on a private DATA_NETWORK',
    config.WEBHOOK_TARGETS === 'any' && 'WEBHOOK_TARGETS: any is refused in production',
    ...config.BANKS.filter(({ protocol }) => PLAYED.includes(protocol)).map(
      ({ name, protocol }) => `BANKS: ${name} of protocol ${protocol} is refused in production`,
    ),
    ...tokenFaults(config),
    config.SEAL_KEY === undefined && 'SEAL_KEY: required in production',
    config.PIN_JWE_KEY === undefined && 'PIN_JWE_KEY: required in production',
    config.SANCTIONS_URL?.startsWith('http:') === true &&
      'SANCTIONS_URL: must be https in production',
    config.MERCHANT_REVIEW === 'off' && 'MERCHANT_REVIEW: off is refused in production',
    config.ENQUIRY_FIRST_S < 60 && 'ENQUIRY_FIRST_S: below 60 s is refused in production',
  ]
  return faults.filter((fault) => fault !== false)
}

/** Behind them is no bank. */
const PLAYED: readonly string[] = ['sandbox', 'example']

const isHeardOnTheWay = (redisUrl = 'rediss://') =>
  redisUrl.startsWith('redis:') && !ON_THIS_MACHINE.test(new URL(redisUrl).hostname)

const ON_THIS_MACHINE = /^(?:localhost|127\.[\d.]+|\[::1\])$/
