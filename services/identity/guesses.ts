/**
 * One popular PIN tried on many people stays below everybody's own count. So wrong PINs and codes
 * are counted by address and by the minute too, in the database, for all processes at once.
 */
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { openLoader } from '../loader.ts'

export interface Guesses {
  /**
   * Does what looks at a PIN or a code, and counts it when that was wrong.
   * @throws {ServiceError} `too_many_requests` when too many from the address were wrong within the
   *   hour, `saturated` when too many were anywhere within the minute; before any hash.
   */
  readonly from: <T>(address: string, work: () => Promise<T>) => Promise<T>
}

/** What can be guessed, by the name under which it is given; a device's signature cannot. */
const GUESSABLE: readonly string[] = [
  ...['pin', 'pin_jwe', 'current_pin', 'code', 'totp', 'recovery_code'],
]

/** Whether a request's body holds something that its sender may have guessed. */
export function holdsGuess(body: unknown): boolean {
  if (typeof body !== 'object' || body === null) return false
  const { approval } = body as { approval?: unknown }
  // Beside an approval a PIN is a new one.
  return approval === undefined
    ? GUESSABLE.some((name) => Object.hasOwn(body, name))
    : holdsGuess(approval)
}

interface Failures {
  readonly failures: number
  /** The first minute of those that count. */
  readonly since: Date
}

interface Counter {
  inFlight: number
  readonly waiting: (() => void)[]
}

const MINUTE_MS = 60_000
/** A failure is known by its minute: an hour and that minute, so that none is missed. */
const KEPT_MS = 61 * MINUTE_MS
/** In the table: everybody. */
const EVERYBODY = ''

type Look = Pick<Context, 'config' | 'db' | 'peppers' | 'log' | 'now'>

export function openGuesses(context: Look): Guesses {
  const { config, peppers, log } = context
  const failuresOf = openLoader((names: readonly string[]) => findFailures(context, names))
  const counters = new Map<string, Counter>()
  let warnedAt = 0

  function counterOf(name: string): Counter {
    const known = counters.get(name) ?? { inFlight: 0, waiting: [] }
    counters.set(name, known)
    return known
  }

  async function refuseFlood(now: Date): Promise<void> {
    const max = config.SPRAY_FAILURES_GLOBAL_MINUTE
    if (max === 0) return
    const { failures = 0 } = (await failuresOf(EVERYBODY)) ?? {}
    if (failures < max) return
    const minute = minuteOf(now).getTime()
    if (minute !== warnedAt) log.warn({ failures, max }, 'PINs are guessed: none is looked at')
    warnedAt = minute
    const left_s = Math.ceil((minute + MINUTE_MS - now.getTime()) / 1000)
    throw new ServiceError('saturated', { retryAfter_s: Math.max(1, left_s) })
  }

  /**
   * Whether there is room for one more guess among those that were wrong and those that still may
   * be. Those under way are counted before looking, so one that ends meanwhile is not missed.
   */
  async function isRoom(name: string, others: number, now: Date): Promise<boolean> {
    const max = config.SPRAY_FAILURES_PER_ADDRESS_HOUR
    if (max === 0) return true
    const { failures = 0, since = now } = (await failuresOf(name)) ?? {}
    if (failures < max) return failures + others < max
    const left_s = Math.ceil((since.getTime() + KEPT_MS - now.getTime()) / 1000)
    throw new ServiceError('too_many_requests', { retryAfter_s: Math.max(1, left_s) })
  }

  /** Lets guesses of one address in as long as all of them may be wrong; the rest waits its turn. */
  async function admitted(name: string, counter: Counter): Promise<void> {
    for (;;) {
      const others = counter.inFlight
      counter.inFlight += 1
      const [room] = await Promise.all([
        isRoom(name, others, context.now()),
        refuseFlood(context.now()),
      ]).catch((error: unknown) => {
        leave(name, counter)
        throw error
      })
      if (room) return
      counter.inFlight -= 1
      // Nobody is left who would wake us.
      if (counter.inFlight === 0) continue
      if (counter.waiting.length >= config.PIN_QUEUE_MAX) {
        throw new ServiceError('saturated', { retryAfter_s: 1 })
      }
      await new Promise<void>((resolve) => counter.waiting.push(resolve))
    }
  }

  function leave(name: string, counter: Counter): void {
    counter.inFlight -= 1
    const next = counter.waiting.shift()
    if (next !== undefined) next()
    else if (counter.inFlight === 0) counters.delete(name)
  }

  return {
    async from(address, work) {
      const name = peppers.nameOf(`address ${address}`).toString('hex')
      const counter = counterOf(name)
      await admitted(name, counter)
      try {
        return await work()
      } catch (error) {
        const isWrong = error instanceof ServiceError && error.code === 'approval_refused'
        if (isWrong) await recordFailure(context, name)
        throw error
      } finally {
        leave(name, counter)
      }
    },
  }
}

const minuteOf = (at: Date): Date => new Date(at.getTime() - (at.getTime() % MINUTE_MS))

async function findFailures(
  { db, now }: Look,
  names: readonly string[],
): Promise<ReadonlyMap<string, Failures>> {
  const at = now()
  const { rows } = await db.raw<{ rows: (Failures & { name: string })[] }>(
    `SELECT encode(address, 'hex') AS name, sum(failures)::int AS failures, min(minute) AS since
       FROM pin_failures
      WHERE address = ANY(?::bytea[])
        AND minute >= CASE WHEN address = '' THEN ?::timestamptz ELSE ?::timestamptz END
      GROUP BY address`,
    [
      names.map((name) => Buffer.from(name, 'hex')),
      ...[minuteOf(at), new Date(at.getTime() - KEPT_MS)],
    ],
  )
  return new Map(rows.map(({ name, ...found }) => [name, found]))
}

async function recordFailure({ db, now }: Look, name: string): Promise<void> {
  const minute = minuteOf(now())
  await db('pin_failures')
    .insert([
      { minute, address: Buffer.from(name, 'hex'), failures: 1 },
      { minute, address: Buffer.alloc(0), failures: 1 },
    ])
    .onConflict(['address', 'minute'])
    .merge({ failures: db.raw('pin_failures.failures + 1') })
}

/** What is older than a day is over for good. */
const FORGOTTEN_AFTER_MS = 24 * 60 * MINUTE_MS

export async function forgetFailures({ db, now }: Context): Promise<void> {
  const before = new Date(now().getTime() - FORGOTTEN_AFTER_MS)
  await db('pin_failures').where('minute', '<', before).delete()
}
