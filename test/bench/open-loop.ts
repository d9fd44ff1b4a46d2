/**
 * The open loop: people come when they come, however long those before them have to wait. Each is
 * timed from the moment at which they meant to come, so that a stall counts for all whom it met.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { LedgerError } from '../../ledger/index.ts'
import { type Latency, latencyOf, openDice } from './load.ts'

export interface Offered extends Latency {
  readonly offered_per_s: number
  /** Answers within the time: fewer than offered when the queue only grew. */
  readonly answered_per_s: number
  /** Who was turned away because too many waited. */
  readonly refused: number
}

export interface OpenRound extends Offered {
  /** Everybody who was let in, before and after the measured time too. */
  readonly answered: number
}

const RAMP_MS = 500
const SEED = 20_260_103
/** The dice have this many sides. */
const SIDES = 2 ** 30

/**
 * Arrivals are those of many independent people, `per_s` on average. A timer lets in whoever came
 * since it last fired, up to a good millisecond late; that is counted against us.
 */
export async function offer(
  per_s: number,
  seconds: number,
  call: () => Promise<void>,
): Promise<OpenRound> {
  const gap = gapsOf(per_s)
  const begun = performance.now()
  const opens = begun + RAMP_MS
  const closes = opens + seconds * 1000
  const latencies_ms: number[] = []
  const asking = new Set<Promise<void>>()
  let answered = 0
  let inTime = 0
  let refused = 0

  async function ask(meant: number): Promise<void> {
    const isMeasured = meant >= opens && meant < closes
    if (await isTurnedAway(call)) {
      if (isMeasured) refused += 1
      return
    }
    const now = performance.now()
    answered += 1
    if (now >= opens && now < closes) inTime += 1
    if (isMeasured) latencies_ms.push(now - meant)
  }

  for (let meant = begun + gap(); meant < closes;) {
    for (const now = performance.now(); meant < closes && meant <= now; meant += gap()) {
      const asked = ask(meant)
      asking.add(asked)
      void asked.then(() => asking.delete(asked))
    }
    await sleep(1)
  }
  await Promise.all(asking)
  const paces = { offered_per_s: per_s, answered_per_s: inTime / seconds }
  return { ...paces, ...latencyOf(latencies_ms), refused, answered }
}

async function isTurnedAway(call: () => Promise<void>): Promise<boolean> {
  try {
    await call()
    return false
  } catch (error) {
    if (error instanceof LedgerError && error.code === 'ledger_saturated') return true
    throw error
  }
}

/** Milliseconds from one arrival to the next, drawn anew each time: those of a Poisson process. */
function gapsOf(per_s: number): () => number {
  const dice = openDice(SEED)
  return () => (-Math.log((1 + dice(SIDES)) / SIDES) * 1000) / per_s
}
