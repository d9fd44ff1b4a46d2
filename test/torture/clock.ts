/** Clocks that jump: each process believes in a time that is written in a file, by libfaketime. */
import { existsSync, readdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

export interface Clock {
  /** What the process that goes by it is started with. */
  readonly env: Readonly<Record<string, string>>
  /** Is wrong by so much for a while; how time passes stays right. */
  readonly jump: (offset_s: number, ms: number) => Promise<void>
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
  return {
    env: {
      ...{ LD_PRELOAD: library, FAKETIME_TIMESTAMP_FILE: file, FAKETIME_NO_CACHE: '1' },
      // Shared memory of a process that is killed would be left behind.
      ...{ FAKETIME_DONT_FAKE_MONOTONIC: '1', FAKETIME_DISABLE_SHM: '1' },
    },
    async jump(offset_s, ms) {
      set(file, offset_s)
      await sleep(ms)
      set(file, 0)
    },
  }
}

/** Whoever reads it meanwhile reads the one or the other. */
function set(file: string, offset_s: number): void {
  writeFileSync(`${file}.new`, `${offset_s < 0 ? '' : '+'}${offset_s}\n`)
  renameSync(`${file}.new`, file)
}
