/** A process of the product that is killed on purpose, and comes back each time. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

export interface Kept {
  readonly name: string
  /** Ends it at once, without a word; it is started again. */
  readonly kill: () => void
  /** Stops it for a while, as a machine that is busy with something else would. */
  readonly freeze: (ms: number) => Promise<void>
  /** How often it was started, and how long each start took until it was ready. */
  readonly starts: () => readonly number[]
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
}

/** Resolves when it is ready for the first time. */
export async function keep(options: KeptOptions): Promise<Kept> {
  const starts: number[] = []
  let [child, stopping] = [await launch(options, starts), false]
  const watching = (async () => {
    for (;;) {
      await ended(child)
      if (stopping) return
      child = await launch(options, starts).catch(() => child)
    }
  })()
  const words = () => readFileSync(options.logFile, 'utf8')
  return {
    name: options.name,
    kill: () => void child.kill('SIGKILL'),
    async freeze(ms) {
      const frozen = child
      frozen.kill('SIGSTOP')
      await sleep(ms)
      frozen.kill('SIGCONT')
    },
    starts: () => starts,
    words,
    lastWords: () => words().split('\n').slice(-LAST_WORDS).join('\n'),
    async stop() {
      stopping = true
      child.kill('SIGTERM')
      await watching
    },
  }
}

const ended = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
}

async function launch(options: KeptOptions, starts: number[]): Promise<ChildProcess> {
  const [started, log] = [performance.now(), openSync(options.logFile, 'a')]
  const child = spawn(process.execPath, ['services/run.mjs', fileURLToPath(options.script)], {
    ...{ env: options.env, stdio: ['ignore', log, log, 'ipc'] },
  })
  closeSync(log)
  const gone = once(child, 'exit').then(() => 'gone' as const)
  const ready = once(child, 'message').then(() => 'ready' as const)
  // One that is killed before it is ready is simply started again by whoever watches.
  if ((await Promise.race([ready, gone])) === 'ready') starts.push(performance.now() - started)
  return child
}
