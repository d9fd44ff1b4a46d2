/**
 * The Postgres of a first run: the server that npm installed, on a folder of our own.
 *
 * It listens on a socket that only its owner can reach, so it needs neither a password nor a port.
 * It runs in a process group of its own, so that Ctrl-C reaches the application first; and where
 * the system can do it (Linux), it shuts down by itself when this process is killed.
 */
import { spawn } from 'node:child_process'
import { closeSync, fchownSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { accountFor, deathPact, ENVIRONMENT } from './account.ts'
import type { Account } from './account.ts'
import { findBinaries, WAY_OUT } from './binaries.ts'
import type { Binaries } from './binaries.ts'
import { PORT, realFolder, socketFolder } from './folders.ts'
import { makeCluster } from './initdb.ts'
import { logSize, openLog } from './log-file.ts'
import { becomesReady, goneFrom, readPidFile, recover, starterOf } from './recover.ts'
import type { PidFile } from './recover.ts'
import { endingOf, endProcess, isAlive } from './signals.ts'
import type { Steps } from './signals.ts'

export interface LocalPostgres {
  /** For `connectionString` of pg. No database is made by this. */
  readonly url: (user: string, database: string) => string
  readonly pid: number
  /** Shuts the server down, unless another living process started it. Waits until it is gone. */
  readonly stop: () => Promise<void>
  /** Resolves with the reason when the server ends without having been stopped here. */
  readonly exited: Promise<string>
}

export interface LocalPostgresOptions {
  /** Made if it does not exist. The log is kept next to it, in postgres.log. */
  readonly dataDir: string
  /** Server settings by name, over our own. */
  readonly settings?: Readonly<Record<string, string>>
  /** With false a power failure may lose everything: for tests. */
  readonly durable?: boolean
}

/** Who runs the server, and where: decided once, before anything is touched. */
interface Plan {
  readonly folder: string
  readonly socketDir: string
  readonly logFile: string
  readonly binaries: Binaries
  readonly account: Account
  readonly durable: boolean
  readonly settings: Readonly<Record<string, string>>
}

const SETTINGS = {
  max_connections: '100',
  shared_buffers: '256MB',
  // Our queries are short: compiling them costs more than it saves.
  jit: 'off',
  timezone: 'UTC',
  log_timezone: 'UTC',
  // Parameters and rows hold names, phone numbers and amounts: they stay out of the log.
  log_error_verbosity: 'terse',
  log_statement: 'none',
  log_min_error_statement: 'panic',
  log_parameter_max_length: '0',
  log_parameter_max_length_on_error: '0',
}
const DURABLE = { fsync: 'on', full_page_writes: 'on', synchronous_commit: 'on' }
const NOT_DURABLE = { fsync: 'off', full_page_writes: 'off', synchronous_commit: 'off' }

/** Fast shutdown, then immediate shutdown; the last leaves the backends to end by themselves. */
const STOP_STEPS: Steps = [
  ['SIGINT', 10_000],
  ['SIGQUIT', 10_000],
  ['SIGKILL', 5000],
]

/**
 * Starts Postgres on the folder, or adopts the server that runs on it. Any number of processes may
 * do so at the same time, each once.
 * @throws {Error} of one line that says what a person can do about it.
 */
export async function startPostgres(options: LocalPostgresOptions): Promise<LocalPostgres> {
  const { durable = true, settings = {} } = options
  const folder = realFolder(options.dataDir)
  const account = accountFor(folder)
  const plan: Plan = {
    folder,
    socketDir: socketFolder(folder, account.ids),
    logFile: join(dirname(folder), 'postgres.log'),
    binaries: findBinaries(),
    account,
    durable,
    settings: { ...SETTINGS, ...(durable ? DURABLE : NOT_DURABLE), ...settings },
  }
  await makeCluster(plan)
  const running = await recover(folder, plan.socketDir)
  if (running !== undefined) return adopt(folder, running)
  try {
    return await launch(plan)
  } catch (error) {
    // Two starts at once: one of them finds the data folder locked, and shares the other's server.
    const other = await recover(folder, plan.socketDir)
    if (other === undefined) throw error
    return adopt(folder, other)
  }
}

async function launch(plan: Plan): Promise<LocalPostgres> {
  const { folder, logFile } = plan
  const logStart = logSize(logFile)
  const stale = readPidFile(folder)
  const server = spawnServer(plan)
  let ending: string | undefined
  const ended = endingOf(server, logFile, logStart).then((words) => {
    ending = words
    return `Postgres ${words}`
  })
  const { pid } = server
  if (pid === undefined) throw new Error(`${await ended}; or ${WAY_OUT}`)
  const isReady = await becomesReady(folder, pid, stale, () => ending !== undefined)
  if (ending !== undefined) {
    throw new Error(`Postgres did not start; it ${ending} (its log is ${logFile}); or ${WAY_OUT}`)
  }
  const end = () => {
    server.ref()
    return endProcess(pid, ended, STOP_STEPS)
  }
  if (!isReady) {
    await end()
    throw new Error(`Postgres was not ready within a minute; its log is ${logFile}`)
  }
  server.unref()
  return handle(pid, plan.socketDir, ended, end)
}

function spawnServer({ folder, socketDir, logFile, account, binaries, settings }: Plan) {
  const fixed = {
    listen_addresses: '',
    unix_socket_directories: `"${socketDir.replaceAll('"', '""')}"`,
    unix_socket_permissions: '0700',
    // Not a setting of Postgres: whoever adopts the server learns from it whose it is.
    'florin.starter': `${process.pid}`,
  }
  const pairs = Object.entries({ ...settings, ...fixed })
  const flags = pairs.flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const line = [binaries.postgres, '-D', folder, '-p', `${PORT}`, ...flags]
  const [command = '', ...args] = [...account.prefix, ...deathPact(), ...line]
  const log = openLog(logFile)
  try {
    if (account.ids !== undefined) fchownSync(log, account.ids.uid, account.ids.gid)
    const where = { cwd: '/', env: ENVIRONMENT, detached: true, ...account.ids }
    return spawn(command, args, { ...where, stdio: ['ignore', log, log] })
  } finally {
    closeSync(log)
  }
}

/** The server may be somebody's who needs it: then it is theirs to stop. */
function adopt(folder: string, { pid, socketDir }: PidFile): LocalPostgres {
  const exited = goneFrom(folder, pid, false).then(() => 'the Postgres of another process ended')
  const end = async () => {
    const starter = starterOf(folder)
    if (starter !== undefined && isAlive(starter)) return
    await endProcess(pid, goneFrom(folder, pid, true), STOP_STEPS)
  }
  return handle(pid, socketDir, exited, end)
}

function handle(
  pid: number,
  socketDir: string,
  ended: Promise<string>,
  end: () => Promise<void>,
): LocalPostgres {
  let stopping: Promise<void> | undefined
  const exited = new Promise<string>((resolve) => {
    void ended.then((reason) => (stopping === undefined ? resolve(reason) : undefined))
  })
  const parameters = `host=${encodeURIComponent(socketDir)}&port=${PORT}`
  return {
    pid,
    exited,
    stop: () => (stopping ??= end()),
    url: (user, database) =>
      `postgres://${encodeURIComponent(user)}@/${encodeURIComponent(database)}?${parameters}`,
  }
}
