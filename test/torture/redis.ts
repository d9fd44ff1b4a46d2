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
  /** Ends it without a word; after so long it is back, with what was on its disk or without. */
  readonly kill: (away_ms: number, disk: 'kept' | 'lost') => Promise<void>
  /** It forgets all that it was told. */
  readonly wipe: () => Promise<void>
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
    running = spawn('redis-server', [...where, ...SETTINGS], { stdio: 'ignore' })
    while (!(await tell(port, 'PING'))) await sleep(POLL_MS)
  }
  const end = async (signal: NodeJS.Signals) => {
    const ending = running
    running = undefined
    if (ending === undefined) return
    const gone = once(ending, 'exit')
    ending.kill(signal)
    await gone
  }
  await start()
  return {
    port,
    async kill(away_ms, disk) {
      // It may be away already.
      if (running === undefined) return
      await end('SIGKILL')
      await sleep(away_ms)
      if (isStopping) return
      if (disk === 'lost') rmSync(dir, { recursive: true, force: true })
      await start()
    },
    wipe: async () => void (await tell(port, 'AUTH operator x\r\nFLUSHALL')),
    async stop() {
      isStopping = true
      await end('SIGTERM')
    },
  }
}

const POLL_MS = 50
const SILENCE_MAX_MS = 1_000

/** @returns whether it was heard. */
async function tell(port: number, command: string): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  const giveUp = () => socket.destroy(new Error('it is silent'))
  socket.setTimeout(SILENCE_MAX_MS, giveUp).on('end', giveUp)
  try {
    socket.write(`${command}\r\n`)
    const [answer] = (await once(socket, 'data')) as [Buffer]
    return answer.toString().startsWith('+')
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
