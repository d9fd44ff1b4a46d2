/** The child processes of `npm start`: started, watched, restarted when they die, and stopped. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { closeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { lastWords, logSize, openLog } from './log-file.ts'
import { endingOf, endProcess, settles } from './signals.ts'
import type { Steps } from './signals.ts'

export interface Child {
  readonly name: string
  /** Ends the child and its restarts, and waits until it is gone. */
  stop(): Promise<void>
}

export interface ChildOptions {
  readonly name: string
  /** A module that calls `process.send('ready')` once it does its work: TypeScript, or built. */
  readonly script: URL
  /** The whole environment of the child: it inherits nothing of ours. */
  readonly env: Readonly<Record<string, string>>
  /** Takes what the child writes, after what is there. */
  readonly logFile: string
  readonly onRestart: (reason: string) => void
  /** The child is down and stays down. */
  readonly onGiveUp: (reason: string) => void
  /** How many restarts within a minute are too many; 10 unless told. */
  readonly restartsMax?: number
}

/** Programs that are not built yet. */
const RUNNER = new URL('../run.mjs', import.meta.url)
const READY_PATIENCE_MS = 60_000
const STOP_STEPS: Steps = [
  ['SIGTERM', 10_000],
  ['SIGKILL', 5000],
]
const RESTARTS_MAX = 10
const RESTART_WINDOW_MS = 60_000
const RESTART_DELAY_MS = 200
const RESTART_DELAY_MAX_MS = 5000

/** One life of the child. */
interface Run {
  /** Undefined if the system could not start it; `ended` has resolved then, or is about to. */
  readonly pid: number | undefined
  /** Resolves with the end of a sentence: 'ended by SIGKILL'. */
  readonly ended: Promise<string>
  /** Resolves when the child says so; rejects if it ends first or takes too long. */
  readonly ready: Promise<void>
}

/**
 * Starts the child; resolves when it is ready.
 * @throws {Error} if it ends before, or is not ready within 30 seconds.
 */
export async function startChild(options: ChildOptions): Promise<Child> {
  const { name } = options
  const stopping = new AbortController()
  let run = launch(options)
  await run.ready

  const watch = async () => {
    const restarts: number[] = []
    let reason = `${name} ${await run.ended}`
    while (!stopping.signal.aborted) {
      const delay_ms = restartDelay(restarts, performance.now(), options.restartsMax)
      if (delay_ms === undefined) return options.onGiveUp(`${reason}; giving up`)
      options.onRestart(`${reason}; restarting`)
      await sleep(delay_ms, undefined, { signal: stopping.signal }).catch(() => undefined)
      if (stopping.signal.aborted) return
      restarts.push(performance.now())
      run = launch(options)
      reason = await run.ready.then(
        async () => `${name} ${await run.ended}`,
        (error: Error) => error.message,
      )
    }
  }
  const watching = watch().catch((error: Error) => options.onGiveUp(error.message))

  const stop = async () => {
    await endProcess(run.pid, run.ended, STOP_STEPS)
    await watching
  }
  let stopped: Promise<void> | undefined
  return {
    name,
    stop: () => {
      stopping.abort()
      return (stopped ??= stop())
    },
  }
}

/**
 * How long to wait before the next restart, or undefined when there were too many.
 * @param restarts when the earlier ones were, and `now`, in milliseconds of one clock.
 */
export function restartDelay(
  restarts: readonly number[],
  now: number,
  restartsMax = RESTARTS_MAX,
): number | undefined {
  const recent = restarts.filter((time) => now - time < RESTART_WINDOW_MS).length
  if (recent >= restartsMax) return undefined
  return Math.min(RESTART_DELAY_MS * 2 ** recent, RESTART_DELAY_MAX_MS)
}

function launch(options: ChildOptions): Run {
  const logStart = logSize(options.logFile)
  const child = spawnChild(options)
  const ended = endingOf(child, options.logFile, logStart)
  return { pid: child.pid, ended, ready: readiness(options, child, ended, logStart) }
}

function spawnChild({ script, env, logFile }: ChildOptions): ChildProcess {
  const runner = script.pathname.endsWith('.ts') ? [fileURLToPath(RUNNER)] : []
  const log = openLog(logFile)
  try {
    return spawn(process.execPath, [...runner, fileURLToPath(script)], {
      env,
      // In a process group of its own, so that Ctrl-C leaves it to us to stop it.
      detached: true,
      stdio: ['ignore', log, log, 'ipc'],
    })
  } finally {
    closeSync(log)
  }
}

async function readiness(
  { name, logFile }: ChildOptions,
  child: ChildProcess,
  ended: Promise<string>,
  logStart: number,
): Promise<void> {
  const ready = new Promise<undefined>((resolve) => {
    child.on('message', (message) => message === 'ready' && resolve(undefined))
  })
  const first = Promise.race([ready, ended])
  if (await settles(first, READY_PATIENCE_MS)) {
    const ending = await first
    if (ending === undefined) return
    throw new Error(`${name} did not start; it ${ending}`)
  }
  child.kill('SIGKILL')
  await ended
  const why = lastWords(logFile, logStart)
  const detail = why === undefined ? '' : `: ${why}`
  throw new Error(`${name} was not ready within ${READY_PATIENCE_MS / 1000} s${detail}`)
}

/**
 * For a child: calls `stop` when the parent is gone, even if it was killed without a chance to stop
 * us. Does nothing in a process that was started by hand.
 */
export function stopWithParent(stop: () => void): void {
  if (process.send === undefined) return
  if (!process.connected) return stop()
  process.once('disconnect', stop)
  // The channel alone is no reason to stay alive.
  process.channel?.unref()
}
