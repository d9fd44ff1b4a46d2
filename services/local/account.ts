/** Whom Postgres runs as: it refuses to be root, and initdb refuses to be a user without a name. */
import { spawnSync } from 'node:child_process'
import { readFileSync, statSync } from 'node:fs'
import { userInfo } from 'node:os'
import { WAY_OUT } from './binaries.ts'
import type { Ids } from './folders.ts'

export interface Account {
  /** What to put before the command, if anything. It replaces itself by the command: one pid. */
  readonly prefix: readonly string[]
  /** Whom to become before that, and who must own the data; undefined for the current user. */
  readonly ids: Ids | undefined
}

/**
 * Our own environment holds secrets that are none of Postgres's business, and settings (PGPORT,
 * LC_ALL, TZ) that would make one machine's database differ from another's.
 */
export const ENVIRONMENT = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  LC_ALL: 'C',
  TZ: 'UTC',
}

const SYSTEM_ACCOUNTS = ['nobody', 'postgres', '_postgres']

/** @throws {Error} if no account here can run Postgres on this folder. */
export function accountFor(folder: string): Account {
  const uid = process.getuid?.()
  const owner = statSync(folder, { throwIfNoEntry: false })
  if (uid !== 0) {
    if (owner !== undefined && owner.uid !== uid) {
      throw new Error(`the data folder ${folder} belongs to another user (uid ${owner.uid})`)
    }
    if (hasName()) return { prefix: [], ids: undefined }
  }
  // Data of an ordinary user stay theirs when root starts Postgres once.
  if (owner !== undefined && owner.uid !== uid) {
    return { prefix: [], ids: { uid: owner.uid, gid: owner.gid } }
  }
  const ids = systemAccount()
  if (ids === undefined) throw new Error(`Postgres cannot run as user ${uid} here; ${WAY_OUT}`)
  // A user namespace in which we bear that name: the files stay ours, wherever they are.
  const prefix = ['unshare', '--user', `--map-user=${ids.uid}`, `--map-group=${ids.gid}`]
  if (runs([...prefix, 'true'])) return { prefix, ids: undefined }
  if (uid === 0) return { prefix: [], ids }
  throw new Error(`Postgres cannot run as user ${uid}, who has no name here; ${WAY_OUT}`)
}

/** Puts an end to Postgres when we are killed without a chance to stop it; Linux only. */
export function deathPact(): readonly string[] {
  const prefix = ['setpriv', '--pdeathsig', 'INT']
  return runs([...prefix, 'true']) ? prefix : []
}

function runs([command = '', ...args]: readonly string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore', env: ENVIRONMENT }).status === 0
}

function hasName(): boolean {
  try {
    return userInfo().username !== ''
  } catch {
    return false
  }
}

function systemAccount(): Ids | undefined {
  const lines = readFileSync('/etc/passwd', 'utf8').split('\n')
  const accounts = lines.map((line) => line.split(':'))
  const [, , uid = '', gid = ''] =
    accounts.find(
      ([name = '', , uid = '']) => SYSTEM_ACCOUNTS.includes(name) && /^\d+$/.test(uid),
    ) ?? []
  if (uid === '') return undefined
  return { uid: Number.parseInt(uid, 10), gid: Number.parseInt(gid, 10) }
}
