/**
 * What every process does: read its configuration, say so when it is ready, and drain when told to.
 */
import { setFlagsFromString } from 'node:v8'
import { LedgerError } from '../ledger/index.ts'
import { openClock } from './clock.ts'
import { type Config, readConfig } from './config.ts'
import {
  closeContext,
  type Context,
  type ContextOptions,
  openContext,
  type Role,
} from './context.ts'
import { openLog } from './log.ts'
import { stopWithParent } from './local/processes.ts'
import { openMetrics } from './metrics.ts'

/**
 * How V8 collects garbage in what we are: much is made for a request and over with it.
 *
 * It would learn, while requests wait for each other, to make some objects old at once; and what an
 * old object refers to is kept until the next collection of everything, which was a seventh of all
 * that is made, copied twice. And it would let the heap grow fourfold before that.
 */
const COLLECTING = ['--no-allocation-site-pretenuring', '--heap-growing-percent=150']

/** After this the process ends, whatever is still running: the books survive that. */
const DRAIN_MAX_MS = 10_000
/** But a call to a bank is waited for. */
const DRAIN_AFTER_BANK_MS = 5_000

export interface Running {
  /** Stops taking work in, and waits for what is being done. */
  readonly drain: () => Promise<void>
}

/**
 * Runs `start` as a process: one clear line when it cannot, a clean end when it is told to stop.
 */
export async function runProcess(
  role: Role,
  start: (context: Context) => Promise<Running>,
): Promise<void> {
  for (const flag of COLLECTING) setFlagsFromString(flag)
  const config = configOrExit()
  const log = openLog({ level: config.LOG_LEVEL, name: role })
  let stop = (): void => process.exit(1)
  let code = 0
  // What nobody caught may have left anything behind: whoever supervises us starts a new process.
  const fail = (error: unknown, what: string) => {
    log.fatal({ err: error }, what)
    code = 1
    stop()
  }
  process.on('unhandledRejection', (error) => fail(error, 'unhandled rejection'))
  process.on('uncaughtException', (error) => fail(error, 'uncaught exception'))
  const [metrics, clock] = [openMetrics(role), openClock()]
  const context = contextOrExit({ config, role, log, metrics, now: clock.now })
  const drain_ms = Math.max(DRAIN_MAX_MS, config.BANK_TIMEOUT_MS + DRAIN_AFTER_BANK_MS)
  await refuseUnsafe(context)
  await clock.follow(context.db, log)
  metrics.gauge(
    'florin_clock_ahead_seconds',
    'The machine, of the database',
    () => clock.machineAhead_ms() / 1000,
  )
  const running = await start(context).catch((error: unknown) => {
    return exitWith(`${role} cannot start: ${messageOf(error)}`)
  })
  stop = once(async () => {
    log.info('draining')
    setTimeout(() => process.exit(1), drain_ms).unref()
    try {
      await running.drain()
      clock.stop()
      await closeContext(context)
    } catch (error) {
      log.error({ err: error }, 'draining')
      code = 1
    }
    process.exit(code)
  })
  process.once('SIGTERM', stop).once('SIGINT', stop)
  stopWithParent(stop)
  log.info('ready')
  process.send?.('ready')
}

const configOrExit = (): Config => orExit(readConfig)
const contextOrExit = (options: ContextOptions): Context => orExit(() => openContext(options))

/** What cannot be started is said in one line, without a stack. */
function orExit<T>(open: () => T): T {
  try {
    return open()
  } catch (error) {
    return exitWith(messageOf(error))
  }
}

function exitWith(message: string): never {
  process.stderr.write(`${message}\n`)
  return process.exit(1)
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error))

/**
 * Ends the process when the database could lose what it confirms, or is a replica. One that cannot
 * be reached yet is looked at when it can: every connection is.
 */
async function refuseUnsafe({ db, log }: Context): Promise<void> {
  try {
    await db.raw('SELECT 1')
  } catch (error) {
    const { cause } = error as { readonly cause?: unknown }
    if (error instanceof LedgerError && cause instanceof Error) {
      exitWith(cause.message)
    }
    log.warn({ err: error }, 'database')
  }
}

function once(work: () => Promise<void>): () => void {
  let begun = false
  return () => {
    if (begun) return
    begun = true
    void work()
  }
}
