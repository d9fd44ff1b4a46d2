/**
 * What customers asked for and what they were told, on disk before it counts: a request before it
 * is sent, an answer before anybody acts on it. One writer flushes for all who wait.
 */
import { readFileSync } from 'node:fs'
import { open } from 'node:fs/promises'

export interface Asks {
  readonly kind: 'asks'
  readonly key: string
  readonly who: string
  readonly path: string
  readonly body?: Readonly<Record<string, unknown>>
  readonly at_ms: number
}

export interface Answer {
  readonly kind: 'answered'
  readonly key: string
  readonly status: number
  /** Byte for byte. */
  readonly text: string
  readonly isReplayed: boolean
  readonly at_ms: number
  /** How long it was not known what became of it; 0 where the first answer was one. */
  readonly doubt_ms: number
}

export type Entry = Asks | Answer

export interface Journal {
  /** Resolves once it is on disk. */
  readonly note: (entry: Entry) => Promise<void>
  readonly close: () => Promise<void>
}

export async function openJournal(file: string): Promise<Journal> {
  const handle = await open(file, 'a')
  let waiting: string[] = []
  let [flushing, next] = [Promise.resolve(), undefined as Promise<void> | undefined]
  async function flush(): Promise<void> {
    const [lines, all] = [waiting, waiting.join('')]
    if (lines.length === 0) return
    ;[waiting, next] = [[], undefined]
    await handle.appendFile(all)
    await handle.datasync()
  }
  return {
    note(entry) {
      waiting.push(`${JSON.stringify(entry)}\n`)
      // Whoever comes while one flush is under way shares the one after it.
      next ??= flushing = flushing.then(flush)
      return next
    },
    async close() {
      await flushing
      await handle.close()
    },
  }
}

export const readJournal = (file: string): Entry[] =>
  readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))
