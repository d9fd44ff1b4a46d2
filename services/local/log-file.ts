/** Log files of the processes we start, and what they say of a failure. */
import { closeSync, openSync, readSync, renameSync, statSync } from 'node:fs'
import { z } from 'zod'
import { explain } from './errors.ts'

/** A larger log is set aside when it is next opened, over the one set aside before. */
const LOG_BYTES_MAX = 16 * 1024 * 1024
const TAIL_BYTES = 8192

/** Opens the file for appending. The caller closes it, once the writing process has its copy. */
export function openLog(path: string): number {
  try {
    const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0
    if (size > LOG_BYTES_MAX) renameSync(path, `${path}.old`)
    return openSync(path, 'a', 0o600)
  } catch (error) {
    throw explain(`the log ${path} cannot be written`, error)
  }
}

/** How long the log is now: what follows was written later. */
export function logSize(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}

/** The line that best says why the process ended, of those since the log had the size `from`. */
export function lastWords(path: string, from: number): string | undefined {
  return telling(readTail(path, from))
}

function readTail(path: string, from: number): string {
  const start = Math.max(from, logSize(path) - TAIL_BYTES)
  const buffer = Buffer.alloc(TAIL_BYTES)
  const file = openSync(path, 'r')
  try {
    return buffer.toString('utf8', 0, readSync(file, buffer, 0, TAIL_BYTES, start))
  } finally {
    closeSync(file)
  }
}

const ALARM = /\b(?:FATAL|PANIC|[A-Za-z]*Error)\b/
/** Lines that follow an error without telling what it was: stack frames and Node's signature. */
const NOISE = /^(?:\s|Node\.js v|[}\])])/
/** The time and process at the start of a line of Postgres. */
const PREFIX = /^\d{4}-\d\d-\d\d [\d:.]+ \w+ \[\d+\] /

/** Of the text of a log, the last line that names an error, or else the last line of substance. */
export function telling(text: string): string | undefined {
  const lines = text.split('\n').filter((line) => line.trim() !== '' && !NOISE.test(line))
  const line = lines.findLast((line) => ALARM.test(line)) ?? lines.at(-1)
  return line === undefined ? undefined : messageOf(line.replace(PREFIX, ''))
}

const Entry = z.object({
  msg: z.string().optional(),
  err: z.object({ message: z.string().optional() }).optional(),
})

/** Our own processes log one JSON object a line; a person wants its message. */
function messageOf(line: string): string {
  if (!line.startsWith('{')) return line
  try {
    const { msg, err } = Entry.parse(JSON.parse(line))
    return err?.message ?? msg ?? line
  } catch {
    return line
  }
}
