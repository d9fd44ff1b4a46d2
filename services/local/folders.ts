/** Where the local Postgres keeps its data and its socket, and what to say when it cannot. */
import { createHash } from 'node:crypto'
import {
  accessSync,
  chmodSync,
  constants,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  realpathSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { explain } from './errors.ts'

/** The user and group that own what Postgres touches. */
export interface Ids {
  readonly uid: number
  readonly gid: number
}

/** The port is only a part of the socket's name: nothing listens on the network. */
export const PORT = 5432
export const SOCKET = `.s.PGSQL.${PORT}`

/** Longest path of a socket in bytes: 107 on Linux, 103 on macOS. */
const SOCKET_PATH_BYTES_MAX = 103

/** The data folder without symbolic links, so that it can be renamed. Its parent exists then. */
export function realFolder(dataDir: string): string {
  const folder = resolve(dataDir)
  try {
    accessSync(nearest(folder), constants.W_OK)
    if (existsSync(folder)) return realpathSync(folder)
    mkdirSync(dirname(folder), { recursive: true })
    return join(realpathSync(dirname(folder)), basename(folder))
  } catch (error) {
    throw explain(`the data folder ${folder} cannot be written`, error)
  }
}

/** The path itself, or that part of it that exists. */
const nearest = (path: string): string => (existsSync(path) ? path : nearest(dirname(path)))

/**
 * A folder for the socket that only its owner can enter, which is what lets Postgres trust all who
 * come through it. It is the data folder itself, unless its path is too long for a socket.
 */
export function socketFolder(folder: string, ids: Ids | undefined): string {
  if (fits(folder)) return folder
  const name = `florin-${createHash('sha256').update(folder).digest('hex').slice(0, 16)}`
  const short = [join(tmpdir(), name), join('/tmp', name)].find(fits)
  if (short === undefined) throw new Error(`the data folder ${folder} has too long a path`)
  try {
    mkdirSync(short, { recursive: true, mode: 0o700 })
    claim(short, ids)
    return short
  } catch (error) {
    throw explain(`the socket folder ${short} cannot be used`, error)
  }
}

const fits = (path: string) => Buffer.byteLength(join(path, SOCKET)) <= SOCKET_PATH_BYTES_MAX

/** Anybody may have made a folder of that name in a shared place before us. */
function claim(path: string, ids: Ids | undefined): void {
  const found = lstatSync(path)
  const expected = [process.getuid?.(), ids?.uid]
  if (!found.isDirectory() || !expected.includes(found.uid)) {
    throw new Error('it belongs to another user')
  }
  if (ids !== undefined) chownSync(path, ids.uid, ids.gid)
  chmodSync(path, 0o700)
}
