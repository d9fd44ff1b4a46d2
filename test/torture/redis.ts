/** A Redis that keeps the doorbell's rings, where it is installed: killed, emptied, and back. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../support/ports.ts'

export interface KeptRedis {
  readonly port: number
  /**
   * Ends it without a word; after so long it is back, with what was on its disk or without.
   * @returns whether there was one to end.
   */
  readonly kill: (away_ms: number, disk: 'kept' | 'lost') => Promise<boolean>
  /** It forgets all that it was told. @returns whether it says that it has. */
  readonly wipe: () => Promise<boolean>
  readonly stop: () => Promise<void>
}

/** As `docker-compose.yml` has it. */
const SETTINGS = [
  ...['--appendonly', 'yes', '--save', '', '--maxmemory-policy', 'noeviction'],
  ...['--user', 'default', 'on', 'nopass', '~*', '&*', '+@all', '-@dangerous', '+info'],
  // But for the one who empties it.
  ...['--user', 'operator', 'on', 'nopass', '+flushall'],
]

/** @throws {Error} where Redis is not installed. */
export async function keepRedis(folder: string): Promise<KeptRedis> {
  if (spawnSync('redis-server', ['--version']).status !== 0) {
    throw new Error('--redis needs redis-server, as in the package of that name')
  }
  const [port, dir] = [await freePort(), join(folder, 'redis')]
  let [running, isStopping]: [ChildProcess | undefined, boolean] = [undefined, false]
  // Whatever happens to us, it does not stay.
  process.once('exit', () => running?.kill('SIGKILL'))
  const start = async () => {
    mkdirSync(dir, { recursive: true })
    const where = ['--bind', '127.0.0.1', '--port', `${port}`, '--dir', dir]
    const started = spawn('redis-server', [...where, ...SETTINGS], { stdio: 'ignore' })
    running = started
    while (!(await obeys(port, 'PING'))) {
      if (isStopping) return
      if (hasEnded(started)) throw new Error('redis-server does not start')
      await sleep(POLL_MS)
    }
  }
  /** @returns whether it was this that ended it. */
  const end = async (signal: NodeJS.Signals) => {
    const ending = running
    running = undefined
    if (ending === undefined || hasEnded(ending)) return false
    const gone = once(ending, 'exit')
    const isSent = ending.kill(signal)
    await gone
    return isSent
  }
  await start()
  return {
    port,
    async kill(away_ms, disk) {
      // It may be away already.
      if (running === undefined) return false
      const isKilled = await end('SIGKILL')
      await sleep(away_ms)
      if (isStopping) return isKilled
      if (disk === 'lost') rmSync(dir, { recursive: true, force: true })
      await start()
      return isKilled
    },
    wipe: () => obeys(port, 'AUTH operator x', 'FLUSHALL'),
    async stop() {
      isStopping = true
      await end('SIGTERM')
    },
  }
}

const POLL_MS = 50
const SILENCE_MAX_MS = 1_000

const hasEnded = ({ exitCode, signalCode }: ChildProcess) =>
  exitCode !== null || signalCode !== null

/** @returns whether it did each of them, by its own word: what follows a refusal says nothing. */
export async function obeys(port: number, ...commands: readonly string[]): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  socket.setTimeout(SILENCE_MAX_MS, () => socket.destroy(new Error('it is silent')))
  let heard = ''
  const answers = () => heard.split('\r\n').slice(0, -1)
  try {
    socket.write(commands.map((command) => `${command}\r\n`).join(''))
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      heard += chunk.toString()
      if (answers().length >= commands.length) break
    }
  } catch {
    return false
  } finally {
    socket.destroy()
  }
  return answers().length === commands.length && answers().every((line) => line.startsWith('+'))
}
