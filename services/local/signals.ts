/** How processes end: by themselves, or by us, politely first and with a limit on the patience. */
import type { ChildProcess } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { codeOf } from './errors.ts'
import { lastWords } from './log-file.ts'

/** The signals to try in this order, and how long each may take to work. */
export type Steps = readonly (readonly [signal: NodeJS.Signals, patience_ms: number])[]

/** Whether the process exists; a zombie does. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // Somebody else's process refuses the signal, but is there.
    return codeOf(error) === 'EPERM'
  }
}

export function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    // It may have ended by itself just now, which is what we want.
    if (codeOf(error) !== 'ESRCH') throw error
  }
}

/**
 * Resolves when the process has ended or could not be started, with the end of a sentence:
 * 'ended by SIGKILL', 'ended with code 1: no space left'.
 * @param logStart the size its log had when it was started.
 */
export function endingOf(child: ChildProcess, logFile: string, logStart: number): Promise<string> {
  return new Promise((resolve) => {
    child.on('error', ({ message }) => resolve(`cannot run here: ${message}`))
    child.once('exit', (code, signal) => {
      // A signal from outside comes without a word.
      if (signal !== null) return resolve(`ended by ${signal}`)
      const why = lastWords(logFile, logStart)
      return resolve(`ended with code ${code}${why === undefined ? '' : `: ${why}`}`)
    })
  })
}

/** Whether `promise` settles within the time. Leaves no timer behind. */
export async function settles(promise: Promise<unknown>, patience_ms: number): Promise<boolean> {
  const timer = new AbortController()
  const late = sleep(patience_ms, false, { signal: timer.signal }).catch(() => false)
  try {
    return await Promise.race([promise.then(() => true), late])
  } finally {
    timer.abort()
  }
}

/**
 * Ends a process and waits until it is gone.
 * @param gone settles when it is; after that its pid may be another's, and gets no signal.
 * @throws {Error} if it outlives the last signal.
 */
export async function endProcess(
  pid: number | undefined,
  gone: Promise<unknown>,
  steps: Steps,
): Promise<void> {
  if (pid === undefined || (await settles(gone, 0))) return
  for (const [signal, patience_ms] of steps) {
    sendSignal(pid, signal)
    if (await settles(gone, patience_ms)) return
  }
  throw new Error(`process ${pid} does not end`)
}
