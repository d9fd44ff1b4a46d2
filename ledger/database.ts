/** Connecting to Postgres and bringing its schema up to date. */
import { readdir, readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import knex, { type Knex } from 'knex'
import pg from 'pg'

export interface DatabaseOptions {
  readonly url: string
  /** Every connection acts as this role, whatever the url's own user may do besides. */
  readonly role?: string | undefined
  readonly connectionsMax: number
  readonly applicationName: string
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

/** Nothing of ours may hold a lock for longer than people wait: milliseconds. */
const TIMEOUTS = { lock_timeout: 2_000, statement_timeout: 5_000 } as const
const IDLE_IN_TRANSACTION_MAX_MS = 5_000

const INT8: number = pg.types.builtins.INT8

const silent = () => {}

/** `bigint` columns arrive as JavaScript bigint, on our connections only. */
const types: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format: 'text') =>
    oid === INT8 ? BigInt : pg.types.getTypeParser(oid, format)) as never,
}

/** What `pg` needs to connect as us; both knex and the group commit use it. */
export function connectionOptions({ url, role, applicationName }: DatabaseOptions): pg.PoolConfig {
  const settings = role === undefined ? [] : [`-c role=${role}`]
  return {
    connectionString: url,
    types,
    application_name: applicationName,
    options: settings.join(' '),
    ...TIMEOUTS,
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MAX_MS,
    keepAlive: true,
    connectionTimeoutMillis: 5_000,
  }
}

export function connect(options: DatabaseOptions): Knex {
  return knex({
    client: 'pg',
    connection: connectionOptions(options) as never,
    pool: { min: 0, max: options.connectionsMax },
    acquireConnectionTimeout: 5_000,
    // Whatever knex has to say arrives as an error too; its own lines would break the JSON log.
    log: { warn: silent, error: silent, deprecate: silent, debug: silent },
  })
}

/**
 * Applies the .sql files of `folders`, in name order within each folder, each in one transaction.
 * Safe to run at any time, from several processes at once, and after a run that was killed: knex
 * would take the row it leaves behind for a running migration, so the lock is one of Postgres's
 * own.
 */
export async function migrate(db: Knex, folders: readonly URL[]): Promise<void> {
  const config = { migrationSource: sqlFiles(folders), tableName: 'migrations' }
  await db.transaction(async (trx) => {
    await trx.raw('SET LOCAL statement_timeout = 0')
    await trx.raw('SET LOCAL lock_timeout = 0')
    await trx.raw('SET LOCAL idle_in_transaction_session_timeout = 0')
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
