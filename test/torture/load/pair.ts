/**
 * A primary and its replica, by the tools of an installed Postgres: nothing is confirmed before the
 * replica has it on its disk too.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, existsSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { accountFor, ENVIRONMENT } from '../../../services/local/account.ts'
import { sendSignal } from '../../../services/local/signals.ts'
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
  readonly stop: () => Promise<void>
}

export interface Pair {
  readonly primary: Server
  /** Resolves when it takes writes. */
  readonly promote: () => Promise<Server>
  readonly replica: Server
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
}
const REPLICA = 'replica_1'

export async function openPair(parent: string, tools: string): Promise<Pair> {
  const { prefix, ids } = accountFor(join(parent, 'pair'))
  const folder = join(parent, 'pair')
  mkdirSync(folder, { mode: 0o700 })
  if (ids !== undefined) {
    chownSync(parent, ids.uid, ids.gid)
    chownSync(folder, ids.uid, ids.gid)
  }
  const how = { cwd: '/', env: ENVIRONMENT, ...ids }
  const line = (tool: string, args: readonly string[]) => [...prefix, join(tools, tool), ...args]
  const call = (tool: string, ...args: readonly string[]) => {
    const [command = '', ...others] = line(tool, args)
    execFileSync(command, others, { ...how, stdio: 'pipe' })
  }
  const start = async (name: string, settings: Readonly<Record<string, string>>) => {
    const port = await freePort()
    const given = { ...SETTINGS, ...settings, port: `${port}`, unix_socket_directories: folder }
    const flags = Object.entries(given).flatMap(([key, value]) => ['-c', `${key}=${value}`])
    const [command = '', ...args] = line('postgres', ['-D', join(folder, name), ...flags])
    return serverOf(spawn(command, args, { ...how, stdio: 'ignore', detached: true }), port)
  }
  const data = join(folder, 'primary')
  call('initdb', '-D', data, '-U', 'postgres', '-A', 'trust', '--data-checksums')
  const primary = await start('primary', {})
  const from = `host=127.0.0.1 port=${primary.port} user=postgres application_name=${REPLICA}`
  call(
    'pg_basebackup',
    '-D',
    join(folder, 'replica'),
    '-d',
    from,
    '-R',
    '-X',
    'stream',
    '-c',
    'fast',
  )
  const replica = await start('replica', {})
  await confirmOnBoth(primary)
  return {
    ...{ primary, replica },
    async promote() {
      call('pg_ctl', 'promote', '-D', join(folder, 'replica'))
      return replica
    },
  }
}

/** From then on, and not before: alone it would wait for ever. */
async function confirmOnBoth(primary: Server): Promise<void> {
  const url = primary.urlOf('postgres', 'postgres')
  await run(url, `ALTER SYSTEM SET synchronous_standby_names = '${REPLICA}'`)
  await run(url, 'SELECT pg_reload_conf()')
  await becomesTrue(primary, "SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'")
}

async function serverOf(child: ChildProcess, port: number): Promise<Server> {
  const ended = once(child, 'exit')
  const pid = child.pid ?? 0
  const server: Server = {
    port,
    urlOf: (role, database) => `postgres://${role}@127.0.0.1:${port}/${database}`,
    async kill() {
      for (const one of [pid, ...childrenOf(pid)]) sendSignal(one, 'SIGKILL')
      await ended
    },
    async stop() {
      if (child.exitCode === null && child.signalCode === null) sendSignal(pid, 'SIGINT')
      await ended
    },
  }
  await becomesTrue(server, 'SELECT 1')
  return server
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
