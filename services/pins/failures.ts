/** Wrong PINs and codes by address and minute, in the database: for all processes at once. */
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { openLoader } from '../loader.ts'

interface Failures {
  readonly failures: number
  /** The first minute of those that count. */
  readonly since: Date
}

export interface Budget {
  /**
   * Whether there is room for one more guess, if `others` that are under way may be wrong too.
   * @throws {ServiceError} `too_many_requests` when nothing is left for the address.
   */
  readonly isRoom: (name: string, others: number) => Promise<boolean>
  /** @throws {ServiceError} `saturated` when too many were wrong anywhere within this minute. */
  readonly refuseFlood: () => Promise<void>
  /**
   * @param person whose PIN or code it was, by a name. Of each person one a minute counts among
   *   everybody's: who guesses at many is meant, and nobody alone can keep all others out.
   */
  readonly recordFailure: (name: string, person: string) => Promise<void>
}

const MINUTE_MS = 60_000
/** A failure is known by its minute: an hour and that minute, so that none is missed. */
const KEPT_MS = 61 * MINUTE_MS
/** The address under which everybody's are counted. */
const EVERYBODY = ''

type Here = Pick<Context, 'config' | 'db' | 'log' | 'now'>

export function openBudget(context: Here): Budget {
  const { config, log, now } = context
  const failuresOf = openLoader((names: readonly string[]) => findFailures(context, names))
  let warnedAt = 0
  return {
    async isRoom(name, others) {
      const max = config.SPRAY_FAILURES_PER_ADDRESS_HOUR
      if (max === 0) return true
      const { failures = 0, since = now() } = (await failuresOf(name)) ?? {}
      if (failures >= max) throw refusal('too_many_requests', since.getTime() + KEPT_MS, now())
      return failures + others < max
    },

    async refuseFlood() {
      const max = config.SPRAY_FAILURES_GLOBAL_MINUTE
      if (max === 0) return
      const { failures = 0 } = (await failuresOf(EVERYBODY)) ?? {}
      if (failures < max) return
      const minute = minuteOf(now()).getTime()
      if (minute !== warnedAt) log.warn({ failures, max }, 'PINs are guessed: none is looked at')
      warnedAt = minute
      throw refusal('saturated', minute + MINUTE_MS, now())
    },

    recordFailure: (name, person) => recordFailure(context, name, person),
  }
}

function refusal(code: 'too_many_requests' | 'saturated', until_ms: number, now: Date) {
  const left_s = Math.ceil((until_ms - now.getTime()) / 1000)
  return new ServiceError(code, { retryAfter_s: Math.max(1, left_s) })
}

const minuteOf = (at: Date): Date => new Date(at.getTime() - (at.getTime() % MINUTE_MS))

async function findFailures(
  { db, now }: Here,
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

async function recordFailure({ db, now }: Here, name: string, person: string): Promise<void> {
  const minute = minuteOf(now())
  const rowOf = (one: string) => ({ minute, address: Buffer.from(one, 'hex'), failures: 1 })
  const first = await db('pin_failures')
    .insert(rowOf(person))
    .onConflict(['address', 'minute'])
    .ignore()
    .returning('minute')
  await db('pin_failures')
    .insert([rowOf(name), ...first.map(() => rowOf(EVERYBODY))])
    .onConflict(['address', 'minute'])
    .merge({ failures: db.raw('pin_failures.failures + 1') })
}

/** What is older than a day is over for good. */
const FORGOTTEN_AFTER_MS = 24 * 60 * MINUTE_MS

/** One run removes so many at most; the next goes on. */
const FORGOTTEN_MAX = 10_000

/** @returns how many were forgotten. */
export async function forgetFailures({ db, now }: Pick<Context, 'db' | 'now'>): Promise<number> {
  const before = new Date(now().getTime() - FORGOTTEN_AFTER_MS)
  const old = db('pin_failures').where('minute', '<', before).limit(FORGOTTEN_MAX)
  return db('pin_failures').whereIn(['address', 'minute'], old.select('address', 'minute')).delete()
}
