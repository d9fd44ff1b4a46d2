/** Finds out who runs on a data folder, and clears away what a killed Postgres left there. */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { ENVIRONMENT } from './account.ts'
import { SOCKET } from './folders.ts'
import { isAlive, sendSignal } from './signals.ts'

/** What Postgres says of itself in postmaster.pid. */
export interface PidFile {
  readonly pid: number
  readonly socketDir: string
  readonly isReady: boolean
  /** In seconds since 1970. In a container, every server may have the same pid. */
  readonly startedAt: string
}

interface Server {
  readonly pid: number
  /** The first process, which starts the others; they end by themselves soon after it. */
  readonly isPostmaster: boolean
}

/** Crash recovery of a large database may take long; a start is given up after this. */
const START_PATIENCE_MS = 60_000
/** After this time, left-over backends are taken to hang. */
const BACKEND_PATIENCE_MS = 2000
const POLL_MS = 5
const GONE_POLL_MS = 100
/** Linux; elsewhere only the process of the pid file can be seen. */
const HAS_PROC = existsSync('/proc/self/cwd')

export function readPidFile(folder: string): PidFile | undefined {
  try {
    const lines = readFileSync(join(folder, 'postmaster.pid'), 'utf8').split('\n')
    const pid = Number.parseInt(lines[0] ?? '', 10)
    if (!(pid > 0)) return undefined
    const [, , startedAt = '', , socketDir = '', , , status = ''] = lines
    return { pid, startedAt, socketDir, isReady: status.trim() === 'ready' }
  } catch {
    return undefined
  }
}

/** The pid of the Node process that started the server, if one of ours did. */
export function starterOf(folder: string): number | undefined {
  try {
    const line = readFileSync(join(folder, 'postmaster.opts'), 'utf8')
    const pid = /"florin\.starter=(\d+)"/.exec(line)?.[1]
    return pid === undefined ? undefined : Number.parseInt(pid, 10)
  } catch {
    return undefined
  }
}

/** Every living Postgres process on the folder; a zombie is none. */
export function serversOn(folder: string): readonly Server[] {
  const known = readPidFile(folder)?.pid
  const pids = HAS_PROC ? readdirSync('/proc').filter((name) => /^\d+$/.test(name)) : [known]
  return pids
    .filter((pid) => pid !== undefined)
    .map((pid) => serverAt(`${pid}`, folder))
    .filter((server) => server !== undefined)
}

/** All processes of Postgres, and few others, work in the data folder. */
function serverAt(pid: string, folder: string): Server | undefined {
  try {
    if (HAS_PROC && readlinkSync(`/proc/${pid}/cwd`) !== folder) return undefined
    const command = commandOf(pid)
    const isBackend = command.startsWith('postgres: ')
    const isPostmaster = basename(command.split(/\0| -D /)[0] ?? '') === 'postgres'
    if (!isBackend && !isPostmaster) return undefined
    if (!HAS_PROC && !command.includes(` -D ${folder} `)) return undefined
    return { pid: Number.parseInt(pid, 10), isPostmaster }
  } catch {
    return undefined // It is gone, or somebody else's.
  }
}

function commandOf(pid: string): string {
  if (HAS_PROC) return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
  const columns = ['-o', 'stat=', '-o', 'command=']
  const ps = spawnSync('ps', ['-ww', '-p', pid, ...columns], { encoding: 'utf8', env: ENVIRONMENT })
  const [, state = '', command = ''] = /^\s*(\S+)\s+(.*)/.exec(ps.stdout) ?? []
  return state.startsWith('Z') ? '' : command
}

/**
 * Answers the server that runs on the folder, once it is ready; or undefined, once nothing stands
 * in the way of starting one.
 * @throws {Error} if neither is so within a minute.
 */
export async function recover(folder: string, socketDir: string): Promise<PidFile | undefined> {
  const lockFiles = [join(folder, 'postmaster.pid'), join(socketDir, `${SOCKET}.lock`)]
  const start = performance.now()
  const elapsed_ms = () => performance.now() - start
  while (elapsed_ms() < START_PATIENCE_MS) {
    // Read before we look who runs: a server enters the folder first, and locks it then.
    const locks = lockFiles.map(readLock)
    const servers = serversOn(folder)
    if (servers.length === 0) {
      for (const lock of locks) clearLock(lock)
      return undefined
    }
    const file = readPidFile(folder)
    const postmaster = servers.find(({ isPostmaster }) => isPostmaster)
    if (file?.isReady && file.pid === postmaster?.pid) return file
    // Without a postmaster, what they share is lost: there is nothing left that they could save.
    if (postmaster === undefined && elapsed_ms() > BACKEND_PATIENCE_MS) {
      for (const { pid } of servers) sendSignal(pid, 'SIGKILL')
    }
    await sleep(POLL_MS)
  }
  const pids = serversOn(folder).map(({ pid }) => pid)
  throw new Error(`Postgres runs on ${folder} (pid ${pids.join(', ')}) but does not become ready`)
}

interface Lock {
  readonly path: string
  /** Undefined when there is no such file. */
  readonly content: string | undefined
}

/** In one go: a server that ends takes its lock away at any moment. */
function readLock(path: string): Lock {
  try {
    return { path, content: readFileSync(path, 'utf8') }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    return { path, content: undefined }
  }
}

/**
 * Postgres clears a lock of a dead process itself, with checks that we could not make; but it
 * refuses to start on an empty one, and on one whose pid is a zombie's or was given to another.
 */
function clearLock({ path, content }: Lock): void {
  if (content === undefined || readLock(path).content !== content) return
  const pid = Number.parseInt(content, 10)
  if (!(pid > 0) || isAlive(pid)) rmSync(path, { force: true })
}

/**
 * Whether the server that has just been started is ready; waits until it is, or until it ended.
 * @param stale what another server left there before this one was started.
 */
export async function becomesReady(
  folder: string,
  pid: number,
  stale: PidFile | undefined,
  hasEnded: () => boolean,
): Promise<boolean> {
  const start = performance.now()
  while (!hasEnded() && performance.now() - start < START_PATIENCE_MS) {
    const file = readPidFile(folder)
    const isStale = file?.pid === stale?.pid && file?.startedAt === stale?.startedAt
    if (file?.isReady && file.pid === pid && !isStale) return true
    await sleep(POLL_MS)
  }
  return false
}

/** Resolves when the server is gone. With `ref` false the wait does not keep Node alive. */
export async function goneFrom(folder: string, pid: number, ref: boolean): Promise<void> {
  while (serverAt(`${pid}`, folder) !== undefined) await sleep(GONE_POLL_MS, undefined, { ref })
}
