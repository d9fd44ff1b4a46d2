/** Connecting to Postgres and bringing its schema up to date. */
import { readdir, readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import { callbackify } from 'node:util'
import knex, { type Knex } from 'knex'
import pg from 'pg'
import { LedgerError } from './errors.ts'
import { endWhenSilent, streamOf } from './silence.ts'

export interface DatabaseOptions {
  readonly url: string
  /** Every connection acts as this role, whatever the url's own user may do besides. */
  readonly role?: string | undefined
  readonly connectionsMax: number
  readonly applicationName: string
  readonly timeouts?: Timeouts | undefined
  /** `required` refuses connections to what may forget, or may not be, what was confirmed. */
  readonly durability?: 'required' | 'any' | undefined
  /** `open`, where others may listen: what leaves the machine is TLS to a server that is known. */
  readonly network?: 'open' | 'private' | undefined
}

/** Nothing of ours may hold a lock for longer than people wait: milliseconds. */
export interface Timeouts {
  readonly statement_ms: number
  readonly lock_ms: number
  readonly idleInTransaction_ms: number
  /** From BEGIN to COMMIT; only Postgres 17 and later knows it. */
  readonly transaction_ms: number
}

export const TIMEOUTS: Timeouts = {
  statement_ms: 5_000,
  lock_ms: 2_000,
  idleInTransaction_ms: 5_000,
  transaction_ms: 10_000,
}

/**
 * For a transaction that reads much, as whoever audits, seals or verifies does: it locks nothing
 * that others wait for, but it may not last for ever.
 */
export const PATIENT = patience('4h')
/** For a transaction that takes as long as it takes: a migration that is cut off is none. */
const ENDLESS = `SET LOCAL lock_timeout = 0; ${patience('0')}`

/** A timer that runs is not moved by another time; it has to be stopped first. */
function patience(time: string): string {
  const transaction = (value: string) => `
    SELECT CASE WHEN current_setting('server_version_num')::int >= 170000
                THEN set_config('transaction_timeout', '${value}', true) END`
  return `
    SET LOCAL statement_timeout = '${time}';
    SET LOCAL idle_in_transaction_session_timeout = '${time}';
    ${transaction('0')}; ${transaction(time)}`
}

/** A connection inside a transaction. `name` makes Postgres prepare the statement once. */
export interface Connection {
  query(statement: {
    readonly name?: string
    readonly text: string
    readonly values?: readonly unknown[]
    /** Rows as arrays: an object for each is made slowly. */
    readonly rowMode?: 'array'
  }): Promise<{ rows: unknown[] }>
  query(query: pg.Query): unknown
}

const INT8: number = pg.types.builtins.INT8

const silent = () => {}

/** `bigint` columns arrive as JavaScript bigint, on our connections only. */
const types: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format: 'text') =>
    oid === INT8 ? BigInt : pg.types.getTypeParser(oid, format)) as never,
}

/** The system would wait for two hours before it asks whether the other end is still there. */
export const KEEP_ALIVE = { keepAlive: true, keepAliveInitialDelayMillis: 10_000 } as const

/** What `pg` needs to connect as us; both knex and the group commit use it. */
export function connectionOptions(options: DatabaseOptions): pg.PoolConfig {
  const { url, role, applicationName, timeouts = TIMEOUTS } = options
  const settings = role === undefined ? [] : [`-c role=${role}`]
  return {
    connectionString: url,
    types,
    application_name: applicationName,
    options: settings.join(' '),
    statement_timeout: timeouts.statement_ms,
    lock_timeout: timeouts.lock_ms,
    idle_in_transaction_session_timeout: timeouts.idleInTransaction_ms,
    ...KEEP_ALIVE,
    connectionTimeoutMillis: 5_000,
  }
}

/**
 * Looks at a new connection before it is used, and watches it from then on: a database may be
 * replaced by its replica, configured anew, or gone, while we run.
 * @throws {LedgerError} `ledger_unavailable` when it is not one that we may write to.
 */
export async function acceptConnection(
  connection: pg.ClientBase,
  { timeouts = TIMEOUTS, durability = 'any', network = 'private' }: DatabaseOptions,
): Promise<void> {
  if (network === 'open' && canBeHeard(streamOf(connection))) {
    throw new LedgerError('ledger_unavailable', { cause: new Error(CAN_BE_HEARD) })
  }
  endWhenSilent(connection, timeouts.statement_ms)
  const { rows } = await connection.query<Facts>(FACTS, [`${timeouts.transaction_ms}`])
  const [facts] = rows
  const faults = durability === 'any' || facts === undefined ? [] : faultsOf(facts)
  if (faults.length === 0) return
  const cause = new Error(`the database may not keep what it confirms: ${faults.join(', ')}`)
  throw new LedgerError('ledger_unavailable', { cause })
}

const CAN_BE_HEARD =
  'the connection to the database is neither TLS to a server that is known nor on this machine'

/** What of a socket tells whether anybody else could listen, or could be what answers. */
export interface Line {
  /** Of TLS: that the other end is who it should be. */
  readonly authorized?: boolean
  /** None where it is a socket in the file system. */
  readonly remoteAddress?: string | undefined
}

export const canBeHeard = ({ authorized = false, remoteAddress }: Line): boolean =>
  !authorized && remoteAddress !== undefined && !LOOPBACK.test(remoteAddress)

const LOOPBACK = /^(?:(?:::ffff:)?127\.|::1$)/

interface Facts {
  readonly fsync: string
  readonly full_page_writes: string
  readonly synchronous_commit: string
  readonly is_replica: boolean
}

const FACTS = `
  SELECT current_setting('fsync') AS fsync,
         current_setting('full_page_writes') AS full_page_writes,
         current_setting('synchronous_commit') AS synchronous_commit,
         pg_is_in_recovery() AS is_replica,
         CASE WHEN current_setting('server_version_num')::int >= 170000
              THEN set_config('transaction_timeout', $1, false) END`

/** What of a database could lose money that somebody was told had moved. */
export function faultsOf({ is_replica: isReplica, ...switches }: Facts): string[] {
  const off = Object.entries(switches).filter(([, value]) => value === 'off')
  return [...off.map(([name]) => `${name} is off`), ...(isReplica ? ['it is a replica'] : [])]
}

export function connect(options: DatabaseOptions): Knex {
  return knex({
    client: 'pg',
    connection: connectionOptions(options) as never,
    pool: { min: 0, max: options.connectionsMax, afterCreate: acceptOrClose(options) },
    acquireConnectionTimeout: 5_000,
    // Whatever knex has to say arrives as an error too; its own lines would break the JSON log.
    log: { warn: silent, error: silent, deprecate: silent, debug: silent },
  })
}

/** As knex's pool asks for it, which forgets a connection that is refused without closing it. */
const acceptOrClose = (options: DatabaseOptions) =>
  callbackify(async (connection: pg.Client) => {
    try {
      await acceptConnection(connection, options)
    } catch (error) {
      await connection.end().catch(silent)
      throw error
    }
  })

/**
 * Applies the .sql files of `folders`, in name order within each folder, each in one transaction.
 * Safe to run at any time, from several processes at once, and after a run that was killed: knex
 * would take the row it leaves behind for a running migration, so the lock is one of Postgres's
 * own.
 */
export async function migrate(db: Knex, folders: readonly URL[]): Promise<void> {
  const config = { migrationSource: sqlFiles(folders), tableName: 'migrations' }
  await db.transaction(async (trx) => {
    await trx.raw(ENDLESS)
    await trx.raw('SELECT pg_advisory_xact_lock(hashtext(?))', ['florin migrations'])
    await db.migrate.forceFreeMigrationsLock(config)
    await db.migrate.latest(config)
  })
}

function sqlFiles(folders: readonly URL[]): Knex.MigrationSource<URL> {
  return {
    async getMigrations() {
      const files = await Promise.all(folders.map(sqlFilesOf))
      return files.flat()
    },
    getMigrationName: (file) => basename(fileURLToPath(file), '.sql'),
    getMigration: async (file) => {
      const sql = await readFile(file, 'utf8')
      return { up: (trx) => trx.raw(sql), down: () => Promise.reject(new Error('forward only')) }
    },
  }
}

async function sqlFilesOf(folder: URL): Promise<URL[]> {
  const names = await readdir(folder)
  return names
    .filter((name) => name.endsWith('.sql'))
    .sort()
    .map((name) => new URL(name, folder))
}
