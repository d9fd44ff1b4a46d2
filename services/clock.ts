/**
 * The time by which a process goes: the database's, which is the same for all of them.
 *
 * What one process writes down as due or leased another compares with its own time. A machine whose
 * clock is wrong, if only for seconds, would put off a bank's answer until the day it believed in,
 * take what another is working on, and refuse everybody's tokens.
 */
import { setInterval as every } from 'node:timers'
import type { Knex } from 'knex'
import type { Logger } from 'pino'

export interface Clock {
  /** The machine's until the database was asked for the first time. */
  readonly now: () => Date
  /** How far the machine is ahead of that. */
  readonly machineAhead_ms: () => number
  /** Asks now, and from then on again and again. Never fails: what was known goes on. */
  readonly follow: (db: Knex, log: Logger) => Promise<void>
  readonly stop: () => void
}

const ASK_EVERY_MS = 10_000
/** While nothing is known. */
const ASK_SOON_MS = 500
/** An answer that took longer says less than what is known. */
const ANSWER_MAX_MS = 1_000
/** From there on somebody should look at the machine. */
const WRONG_MS = 1_000

/**
 * Between two answers time passes as the processor counts it, which nobody can set.
 * @param machine the machine's own clock, as `Date.now`.
 */
export function openClock(machine: () => number = Date.now): Clock {
  let asked_ms = Number.NEGATIVE_INFINITY
  let timer: NodeJS.Timeout | undefined
  /** What to add to the processor's count. */
  let offset_ms: number | undefined
  /** How far ahead the machine was said to be. */
  let said_ms = 0
  const now_ms = () => (offset_ms === undefined ? machine() : performance.now() + offset_ms)
  const machineAhead_ms = () => machine() - now_ms()

  async function ask(db: Knex, log: Logger): Promise<void> {
    const before_ms = (asked_ms = performance.now())
    const { rows } = await db.raw<{ rows: { at: Date }[] }>('SELECT clock_timestamp() AS at')
    const took_ms = performance.now() - before_ms
    const [row] = rows
    if (row === undefined || (offset_ms !== undefined && took_ms > ANSWER_MAX_MS)) return
    offset_ms = row.at.getTime() - (before_ms + took_ms / 2)
    const ahead_ms = machineAhead_ms()
    if (Math.abs(ahead_ms - said_ms) < WRONG_MS) return
    said_ms = ahead_ms
    log.warn({ ahead_ms: Math.round(ahead_ms) }, 'the clock of this machine is not the database’s')
  }

  return {
    now: () => new Date(now_ms()),
    machineAhead_ms,
    async follow(db, log) {
      const again = () =>
        ask(db, log).catch((error: unknown) => log.warn({ err: error }, 'the time of the database'))
      timer = every(() => {
        const wait_ms = offset_ms === undefined ? ASK_SOON_MS : ASK_EVERY_MS
        if (performance.now() - asked_ms >= wait_ms) void again()
      }, ASK_SOON_MS).unref()
      await again()
    },
    stop: () => clearInterval(timer),
  }
}
