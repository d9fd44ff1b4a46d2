/** The Postgres that everything is measured on, durable and on disk, and its databases. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { startPostgres } from '../../services/local/postgres.ts'
import { letRolesLogIn, migrateAll } from '../../services/migrations.ts'

export interface BenchServer {
  readonly version: string
  /** For logs and keys; removed at the end. */
  readonly folder: string
  /** A new database as the migrations leave it, or as `template` is. Nobody may be in that one. */
  readonly databaseOf: (name: string, template?: string) => Promise<Database>
  readonly stop: () => Promise<void>
}

export interface Database {
  readonly name: string
  /** The owner's. */
  readonly url: string
  readonly urlOf: (role: string) => string
}

interface Host {
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
  const administer = (sql: string) => run(host.urlOf(OWNER, 'postgres'), sql)

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
  return { version, folder, databaseOf: (name, from = MIGRATED) => create(name, from), stop }
}

async function openHost(folder: string): Promise<Host> {
  const given = process.env['BENCH_DATABASE_URL']
  if (given !== undefined && given !== '') {
    const urlOf = (_role: string, database: string) =>
      Object.assign(new URL(given), { pathname: `/${database}` }).toString()
    return { urlOf, stop: async () => {} }
  }
  const server = await startPostgres({ dataDir: join(folder, 'postgres'), durable: true })
  return { urlOf: server.url, stop: server.stop }
}

/** Runs statements on a connection of their own, with no limit on their time. */
export async function run(url: string, sql: string): Promise<Record<string, string>[]> {
  const client = new pg.Client({ connectionString: url, application_name: 'florin bench' })
  await client.connect()
  try {
    const { rows } = await client.query<Record<string, string>>(sql)
    return rows
  } finally {
    await client.end()
  }
}
