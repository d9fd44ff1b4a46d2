/** What is hashed into every PIN and kept outside the database, and which of them a hash has. */
import { createHmac } from 'node:crypto'

export interface Peppers {
  /** Which pepper a new hash gets. */
  readonly kid: string
  /** Those with which a hash can be checked. */
  readonly kids: readonly string[]
  /**
   * The PIN as it is hashed.
   * @param kid null for a hash that was made before peppers had ids: the earliest one's.
   */
  readonly pepper: (pin: string, kid: string | null) => string
  /** A name for something that only we can tell: the same for the same thing. */
  readonly nameOf: (thing: string) => Buffer
}

/** @param previous newest first: the last of them is the first there ever was. */
export function openPeppers(current: Buffer, previous: readonly Buffer[]): Peppers {
  const earliest = previous.at(-1) ?? current
  const keys = new Map([...previous, current].map((key) => [kidOf(key), key]))
  return {
    kid: kidOf(current),
    kids: [...keys.keys()],
    pepper: (pin, kid) => {
      const key = kid === null ? earliest : keys.get(kid)
      if (key === undefined) throw new Error(`the pepper ${kid} is not configured`)
      return createHmac('sha256', key).update(pin).digest('base64')
    },
    nameOf: (thing) => createHmac('sha256', current).update(`florin name ${thing}`).digest(),
  }
}

/** An id that follows from the key, so that nobody can give a key the id of another. */
const kidOf = (key: Buffer): string =>
  createHmac('sha256', key).update('florin pepper id').digest('hex').slice(0, 16)
