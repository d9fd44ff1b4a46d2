/**
 * The directory through which files go to the bank and come back, as SFTP drops do. Whoever puts a
 * file there writes it under another name and renames it, so that nobody meets half a file; and a
 * file is moved, never copied, so that whatever dies at whatever moment, it is in one place.
 *
 *   out/         ours for the bank, which takes them away
 *   sent/        a copy of each of ours: proof that it was handed over, and what it held
 *   in/          the bank's for us
 *   reading/     what we took from there: from now on nobody else can change it
 *   processed/   what we have written down
 *   statements/  account statements that are whole
 *   failed/      what could not be used, each beside a `.reason`
 *
 * All are on one file system with hard links.
 */
import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { link, lstat, mkdir, open, readdir, rename, rm, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { BankError } from '../adapter.ts'
import { BadFile, type Bytes } from './xml.ts'

const FOLDERS = [
  'out',
  'sent',
  'in',
  'reading',
  'processed',
  'statements',
  'failed',
  'staging',
] as const

type Folder = (typeof FOLDERS)[number]

export interface Incoming {
  readonly name: string
  readonly path: string
  /** When it was written, in milliseconds since 1970. */
  readonly written_ms: number
  readonly size_bytes: number
}

/** So many at a time: what is more waits for the next time. */
const FILES_MAX = 10_000
/** Room for what we append, within the 255 bytes of a name. */
const NAME_MAX = 60
const SAME_NAMES_MAX = 10_000

export type Exchange = ReturnType<typeof exchangeIn>

export function exchangeIn(root: string) {
  const at: At = (folder, name = '') => join(root, folder, name)
  return { ...outgoing(at), ...incoming(at), read: readFile }
}

function outgoing(at: At) {
  return {
    /** Whether it was ever decided that a file of this name goes out. */
    isSent: async (name: string) => (await statOf(at('sent', name))) !== undefined,

    /** Lays a file ready; until it is handed over nobody will see it. */
    async stage(name: string, bytes: Buffer): Promise<string> {
      await makeFolders(at)
      const staged = at('staging', `${name}.${randomUUID()}`)
      await writeWhole(staged, bytes)
      await syncFolder(at('staging'))
      return staged
    },

    /**
     * Hands a file over, once: the same name again changes nothing, whatever the bytes. Finishes
     * what was cut off before.
     */
    async handOver(name: string, staged: string | undefined): Promise<void> {
      if (staged !== undefined) {
        // The link is the moment of the decision: of two who try, one makes it. What it names is
        // whole, and is published by whoever comes next, should this process die right here.
        const isFirst = await linked(staged, at('sent', name))
        if (!isFirst) await rm(staged, { force: true })
        await syncFolder(at('sent'))
      }
      await publish(at, name)
    },

    readSent: (name: string): Promise<Bytes | undefined> => readIfThere(at('sent', name)),
  }
}

function incoming(at: At) {
  return {
    /** Files, oldest first; what came in is taken away first, so that the bank cannot change it. */
    async list(folder: 'reading' | 'statements'): Promise<readonly Incoming[]> {
      await makeFolders(at)
      if (folder === 'reading') await takeIn(at)
      if (folder === 'statements') await refuseTooMany(at)
      const files = (await filesIn(at(folder))).map((file) => ({
        ...file,
        name: folder === 'reading' ? file.name.replace(/~[0-9a-f-]{36}$/, '') : file.name,
      }))
      return files.sort((a, b) => a.written_ms - b.written_ms || (a.name < b.name ? -1 : 1))
    },

    /** Whoever was first has moved it: that it is gone is no error. */
    async move({ name, path }: Incoming, to: 'processed' | 'statements'): Promise<void> {
      await moveAside(path, at(to), name)
    },

    async fail({ name, path }: Incoming, reason: string): Promise<void> {
      const moved = await moveAside(path, at('failed'), name)
      if (moved === undefined) return
      await writeWhole(`${moved}.reason.part`, Buffer.from(`${reason}\n`))
      await rename(`${moved}.reason.part`, `${moved}.reason`)
    },
  }
}

type At = (folder: Folder, name?: string) => string

async function makeFolders(at: At): Promise<void> {
  await Promise.all(FOLDERS.map((folder) => mkdir(at(folder), { recursive: true })))
}

/** What is hidden, half-written, a link or a folder is no file. */
async function filesIn(folder: string): Promise<Incoming[]> {
  const names = (await readdir(folder)).filter((name) => !isUnfinished(name))
  const found: Incoming[] = []
  for (const name of names.sort().slice(0, FILES_MAX)) {
    const path = join(folder, name)
    const stat = await statOf(path)
    if (stat?.isFile() !== true) continue
    found.push({ name, path, written_ms: stat.mtimeMs, size_bytes: stat.size })
  }
  return found
}

/** Statements are told all or not at all: what is left out would be money that never came. */
async function refuseTooMany(at: At): Promise<void> {
  const names = (await readdir(at('statements'))).filter((name) => !isUnfinished(name))
  if (names.length <= FILES_MAX) return
  const detail = `there are ${names.length} statements, and ${FILES_MAX} are read at most`
  throw new BankError('bank_not_capable', { detail })
}

/** Under a name of its own, for the bank may send another file under the same one. */
async function takeIn(at: At): Promise<void> {
  for (const { name, path } of await filesIn(at('in')))
    await unlessGone(() =>
      rename(path, at('reading', `${name.slice(0, NAME_MAX)}~${randomUUID()}`)),
    )
}

/** Of all that is staged under the name only the file that was decided upon goes out. */
async function publish(at: At, name: string): Promise<void> {
  const sent = await statOf(at('sent', name))
  const names = await readdir(at('staging'))
  for (const staged of names.filter((one) => one.startsWith(`${name}.`))) {
    const stat = await statOf(at('staging', staged))
    if (stat === undefined || stat.ino !== sent?.ino) continue
    await unlessGone(() => rename(at('staging', staged), at('out', name)))
    await syncFolder(at('out'))
  }
}

const isUnfinished = (name: string) =>
  name.startsWith('.') || /\.(?:part|tmp|filepart|writing)$/i.test(name)

const statOf = (path: string) => unlessGone(() => lstat(path))

async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to)
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw error
  }
}

/**
 * Beside files of the same name, under the next that is free. A crash between the two steps leaves
 * one file with two names, and the next time only the second step is taken.
 */
async function moveAside(path: string, folder: string, name: string): Promise<string | undefined> {
  const stat = await statOf(path)
  if (stat === undefined) return undefined
  for (let copy = 1; copy <= SAME_NAMES_MAX; copy += 1) {
    const target = join(folder, copy === 1 ? name : `${name}.${copy}`)
    const there = await statOf(target)
    if (there?.ino !== stat.ino) {
      if (there !== undefined) continue
      const isMoved = await unlessGone(() => linked(path, target))
      if (isMoved === undefined) return undefined
      if (!isMoved) continue
    }
    await syncFolder(folder)
    await unlessGone(() => unlink(path))
    return target
  }
  throw new Error(`${folder} has too many files called ${name}`)
}

/** A link is not followed, and a pipe does not keep us waiting. */
async function* readFile(path: string): Bytes & AsyncGenerator<Uint8Array> {
  const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  try {
    if (!(await handle.stat()).isFile()) throw new BadFile('not a file')
    yield* handle.createReadStream({ autoClose: false, highWaterMark: 256 * 1024 })
  } finally {
    await handle.close()
  }
}

const readIfThere = async (path: string) =>
  (await statOf(path)) === undefined ? undefined : readFile(path)

async function writeWhole(path: string, bytes: Buffer): Promise<void> {
  const handle = await open(path, 'w')
  try {
    await handle.writeFile(bytes)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, 'r')
  await handle.sync()
  await handle.close()
}

async function unlessGone<T>(act: () => Promise<T>): Promise<T | undefined> {
  try {
    return await act()
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

const codeOf = (error: unknown) =>
  error instanceof Error && 'code' in error ? error.code : undefined

/** Somebody else has moved it, or put a link in its place. */
export const isGone = (error: unknown) => ['ENOENT', 'ELOOP'].includes(String(codeOf(error)))

export const isForbidden = (error: unknown) => codeOf(error) === 'EACCES'

/** A disk that fails is a bank that cannot be reached: whoever asks again loses nothing. */
export function unreachable(cause: unknown): unknown {
  const isOfDisk = cause instanceof Error && 'syscall' in cause
  return isOfDisk
    ? new BankError('bank_unreachable', { cause, detail: `the directory: ${cause.message}` })
    : cause
}
