/** Clocks that jump: each process believes in a time that is written in a file, by libfaketime. */
import { existsSync, readdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

export interface Clock {
  /** What the process that goes by it is started with. */
  readonly env: Readonly<Record<string, string>>
  /**
   * Is wrong by so much for a while; how time passes stays right.
   * @returns whether it was: not while it is wrong already.
   */
  readonly jump: (offset_s: number, ms: number) => Promise<boolean>
}

const PREFIX = '/usr/lib'
const LIBRARY = 'faketime/libfaketimeMT.so.1'

/** As Debian's package `faketime` installs it. */
function findLibrary(): string | undefined {
  if (!existsSync(PREFIX)) return undefined
  const folders = ['', ...readdirSync(PREFIX)]
  return folders.map((folder) => join(PREFIX, folder, LIBRARY)).find((path) => existsSync(path))
}

/** @returns undefined where libfaketime is not installed. */
export function openClock(file: string): Clock | undefined {
  const library = findLibrary()
  if (library === undefined) return undefined
  set(file, 0)
  let isWrong = false
  return {
    env: {
      ...{ LD_PRELOAD: library, FAKETIME_TIMESTAMP_FILE: file, FAKETIME_NO_CACHE: '1' },
      // Shared memory of a process that is killed would be left behind.
      ...{ FAKETIME_DONT_FAKE_MONOTONIC: '1', FAKETIME_DISABLE_SHM: '1' },
    },
    async jump(offset_s, ms) {
      if (isWrong) return false
      isWrong = true
      set(file, offset_s)
      await sleep(ms)
      set(file, 0)
      isWrong = false
      return true
    },
  }
}

/** Whoever reads it meanwhile reads the one or the other. */
function set(file: string, offset_s: number): void {
  writeFileSync(`${file}.new`, `${offset_s < 0 ? '' : '+'}${offset_s}\n`)
  renameSync(`${file}.new`, file)
}

/** A process says whole seconds, and is late to say it. */
const SLACK_S = 2

/** Whether it is wrong by what it was told, which cannot be said of what is nearly right. */
export const believes = (offset_s: number, said_ms: number, now_ms: number): boolean =>
  Math.abs(offset_s) > 2 * SLACK_S && Math.abs((said_ms - now_ms) / 1000 - offset_s) <= SLACK_S

/** @returns what a process that listens there takes for the time; undefined while it is silent. */
export async function timeAt(port: number): Promise<number | undefined> {
  try {
    const signal = AbortSignal.timeout(SILENCE_MAX_MS)
    const response = await fetch(`http://127.0.0.1:${port}/healthz`, { signal })
    await response.body?.cancel()
    const said_ms = Date.parse(response.headers.get('date') ?? '')
    return Number.isNaN(said_ms) ? undefined : said_ms
  } catch {
    return undefined
  }
}

const SILENCE_MAX_MS = 1_000
const ASK_EVERY_MS = 250

/** Asks until it hears a time that is wrong by so much. @returns whether it did before the end. */
export async function hearsBelief(
  port: number,
  offset_s: number,
  isOver: () => boolean,
): Promise<boolean> {
  while (!isOver()) {
    const said_ms = await timeAt(port)
    if (said_ms !== undefined && believes(offset_s, said_ms, Date.now())) return true
    await sleep(ASK_EVERY_MS)
  }
  return false
}
