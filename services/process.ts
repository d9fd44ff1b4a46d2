/**
 * What every process does: read its configuration, say so when it is ready, and drain when told to.
 */
import { pino, type Logger } from 'pino'
import { type Config, ConfigError, readConfig } from './config.ts'
import { closeContext, type Context, openContext, type Role } from './context.ts'
import { stopWithParent } from './local/processes.ts'
import { openMetrics } from './metrics.ts'

/** After this the process ends, whatever is still running: the books survive that. */
const DRAIN_MAX_MS = 10_000

/** Nothing that could move money or name a person in full is ever logged. */
const REDACTED = ['authorization', 'pin', 'approval', 'token', 'secret', 'number']

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
  const config = configOrExit()
  const log = openLog(config, role)
  const context = openContext({ config, role, log, metrics: openMetrics(role) })
  const running = await start(context)
  const stop = once(async () => {
    log.info('draining')
    setTimeout(() => process.exit(1), DRAIN_MAX_MS).unref()
    await running.drain()
    await closeContext(context)
    process.exit(0)
  })
  process.once('SIGTERM', stop).once('SIGINT', stop)
  stopWithParent(stop)
  process.on('unhandledRejection', (error) => {
    log.fatal({ err: error }, 'unhandled rejection')
    stop()
  })
  process.send?.('ready')
}

function configOrExit(): Config {
  try {
    return readConfig()
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    process.stderr.write(`${error.message}\n`)
    return process.exit(1)
  }
}

const openLog = (config: Config, name: string): Logger =>
  pino({
    ...{ name, level: config.LOG_LEVEL, timestamp: pino.stdTimeFunctions.isoTime },
    redact: REDACTED.flatMap((key) => [key, `*.${key}`, `*.*.${key}`]),
  })

function once(work: () => Promise<void>): () => void {
  let begun = false
  return () => {
    if (begun) return
    begun = true
    void work()
  }
}
