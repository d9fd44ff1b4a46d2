/** The Postgres of a load: durable, and stopped or killed as a whole when that is what is tried. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { startPostgres } from '../../../services/local/postgres.ts'
import { sendSignal } from '../../../services/local/signals.ts'
import { letRolesLogIn, migrateAll } from '../../../services/migrations.ts'
import { run } from '../../bench/server.ts'

const NAME = 'florin_torture'

export interface LoadDatabase {
  /** The owner's. */
  readonly url: string
  readonly urlOf: (role: string) => string
  /** All of its processes stand still, until they go on. */
  readonly freeze: () => void
  readonly thaw: () => void
  /** Its first process is gone at once, and the others soon notice. */
  readonly kill: () => Promise<void>
  /** Resolves when it takes connections. */
  readonly startAgain: () => Promise<void>
  readonly stop: () => Promise<void>
}

/** As in docker-compose.yml. */
const SETTINGS = { shared_buffers: '1GB', max_wal_size: '8GB', checkpoint_timeout: '15min' }

export async function openDatabase(folder: string): Promise<LoadDatabase> {
  const dataDir = join(folder, 'postgres')
  const start = () => startPostgres({ dataDir, durable: true, settings: SETTINGS })
  let server = await start()
  await prepareDatabase((role, database) => server.url(role, database))
  const urlOf = (role: string) => server.url(role, NAME)
  const signal = (name: NodeJS.Signals) => {
    for (const pid of [server.pid, ...childrenOf(server.pid)]) sendSignal(pid, name)
  }
  return {
    ...{ url: urlOf('postgres'), urlOf },
    freeze: () => signal('SIGSTOP'),
    thaw: () => signal('SIGCONT'),
    async kill() {
      sendSignal(server.pid, 'SIGKILL')
      await server.exited
    },
    async startAgain() {
      server = await start()
    },
    stop: () => server.stop(),
  }
}

/** Makes the database on a new server; `urlOf` is how its roles reach one there. */
export async function prepareDatabase(
  urlOf: (role: string, database: string) => string,
): Promise<string> {
  await run(urlOf('postgres', 'postgres'), `CREATE DATABASE ${NAME}`)
  await migrateAll(urlOf('postgres', NAME))
  await letRolesLogIn(urlOf('postgres', NAME), {})
  return NAME
}

/** As the system knows them: none but on Linux. */
export function childrenOf(parent: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => parentOf(pid) === parent)
}

function parentOf(pid: number): number | undefined {
  try {
    return Number(/\) \S (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1])
  } catch {
    // It ended while we looked.
    return undefined
  }
}
