/**
 * An append-only file of JSON lines, forced to disk. Entries that arrive while the disk is busy are
 * written together afterwards, so many callers share one fsync.
 */
import { mkdir, open, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'

export interface Journal {
  /** Puts the entry in line. It is safe when the promise of the next `synced` resolves. */
  append(entry: object): void
  /**
   * Resolves when everything appended so far is on disk.
   * Rejects for ever after a failed write: what was lost must not be built upon.
   */
  synced(): Promise<void>
  close(): Promise<void>
}

/**
 * Opens or creates the file, and reads what it holds. A last line without its end was being written
 * when the process died, and nobody was told of it: it is cut off.
 * @throws {Error} if another line is damaged.
 */
export async function openJournal(file: string): Promise<{ journal: Journal; entries: unknown[] }> {
  await mkdir(dirname(file), { recursive: true })
  const handle = await open(file, 'a+')
  try {
    const bytes = await handle.readFile()
    const end = bytes.lastIndexOf('\n') + 1
    const entries = [...entriesIn(bytes.subarray(0, end))]
    await handle.truncate(end)
    await handle.sync()
    await syncFolder(dirname(file))
    return { journal: startJournal(handle), entries }
  } catch (error) {
    await handle.close()
    throw error
  }
}

function startJournal(handle: FileHandle): Journal {
  let written: Promise<void> = Promise.resolve()
  let next: string[] | undefined

  const write = async (lines: readonly string[]) => {
    next = undefined
    await handle.appendFile(lines.join(''))
    await handle.sync()
  }
  const startGroup = (): string[] => {
    const group: string[] = []
    written = written.then(() => write(group))
    // Whoever waits for `synced` is told; without this a failure nobody waits for ends the process.
    written.catch(() => undefined)
    return group
  }

  return {
    append(entry) {
      next ??= startGroup()
      next.push(`${JSON.stringify(entry)}\n`)
    },
    synced: () => written,
    async close() {
      await written.catch(() => undefined)
      await handle.close()
    },
  }
}

function* entriesIn(bytes: Buffer): Generator {
  for (let start = 0, end = 0; start < bytes.length; start = end + 1) {
    end = bytes.indexOf('\n', start)
    yield JSON.parse(bytes.toString('utf8', start, end))
  }
}

/** A new file survives a power cut only when its folder has been written too. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  await handle.sync()
  await handle.close()
}
