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

export interface TestServer {
  /** What was chosen, for people. */
  readonly kind: string
  /** A superuser's url for one of the server's databases. */
  readonly url: (database: string) => string
  /** Of the embedded one. */
  readonly logFile?: string
  readonly stop: () => Promise<void>
}

const IMAGE = process.env['TEST_POSTGRES_IMAGE'] ?? 'postgres:18'

export async function startTestServer(): Promise<TestServer> {
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

async function startEmbedded(): Promise<TestServer> {
  const memory = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()
  const folder = await mkdtemp(join(memory, 'florin-test-'))
  const server = await startPostgres({ dataDir: join(folder, 'postgres'), durable: false })
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

/** A new, empty database. */
export async function createDatabase(server: TestServer, name: string): Promise<string> {
  const client = new pg.Client({ connectionString: server.url('postgres') })
  await client.connect()
  try {
    await client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)
    await client.query(`CREATE DATABASE ${name}`)
  } finally {
    await client.end()
  }
  return server.url(name)
}
