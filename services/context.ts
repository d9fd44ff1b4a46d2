/** What a request or a job may touch. Opened once per process and passed along; never global. */
import type { Knex } from 'knex'
import type { Logger } from 'pino'
import { openBanks } from '../adapters/index.ts'
import type { BankAdapter } from '../adapters/adapter.ts'
import { type Calendar, connect, type Group, openGroup, type Uuid } from '../ledger/index.ts'
import { type BankHealth, loadHealth, noteHealth } from './banks/health.ts'
import { loadOutages, type Outage } from './banks/outages.ts'
import { type RegisteredBank, registeredBank } from './banks/registry.ts'
import { type Breakers, openBreakers } from './banking/breaker.ts'
import type { Config } from './config.ts'
import { CONSTRAINT_CODES } from './errors.ts'
import { type Credentials, openCredentials } from './credentials/credentials.ts'
import { type Device, openDevices } from './approvals/device_keys.ts'
import { type HashPool, openHashPool } from './pins/hashes.ts'
import { openPeppers, type Peppers } from './pins/peppers.ts'
import { openPinKeys, type PinKeys } from './approvals/pin_keys.ts'
import { type Standing, STANDINGS } from './credentials/standing.ts'
import { openCalendar } from './limits/calendar.ts'
import { type LimitRule, loadRules } from './limits/rules.ts'
import { openTail, type Tail } from './events/tail.ts'
import { openSubjects, type Subject } from './credentials/subjects.ts'
import type { Load } from './loader.ts'
import { type Memory, openMemory } from './memory.ts'
import type { Metrics } from './metrics.ts'
import { openQueue, type Queue } from './queue.ts'
import { openScreen, type Screen } from './risk/screen.ts'
import { openRuleBook, type RuleBook } from './rules/book.ts'
import { openSealKeys, type SealKeys } from './seals/keys.ts'
import { flushCounted, type Origin } from './security/log.ts'
import { openWatch, type Watch } from './security/watch.ts'
import { loadStepUpRules, type StepUpRule } from './step_up/rules.ts'
import { COMPANIONS } from './tables.ts'
import { openVault, type Vault } from './vault/vault.ts'

export interface Context {
  readonly config: Config
  readonly db: Knex
  /** The hot path: every request that changes something goes through here. */
  readonly group: Group
  readonly banks: ReadonlyMap<string, BankAdapter>
  /** What is known of each bank: its rails, where they reach, when it works. */
  readonly registry: ReadonlyMap<string, RegisteredBank>
  /** What operators have closed. */
  readonly outages: RuleBook<Outage>
  /** Which banks workers have found to fail. */
  readonly bankHealth: RuleBook<BankHealth>
  /** How the banks are, as far as this process has met them. */
  readonly breakers: Breakers
  readonly queue: Queue
  readonly credentials: Credentials
  readonly hashes: HashPool
  readonly peppers: Peppers
  /** How a person stands right now. Undefined for nobody we know. */
  readonly standings: Load<Uuid, Standing>
  /** The same of whoever is not a person, by `subjectKey`. */
  readonly subjects: Load<string, Subject>
  /** What people may spend. */
  readonly limits: RuleBook<LimitRule>
  /** When a payment needs a second factor. */
  readonly stepUpRules: RuleBook<StepUpRule>
  /** In which day, week and month of limits something happens. */
  readonly calendar: (at: Date) => Calendar
  /** Devices as they were bound once. */
  readonly devices: Load<Uuid, Device>
  /** Opens PINs that phones encrypted. */
  readonly pinKeys: PinKeys
  /** Judges how risky a payment is. */
  readonly screen: Screen
  /** Signs and publishes what the books were. */
  readonly sealKeys: SealKeys
  /** Facts that do not change: accounts by key; for a while, people and merchants by id or name. */
  readonly memory: Memory
  /** Bounds what failures may write to the security log. */
  readonly watch: Watch
  /** The request that is being answered; the edge sets it. */
  readonly origin?: Origin
  /** The newest events, for who follows them. */
  readonly tail: Tail
  /** Seals what whoever holds the database alone must not read. */
  readonly vault: Vault
  readonly log: Logger
  readonly metrics: Metrics
  /** The only clock. */
  readonly now: () => Date
}

/** The database role of a process; what it may do is in services/migrations. */
export type Role = 'florin_api' | 'florin_worker'

const MEMORY_ENTRIES_MAX = 50_000

export interface ContextOptions {
  readonly config: Config
  readonly role: Role
  readonly log: Logger
  readonly metrics: Metrics
  readonly now?: () => Date
}

export function openContext(options: ContextOptions): Context {
  const { config, role, log, metrics, now = () => new Date() } = options
  const database = { ...databaseOf(config), role, applicationName: role }
  const banks = openBanks(config.BANKS, {
    connect_ms: config.BANK_CONNECT_TIMEOUT_MS,
    timeout_ms: config.BANK_TIMEOUT_MS,
    enquiryTimeout_ms: config.BANK_ENQUIRY_TIMEOUT_MS,
    clock: now,
  })
  const db = connect({ ...database, connectionsMax: config.DATABASE_CONNECTIONS_MAX })
  const group = openGroup({
    ...{ ...database, companions: COMPANIONS, refusals: CONSTRAINT_CODES },
    onCommit: metrics.groupCommitted,
  })
  const peppers = openPeppers(config.PIN_PEPPER, config.PIN_PREVIOUS_PEPPERS)
  const vault = openVault({ dataKeys: config.DATA_KEYS, blindIndexKey: config.BLIND_INDEX_KEY })
  return {
    ...{ config, banks, log, metrics, now, db, group, peppers },
    ...{ standings: (person) => group.look(STANDINGS, person), vault },
    subjects: openSubjects(db, config, vault),
    ...openBankState(db, banks, { config, role, log, now }),
    devices: openDevices(db),
    pinKeys: openPinKeys(config.PIN_JWE_KEY, config.PIN_JWE_PREVIOUS_KEYS),
    limits: openRuleBook(() => loadRules(db, now()), { age_ms: config.RULES_AGE_MS }),
    stepUpRules: openRuleBook(() => loadStepUpRules(db, now()), { age_ms: config.RULES_AGE_MS }),
    calendar: openCalendar(config.LIMITS_TIME_ZONE),
    screen: openScreen(db, config, log),
    queue: openQueue({
      databaseUrl: config.DATABASE_URL,
      redisUrl: config.REDIS_URL,
      onError: (error) => log.warn({ err: error }, 'doorbell'),
    }),
    credentials: openCredentials(db, config, (error) => log.warn({ err: error }, 'credentials')),
    hashes: openHashPool({
      peppers,
      cost: config.PIN_ARGON2,
      atOnce: config.PIN_HASHES_AT_ONCE,
      queueMax: config.PIN_QUEUE_MAX,
    }),
    sealKeys: openSealKeys(config.SEAL_KEY, config.SEAL_PREVIOUS_KEYS),
    tail: openTail(db, (error) => log.warn({ err: error }, 'events')),
    memory: openMemory(MEMORY_ENTRIES_MAX, now),
    watch: openWatch({
      secret: config.SECURITY_LOG_KEY ?? config.PIN_PEPPER,
      perAddress: config.SECURITY_LOG_PER_ADDRESS,
      inAll: config.SECURITY_LOG_PER_MINUTE,
    }),
  }
}

/** What is known of the banks beside what they say: the registry, outages, and their health. */
function openBankState(
  db: Knex,
  banks: ReadonlyMap<string, BankAdapter>,
  {
    config,
    role,
    log,
    now,
  }: Pick<ContextOptions, 'config' | 'role' | 'log'> & Pick<Context, 'now'>,
) {
  const age = { age_ms: config.RULES_AGE_MS }
  const pause_ms = config.BREAKER_PAUSE_MS
  const entries = config.BANKS.map((bank) => {
    const capabilities = banks.get(bank.name)?.capabilities ?? new Set()
    return [bank.name, registeredBank(bank, capabilities)] as const
  })
  return {
    registry: new Map(entries),
    outages: openRuleBook(() => loadOutages(db, now()), age),
    bankHealth: openRuleBook(() => loadHealth(db, now()), age),
    breakers: openBreakers({
      threshold: config.BREAKER_FAILURES_PERCENT / 100,
      calls: config.BREAKER_CALLS,
      pause_ms,
      repeats: config.BANK_REPEATS_PERCENT / 100,
      onChange(bank, health) {
        log.warn({ bank, health }, 'the health of a bank has changed')
        if (role !== 'florin_worker') return
        noteHealth(db, bank, health, { now: now(), pause_ms }).catch((error: unknown) =>
          log.warn({ err: error, bank }, 'the health of a bank was not noted'),
        )
      },
    }),
  }
}

const databaseOf = (config: Config) => ({
  url: config.DATABASE_URL,
  durability: config.DATABASE_DURABILITY,
  network: config.NODE_ENV === 'production' ? config.DATA_NETWORK : 'private',
  timeouts: {
    statement_ms: config.DATABASE_STATEMENT_TIMEOUT_MS,
    lock_ms: config.DATABASE_LOCK_TIMEOUT_MS,
    idleInTransaction_ms: config.DATABASE_IDLE_IN_TRANSACTION_TIMEOUT_MS,
    transaction_ms: config.DATABASE_TRANSACTION_TIMEOUT_MS,
  },
})

/** Hands back everything: finishes running work first, then closes the connections. */
export async function closeContext(context: Context): Promise<void> {
  const { queue, group, db, log } = context
  // What its backend cannot close must not keep the books from being closed.
  await queue.close().catch((error: unknown) => log.warn({ err: error }, 'doorbell'))
  await group.close()
  await flushCounted(context).catch((error: unknown) => log.error({ err: error }, 'security log'))
  await db.destroy()
}
