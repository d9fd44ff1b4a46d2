/** The Postgres that everything is measured on, durable and on disk, and its databases. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { startPostgres } from '../../services/local/postgres.ts'
import { letRolesLogIn, migrateAll } from '../../services/migrations.ts'

export interface BenchServer {
  readonly version: string
  /** The owner's, into a database that nobody measures. */
  readonly url: string
  /** The process id of the server, if it is ours: its other processes are its children. */
  readonly postmaster: number | undefined
  /** For logs and keys; removed at the end. */
  readonly folder: string
  /** A new database as the migrations leave it, or as `template` is. Nobody may be in that one. */
  readonly databaseOf: (name: string, template?: string) => Promise<Database>
  /** After it every page that is changed goes into the log as a whole, once. */
  readonly checkpoint: () => Promise<void>
  readonly stop: () => Promise<void>
}

export interface Database {
  readonly name: string
  /** The owner's. */
  readonly url: string
  readonly urlOf: (role: string) => string
}

interface Host {
  readonly postmaster?: number
  readonly urlOf: (role: string, database: string) => string
  readonly stop: () => Promise<void>
}

const MIGRATED = 'florin_bench_migrated'
const OWNER = 'postgres'

/** The server in BENCH_DATABASE_URL, whose user must be a superuser, or one of our own. */
export async function openBenchServer(): Promise<BenchServer> {
  const folder = await mkdtemp(join(tmpdir(), 'florin-bench-'))
  const host = await openHost(folder)
  const made: string[] = []
  const admin = host.urlOf(OWNER, 'postgres')
  const administer = (sql: string) => run(admin, sql)

  async function create(name: string, template = 'template1'): Promise<Database> {
    await administer(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)
    made.push(name)
    await administer(`CREATE DATABASE ${name} TEMPLATE ${template}`)
    return { name, url: host.urlOf(OWNER, name), urlOf: (role) => host.urlOf(role, name) }
  }

  async function stop(): Promise<void> {
    for (const name of made) await administer(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)
    await host.stop()
    await rm(folder, { recursive: true, force: true })
  }

  const { url } = await create(MIGRATED)
  await migrateAll(url)
  await letRolesLogIn(url, {})
  const [{ server_version: version = '' } = {}] = await run(url, 'SHOW server_version')
  return {
    ...{ version, folder, url: admin, postmaster: host.postmaster, stop },
    databaseOf: (name, from = MIGRATED) => create(name, from),
    async checkpoint() {
      await administer('CHECKPOINT')
    },
  }
}

/**
 * As in docker-compose.yml: room for the books in memory, and a log long enough that a page which
 * is changed often is not written into it as a whole again and again.
 */
const SETTINGS = { shared_buffers: '1GB', max_wal_size: '8GB', checkpoint_timeout: '15min' }

async function openHost(folder: string): Promise<Host> {
  const given = process.env['BENCH_DATABASE_URL']
  if (given !== undefined && given !== '') {
    const urlOf = (_role: string, database: string) =>
      Object.assign(new URL(given), { pathname: `/${database}` }).toString()
    return { urlOf, stop: async () => {} }
  }
  const dataDir = join(folder, 'postgres')
  const server = await startPostgres({ dataDir, durable: true, settings: SETTINGS })
  return { urlOf: server.url, stop: server.stop, postmaster: server.pid }
}

/** Runs a statement on a connection of its own, with no limit on its time. */
export const run = (url: string, sql: string): Promise<Record<string, string>[]> =>
  withConnection(url, (query) => query(sql))

export type Query = (sql: string) => Promise<Record<string, string>[]>

export async function withConnection<T>(
  url: string,
  work: (query: Query) => Promise<T>,
): Promise<T> {
  const client = new pg.Client({ connectionString: url, application_name: 'florin bench' })
  await client.connect()
  try {
    return await work(async (sql) => (await client.query<Record<string, string>>(sql)).rows)
  } finally {
    await client.end()
  }
}
