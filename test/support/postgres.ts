/**
 * A real Postgres for the tests: the one in DATABASE_URL, else a container when a Docker engine
 * answers and has the image, else the embedded one. Which it is, is printed.
 */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { startPostgres } from '../../services/local/postgres.ts'
import { migrateAll } from '../../services/migrations.ts'

export interface TestServer {
  /** What was chosen, for people. */
  readonly kind: string
  /** A superuser's url for one of the server's databases. */
  readonly url: (database: string) => string
  /** Of the embedded one. */
  readonly logFile?: string
  readonly stop: () => Promise<void>
}

/** Several worlds at a time, each with the connections of a few processes. */
const SETTINGS = { max_connections: '400' }

const IMAGE = process.env['TEST_POSTGRES_IMAGE'] ?? 'postgres:18'

async function startTestServer(): Promise<TestServer> {
  const given = process.env['DATABASE_URL']
  if (given !== undefined && given !== '') return { kind: 'DATABASE_URL', ...at(given) }
  if (dockerHas(IMAGE)) return startContainer()
  return startEmbedded()
}

const at = (url: string) => ({
  url: (database: string) => Object.assign(new URL(url), { pathname: `/${database}` }).toString(),
  stop: async () => {},
})

/** Answers at once when there is no engine; never pulls, so that tests need no internet. */
function dockerHas(image: string): boolean {
  const asked = spawnSync('docker', ['image', 'inspect', image], {
    stdio: 'ignore',
    timeout: 5_000,
  })
  return asked.status === 0
}

async function startContainer(): Promise<TestServer> {
  const { GenericContainer, Wait } = await import('testcontainers')
  const container = await new GenericContainer(IMAGE)
    .withEnvironment({ POSTGRES_PASSWORD: 'test', POSTGRES_USER: 'postgres' })
    .withExposedPorts(5432)
    .withWaitStrategy(Wait.forLogMessage(/ready to accept connections/, 2))
    .start()
  const url = `postgres://postgres:test@${container.getHost()}:${container.getMappedPort(5432)}/`
  return { kind: `container ${IMAGE}`, ...at(url), stop: async () => void (await container.stop()) }
}

/** One of its own for whoever asks: nobody else's transactions are in it. */
export async function startEmbedded(
  settings: Readonly<Record<string, string>> = SETTINGS,
): Promise<TestServer> {
  const memory = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()
  const folder = await mkdtemp(join(memory, 'florin-test-'))
  const server = await startPostgres({
    dataDir: join(folder, 'postgres'),
    ...{ durable: false, settings },
  })
  return {
    kind: 'embedded Postgres',
    logFile: join(folder, 'postgres.log'),
    url: (database) => server.url('postgres', database),
    async stop() {
      await server.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** How the processes of a run find its server: they have nothing else in common. */
const SERVED = 'TEST_SERVED'
/** What databases are copies of. */
export const [EMPTY, MIGRATED] = ['template1', 'florin_migrated']
const PLACE = '/the-database'

/** Starts the server of a run, for this process and for those that it starts from now on. */
export async function serveTests(): Promise<TestServer> {
  const server = await startTestServer()
  await migrateAll(await createDatabase(server, MIGRATED, EMPTY))
  const { kind, logFile } = server
  process.env[SERVED] = JSON.stringify({ kind, logFile, url: server.url(PLACE.slice(1)) })
  return server
}

/** The server of this run. */
export function testServer(): Omit<TestServer, 'stop'> {
  const { kind, logFile, url } = JSON.parse(process.env[SERVED] ?? '{}')
  return { kind, logFile, url: (database) => url.replace(PLACE, `/${database}`) }
}

/** A new database: empty, or a copy of the one that is migrated. */
export async function createDatabase(
  server: Pick<TestServer, 'url'>,
  name: string,
  from: string,
): Promise<string> {
  await asOwner(server, `CREATE DATABASE ${name} TEMPLATE ${from} STRATEGY FILE_COPY`)
  return server.url(name)
}

export const dropDatabase = (server: Pick<TestServer, 'url'>, name: string) =>
  asOwner(server, `DROP DATABASE ${name} WITH (FORCE)`)

async function asOwner(server: Pick<TestServer, 'url'>, ...statements: string[]): Promise<void> {
  const client = new pg.Client({ connectionString: server.url('postgres') })
  await client.connect()
  try {
    for (const statement of statements) await client.query(statement)
  } finally {
    await client.end()
  }
}
