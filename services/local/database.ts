/** The database of `npm start`: the one in DATABASE_URL, else an embedded Postgres of our own. */
import pg from 'pg'
import { letRolesLogIn, migrateAll } from '../migrations.ts'
import { type LocalPostgres, startPostgres } from './postgres.ts'

export interface LocalDatabase {
  /** The url by which a process of this role connects. */
  readonly urlOf: (role: string) => string
  readonly close: () => Promise<void>
}

const NAME = 'florin'
const OWNER = 'postgres'

/** Started, created, up to date; and started again whenever it dies before `close`. */
export async function openLocalDatabase(
  given: string | undefined,
  dataDir: string,
  say: (line: string) => void,
  keys: Parameters<typeof migrateAll>[1],
): Promise<LocalDatabase> {
  if (given !== undefined) {
    await migrateAll(given, keys)
    return { urlOf: () => given, close: async () => {} }
  }
  let postgres = await startPostgres({ dataDir })
  let closed = false
  const watch = (server: LocalPostgres): void => {
    void server.exited.then(async (reason) => {
      if (closed) return
      say(`${reason}; starting it again`)
      postgres = await startPostgres({ dataDir })
      watch(postgres)
    })
  }
  watch(postgres)
  await createDatabase(postgres.url(OWNER, 'postgres'))
  await migrateAll(postgres.url(OWNER, NAME), keys)
  await letRolesLogIn(postgres.url(OWNER, NAME), {})
  return {
    urlOf: (role) => postgres.url(role, NAME),
    async close() {
      closed = true
      await postgres.stop()
    },
  }
}

async function createDatabase(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => {})
  await client.connect()
  try {
    const { rows } = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [NAME])
    if (rows.length === 0) await client.query(`CREATE DATABASE ${NAME}`)
  } finally {
    await client.end()
  }
}
