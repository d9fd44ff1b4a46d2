/**
 * The environment, read and checked once, every fault reported at once. Only here is process.env.
 */
import { z } from 'zod'
import { approvalSettings } from './config/approvals.ts'
import { DATABASE_SETTINGS } from './config/database.ts'
import { EDGE_SETTINGS } from './config/edge.ts'
import { integer, json, postgresUrl, privateKey } from './config/kinds.ts'
import { limitSettings } from './config/limits.ts'
import { OVERSIGHT_SETTINGS } from './config/oversight.ts'
import { pinSettings } from './config/pins.ts'
import { rateSettings } from './config/rates.ts'
import { RISK_SETTINGS } from './config/risk.ts'
import { RULE_SETTINGS } from './config/rules.ts'
import { TOTP_SETTINGS } from './config/totp.ts'
import { VAULT_SETTINGS } from './config/vault.ts'
import type { VaultKeys } from './vault/vault.ts'
import { tokenFaults, tokenSettings } from './config/tokens.ts'

const Bank = z.strictObject({
  name: z.string().regex(/^[a-z][a-z0-9_]{1,31}$/),
  protocol: z.literal('sandbox'),
  url: z.url(),
  secret: z.string().startsWith('whsec_'),
  previousSecret: z.string().startsWith('whsec_').optional(),
  currencies: z.array(z.string().regex(/^[A-Z]{3}$/)).min(1),
})

const SealKey = privateKey('Ed25519', 'must be an Ed25519 private key: a JWK, or PKCS8 in base64')

/** A public key that has signed before: `d`, the private part, is refused. */
const PublicKey = z.strictObject({
  kty: z.literal('OKP'),
  crv: z.literal('Ed25519'),
  x: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
  kid: z.string().optional(),
  alg: z.literal('EdDSA').optional(),
  use: z.literal('sig').optional(),
})

const Environment = z.object({
  NODE_ENV: z.enum(['production', 'development', 'test']).default('development'),
  LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'silent']).default('info'),
  HOST: z.string().default('127.0.0.1'),
  PORT: integer(8080, 0, 65_535),
  WORKER_PORT: integer(9090, 0, 65_535),

  DATABASE_URL: postgresUrl,
  ...DATABASE_SETTINGS,
  REDIS_URL: z
    .string()
    .regex(/^rediss?:\/\//, 'must be a redis:// url')
    .optional(),

  ...tokenSettings,

  ...pinSettings,
  ...rateSettings,
  ...limitSettings,

  ...approvalSettings,
  ...EDGE_SETTINGS,
  ...OVERSIGHT_SETTINGS,

  /** How long a person may take to agree to a quote. */
  FX_QUOTE_S: integer(30, 1, 3_600),

  BANKS: json.pipe(z.array(Bank)),
  BANK_TIMEOUT_MS: integer(15_000, 100, 60_000),
  ENQUIRY_FIRST_S: integer(90, 1, 3_600),
  ENQUIRY_SPACING_S: integer(1_800, 1, 86_400),
  ENQUIRIES_MAX: integer(3, 1, 10),
  BANK_CUT_OFF_S: integer(86_400, 1, 604_800),
  MANUAL_AFTER_S: integer(172_800, 1, 1_209_600),

  WORKER_CONCURRENCY: integer(8, 1, 256),
  SWEEP_EVERY_MS: integer(5_000, 100, 600_000),

  ...RISK_SETTINGS,
  ...RULE_SETTINGS,
  ...TOTP_SETTINGS,
  ...RISK_SETTINGS,

  SEAL_EVERY_MS: integer(1_000, 50, 600_000),
  /** Whose books these are, in every checkpoint. */
  SEAL_ORIGIN: z
    .string()
    .regex(/^[\w.:/-]{1,100}$/)
    .default('florin'),
  /** Signs checkpoints and receipts; without it there are none. */
  SEAL_KEY: SealKey.optional(),
  SEAL_PREVIOUS_KEYS: json.pipe(z.array(PublicKey)).default([]),
  ...VAULT_SETTINGS,
  /** Everything a newcomer needs, as JSON; only `npm start` sets it. */
  SANDBOX: json.optional(),
})

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
  TOKEN_AUDIENCE: z.string(),
  BANKS: json.pipe(z.array(Bank)),
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

function parseAll<T>(schema: z.ZodType<T>, env: NodeJS.ProcessEnv): T {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''))
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
    config.BANKS.some((bank) => bank.protocol === 'sandbox') &&
      'BANKS: a sandbox bank is refused in production',
    ...tokenFaults(config),
    config.SEAL_KEY === undefined && 'SEAL_KEY: required in production',
    config.PIN_JWE_KEY === undefined && 'PIN_JWE_KEY: required in production',
    config.SANCTIONS_URL?.startsWith('http:') === true &&
      'SANCTIONS_URL: must be https in production',
    config.ENQUIRY_FIRST_S < 60 && 'ENQUIRY_FIRST_S: below 60 s is refused in production',
  ]
  return faults.filter((fault) => fault !== false)
}
