/**
 * A primary and its replica, by the tools of an installed Postgres: nothing is confirmed before the
 * replica has it on its disk too.
 */
import { type ChildProcess, execFileSync, spawn, type SpawnOptions } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, closeSync, existsSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { accountFor, deathPact, ENVIRONMENT } from '../../../services/local/account.ts'
import { openLog } from '../../../services/local/log-file.ts'
import { endProcess, sendSignal, type Steps } from '../../../services/local/signals.ts'
import { run } from '../../bench/server.ts'
import { freePort } from '../../support/ports.ts'
import { childrenOf } from './database.ts'

const ROOT = '/usr/lib/postgresql'
/** The migrations use what came with it. */
const VERSION_MIN = 15
const TOOLS = ['initdb', 'pg_basebackup', 'pg_ctl', 'postgres']

/** Where the newest are; undefined where they are not all there. */
export function findTools(): { readonly folder: string; readonly version: number } | undefined {
  const versions = existsSync(ROOT) ? readdirSync(ROOT).map(Number) : []
  return versions
    .filter((version) => version >= VERSION_MIN)
    .sort((a, b) => b - a)
    .map((version) => ({ folder: join(ROOT, `${version}`, 'bin'), version }))
    .find(({ folder }) => TOOLS.every((tool) => existsSync(join(folder, tool))))
}

export interface Server {
  readonly port: number
  readonly urlOf: (role: string, database: string) => string
  /** All of its processes are gone at once. */
  readonly kill: () => Promise<void>
}

export interface Pair {
  readonly primary: Server
  /** Resolves when it takes writes. */
  readonly promote: () => Promise<Server>
  readonly replica: Server
  /** Of both. */
  readonly logFiles: readonly string[]
  /** Both, whatever has become of them. */
  readonly stop: () => Promise<void>
}

const SETTINGS = {
  ...{ max_connections: '100', shared_buffers: '256MB', jit: 'off', timezone: 'UTC' },
  ...{
    fsync: 'on',
    full_page_writes: 'on',
    synchronous_commit: 'on',
    listen_addresses: '127.0.0.1',
  },
  ...{ wal_level: 'replica', max_wal_senders: '4', hot_standby: 'on', log_statement: 'none' },
  // Its messages are counted: what a statement says must not be taken for one.
  log_min_error_statement: 'panic',
}
const REPLICA = 'replica_1'

export async function openPair(parent: string, tools: string): Promise<Pair> {
  const ours = openTools(parent, tools)
  try {
    const how = ['-U', 'postgres', '-A', 'trust', '--data-checksums']
    ours.call('initdb', '-D', ours.folderOf('primary'), ...how)
    const primary = await ours.start('primary')
    const from = `host=127.0.0.1 port=${primary.port} user=postgres application_name=${REPLICA}`
    const copy = ['-d', from, '-R', '-X', 'stream', '-c', 'fast']
    ours.call('pg_basebackup', '-D', ours.folderOf('replica'), ...copy)
    const replica = await ours.start('replica')
    await confirmOnBoth(primary)
    return {
      ...{ primary, replica, logFiles: ours.logFiles, stop: () => ours.stop() },
      async promote() {
        ours.call('pg_ctl', 'promote', '-D', ours.folderOf('replica'))
        return replica
      },
    }
  } catch (error) {
    await ours.stop()
    throw error
  }
}

/** The tools, on data of their own; `stop` ends what was started with them, the newest first. */
function openTools(parent: string, tools: string) {
  const folder = join(parent, 'pair')
  const { prefix, ids } = accountFor(folder)
  mkdirSync(folder, { mode: 0o700 })
  if (ids !== undefined) {
    chownSync(parent, ids.uid, ids.gid)
    chownSync(folder, ids.uid, ids.gid)
  }
  const how = { cwd: '/', env: ENVIRONMENT, ...ids }
  const [servers, logFiles]: [Stoppable[], string[]] = [[], []]
  const folderOf = (name: string) => join(folder, name)
  return {
    ...{ folderOf, logFiles },
    call(tool: string, ...args: readonly string[]) {
      const [command = '', ...others] = [...prefix, join(tools, tool), ...args]
      execFileSync(command, others, { ...how, stdio: 'pipe' })
    },
    async start(name: string): Promise<Server> {
      const port = await freePort()
      const given = { ...SETTINGS, port: `${port}`, unix_socket_directories: folder }
      const flags = Object.entries(given).flatMap(([key, value]) => ['-c', `${key}=${value}`])
      // They end when whoever started them is killed: nobody else knows of them.
      const line = [...prefix, ...deathPact(), join(tools, 'postgres'), '-D', folderOf(name)]
      const logFile = join(parent, `${name}.log`)
      logFiles.push(logFile)
      const server = serverOf(spawnLogged([...line, ...flags], how, logFile), port)
      servers.push(server)
      await becomesTrue(server, 'SELECT 1')
      return server
    },
    async stop() {
      for (const server of servers.toReversed()) await server.stop()
    },
  }
}

function spawnLogged([command = '', ...args]: string[], how: SpawnOptions, logFile: string) {
  const log = openLog(logFile)
  try {
    return spawn(command, args, { ...how, stdio: ['ignore', log, log], detached: true })
  } finally {
    closeSync(log)
  }
}

/** From then on, and not before: alone it would wait for ever. */
async function confirmOnBoth(primary: Server): Promise<void> {
  const url = primary.urlOf('postgres', 'postgres')
  await run(url, `ALTER SYSTEM SET synchronous_standby_names = '${REPLICA}'`)
  await run(url, 'SELECT pg_reload_conf()')
  await becomesTrue(primary, "SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'")
}

interface Stoppable extends Server {
  readonly stop: () => Promise<void>
}

/** Fast shutdown, then immediate shutdown. */
const STOP_STEPS: Steps = [
  ['SIGINT', 10_000],
  ['SIGQUIT', 10_000],
  ['SIGKILL', 5_000],
]

function serverOf(child: ChildProcess, port: number): Stoppable {
  const pid = child.pid ?? 0
  // What cannot even be started never gets there, and that is said.
  const ended = once(child, 'exit').catch(() => {})
  return {
    port,
    urlOf: (role, database) => `postgres://${role}@127.0.0.1:${port}/${database}`,
    async kill() {
      for (const one of [pid, ...childrenOf(pid)]) sendSignal(one, 'SIGKILL')
      await ended
    },
    stop: () => endProcess(child.pid, ended, STOP_STEPS),
  }
}

const READY_MAX_MS = 60_000
const READY_EVERY_MS = 100

async function becomesTrue(server: Server, sql: string): Promise<void> {
  const deadline = performance.now() + READY_MAX_MS
  for (;;) {
    const rows = await run(server.urlOf('postgres', 'postgres'), sql).catch(() => [])
    if (rows.length > 0) return
    if (performance.now() > deadline) throw new Error(`Postgres does not get there: ${sql}`)
    await sleep(READY_EVERY_MS)
  }
}
