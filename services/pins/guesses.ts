/**
 * One popular PIN tried on many people stays below everybody's own count. So wrong PINs and codes
 * are counted by address too, and those of everybody together.
 */
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { type Budget, openBudget } from './failures.ts'

export interface Guesses {
  /**
   * Does what looks at a PIN or a code, and counts it when that was wrong.
   * @throws {ServiceError} `too_many_requests` when too many from the address were wrong within the
   *   hour, `saturated` when too many were anywhere within the minute; before any hash.
   */
  readonly from: <T>(address: string, work: () => Promise<T>) => Promise<T>
}

/** What can be guessed, by the name under which it is given; a device's signature cannot. */
const GUESSABLE: ReadonlySet<string> = new Set(['pin', 'pin_jwe', 'current_pin', 'code', 'totp'])

/** Whether a request's body holds something that its sender may have guessed. */
export function holdsGuess(body: unknown): boolean {
  if (typeof body !== 'object' || body === null) return false
  const { approval } = body as { approval?: unknown }
  if (approval === undefined) {
    return Object.entries(body).some(([name, value]) => GUESSABLE.has(name) && value !== undefined)
  }
  // Beside an approval a PIN is a new one, and a code is what it is anywhere.
  return ('totp' in body && body.totp !== undefined) || holdsGuess(approval)
}

/** Guesses of one address. */
interface Crowd {
  inFlight: number
  readonly waiting: (() => void)[]
}

export function openGuesses(context: Context): Guesses {
  const { config, peppers } = context
  const budget = openBudget(context)
  const crowds = new Map<string, Crowd>()

  function crowdOf(name: string): Crowd {
    const crowd = crowds.get(name) ?? { inFlight: 0, waiting: [] }
    crowds.set(name, crowd)
    return crowd
  }

  function leave(name: string, crowd: Crowd): void {
    crowd.inFlight -= 1
    const next = crowd.waiting.shift()
    if (next !== undefined) next()
    else if (crowd.inFlight === 0) crowds.delete(name)
  }

  return {
    async from(address, work) {
      const name = peppers.nameOf(`address ${address}`).toString('hex')
      const crowd = crowdOf(name)
      while (!(await isAdmitted(budget, name, crowd, leave))) {
        await turnIn(crowd, config.PIN_QUEUE_MAX)
      }
      try {
        return await work()
      } catch (error) {
        // What cannot be read or is signed by nobody was never compared: it guesses at nothing.
        const person = error instanceof ServiceError ? error.guessedOf : undefined
        if (person !== undefined) {
          await budget.recordFailure(name, peppers.nameOf(`person ${person}`).toString('hex'))
        }
        throw error
      } finally {
        leave(name, crowd)
      }
    },
  }
}

/**
 * Lets one in as long as all that are in may be wrong. Those under way are counted before looking,
 * and whoever looks is under way: so one process never looks at more than there may be wrong. Of
 * several processes each may have its own under way when the last one is wrong.
 */
async function isAdmitted(
  budget: Budget,
  name: string,
  crowd: Crowd,
  leave: (name: string, crowd: Crowd) => void,
): Promise<boolean> {
  const others = crowd.inFlight
  crowd.inFlight += 1
  try {
    const [isRoom] = await Promise.all([budget.isRoom(name, others), budget.refuseFlood()])
    if (isRoom) return true
  } catch (error) {
    leave(name, crowd)
    throw error
  }
  crowd.inFlight -= 1
  return false
}

/** Waits for one to leave, if there is anybody left who can. */
async function turnIn({ inFlight, waiting }: Crowd, queueMax: number): Promise<void> {
  if (inFlight === 0) return
  if (waiting.length >= queueMax) throw new ServiceError('saturated', { retryAfter_s: 1 })
  await new Promise<void>((resolve) => waiting.push(resolve))
}
