/** A process of the product that is killed on purpose, and comes back each time. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Clock } from './clock.ts'

export interface Kept {
  readonly name: string
  /** Ends it at once, without a word; it is started again. */
  readonly kill: () => void
  /** Stops it for a while, as a machine that is busy with something else would. */
  readonly freeze: (ms: number) => Promise<void>
  /** What it takes for the time, where that can be set. */
  readonly clock: Clock | undefined
  /** How often it was started, and how long each start took until it was ready. */
  readonly starts: () => readonly number[]
  /** How it ended where nobody had asked for that, once it was ready. */
  readonly gaveUp: () => readonly string[]
  /** What it has written. */
  readonly words: () => string
  /** The end of that. */
  readonly lastWords: () => string
  readonly stop: () => Promise<void>
}

/** Lines. */
const LAST_WORDS = 25

export interface KeptOptions {
  readonly name: string
  readonly script: URL
  /** The whole environment: it inherits nothing of ours. */
  readonly env: Readonly<Record<string, string>>
  readonly logFile: string
  readonly clock?: Clock | undefined
}

/** A process drains for less. */
const STOP_MAX_MS = 25_000

/**
 * Resolves when it is ready for the first time.
 * @throws {Error} when it ends before that.
 */
export async function keep(options: KeptOptions): Promise<Kept> {
  const [starts, gaveUp]: [number[], string[]] = [[], []]
  let [child, stopping] = [launch(options, starts), false]
  const ready = once(child, 'message').then(() => true)
  const isReady = Promise.race([ready, ended(child).then(() => false)])
  const watching = (async () => {
    for (;;) {
      const started = starts.length
      await ended(child)
      if (stopping) return
      // One that finds no database when it starts says so and ends: that is asked of it.
      const [{ exitCode: code, signalCode: signal }, wasReady] = [child, starts.length > started]
      if (signal !== 'SIGKILL' && wasReady) gaveUp.push(`${options.name}: ${signal ?? code}`)
      child = launch(options, starts)
    }
  })()
  const words = () => readFileSync(options.logFile, 'utf8')
  const lastWords = () => words().split('\n').slice(-LAST_WORDS).join('\n')
  const kept: Kept = {
    ...{ name: options.name, clock: options.clock },
    kill: () => void child.kill('SIGKILL'),
    async freeze(ms) {
      const frozen = child
      frozen.kill('SIGSTOP')
      await sleep(ms)
      frozen.kill('SIGCONT')
    },
    ...{ starts: () => starts, gaveUp: () => gaveUp, words, lastWords },
    async stop() {
      stopping = true
      child.kill('SIGCONT')
      child.kill('SIGTERM')
      const impatient = setTimeout(() => child.kill('SIGKILL'), STOP_MAX_MS)
      await watching
      clearTimeout(impatient)
    },
  }
  if (await isReady) return kept
  await kept.stop()
  throw new Error(`${options.name} does not start:\n${lastWords()}`)
}

const ended = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
}

/** How long it takes is noted when it is ready, which one that is killed before never is. */
function launch(options: KeptOptions, starts: number[]): ChildProcess {
  const [started, log] = [performance.now(), openSync(options.logFile, 'a')]
  const child = spawn(process.execPath, ['services/run.mjs', fileURLToPath(options.script)], {
    ...{ env: { ...options.env, ...options.clock?.env }, stdio: ['ignore', log, log, 'ipc'] },
  })
  closeSync(log)
  child.once('message', () => starts.push(performance.now() - started))
  return child
}
