/** The Postgres of the torture: durable, killed on purpose in each of its parts, and back. */
import { readdirSync, readFileSync } from 'node:fs'
import type { NetConnectOpts } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { type LocalPostgres, startPostgres } from '../../services/local/postgres.ts'
import { sendSignal } from '../../services/local/signals.ts'
import { letRolesLogIn, migrateAll } from '../../services/migrations.ts'
import { run } from '../bench/server.ts'

const DATABASE = 'florin_torture'

export interface KeptPostgres {
  /** The owner's. */
  readonly url: string
  readonly urlOf: (role: string) => string
  readonly database: string
  /** Where it listens. */
  readonly target: NetConnectOpts
  /** Ends it as a whole, without a word; it is started again on its data. */
  readonly killServer: () => void
  /** Ends one of the processes that serve ours; Postgres then starts them all anew. */
  readonly killBackend: (random: () => number) => boolean
  /** Stops one of them inside a transaction, with all that it has locked. */
  readonly freezeBackend: (ms: number) => Promise<boolean>
  /** How long each start took, the first one and those after a kill. */
  readonly starts: () => readonly number[]
  readonly stop: () => Promise<void>
}

/** Those of connections that broke are there until it notices. */
const SETTINGS = { max_connections: '300' }

export async function keepPostgres(folder: string): Promise<KeptPostgres> {
  const starts: number[] = []
  const start = async (): Promise<LocalPostgres> => {
    const begun = performance.now()
    const dataDir = join(folder, 'postgres')
    const started = await startPostgres({ dataDir, durable: true, settings: SETTINGS })
    starts.push(performance.now() - begun)
    return started
  }
  let [server, isStopping, stop] = [await start(), false, () => {}]
  const stopped = new Promise<void>((resolve) => (stop = resolve))
  const watching = (async () => {
    for (;;) {
      // One that is stopped does not say that it ended.
      await Promise.race([server.exited, stopped])
      if (isStopping) return
      server = await start()
    }
  })()
  const { urlOf, target } = await prepare(server)
  return {
    ...{ url: urlOf('postgres'), urlOf, database: DATABASE, target, starts: () => starts },
    killServer: () => sendSignal(server.pid, 'SIGKILL'),
    killBackend(random) {
      const all = backendsOf(server.pid)
      const victim = all[Math.floor(random() * all.length)]
      if (victim !== undefined) sendSignal(victim.pid, 'SIGKILL')
      return victim !== undefined
    },
    freezeBackend: (ms) => freezeBackend(() => server.pid, ms),
    async stop() {
      isStopping = true
      stop()
      await watching
      await server.stop()
    },
  }
}

async function prepare({ url }: LocalPostgres) {
  await run(url('postgres', 'postgres'), `CREATE DATABASE ${DATABASE}`)
  const urlOf = (role: string) => url(role, DATABASE)
  await migrateAll(urlOf('postgres'))
  await letRolesLogIn(urlOf('postgres'), {})
  const { host, port } = new pg.Client({ connectionString: urlOf('postgres') })
  return { urlOf, target: { path: join(host, `.s.PGSQL.${port}`) } }
}

interface Backend {
  readonly pid: number
  /** `idle`, or what it is doing. */
  readonly doing: string
}

const TITLE = new RegExp(`^postgres: florin_\\w+ ${DATABASE} \\[local\\] ([^\\0]*)`)

/** Those that serve processes of ours, as Postgres shows them to the system; none but on Linux. */
function backendsOf(postmaster: number): Backend[] {
  return numbersIn('/proc').flatMap((pid) => {
    const doing = TITLE.exec(textOf(`/proc/${pid}/cmdline`))?.[1]?.trimEnd()
    const parent = /\) \S (\d+)/.exec(textOf(`/proc/${pid}/stat`))?.[1]
    return doing !== undefined && parent === `${postmaster}` ? [{ pid, doing }] : []
  })
}

function numbersIn(folder: string): number[] {
  try {
    return readdirSync(folder)
      .filter((name) => /^\d+$/.test(name))
      .map(Number)
  } catch {
    return []
  }
}

/** Nothing of what is gone, or somebody else's. */
function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

const LOOKS = 100
const LOOK_EVERY_MS = 20

/** @returns whether one was found at work. */
async function freezeBackend(postmaster: () => number, ms: number): Promise<boolean> {
  for (let look = 0; look < LOOKS; look += 1) {
    const busy = backendsOf(postmaster()).find(({ doing }) => doing !== 'idle')
    if (busy !== undefined) {
      sendSignal(busy.pid, 'SIGSTOP')
      await sleep(ms)
      sendSignal(busy.pid, 'SIGCONT')
      return true
    }
    await sleep(LOOK_EVERY_MS)
  }
  return false
}
