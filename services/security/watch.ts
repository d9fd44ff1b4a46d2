/**
 * Keeps a flood of failures from filling the disk: some rows of each kind for each address in each
 * minute, some for everybody together, and what is more is counted and written down as one row.
 * Nothing is lost but the place of the single failure: the rows and their counts still add up.
 */
import { createHmac, hkdfSync } from 'node:crypto'

export interface Counted {
  readonly kind: string
  /** Undefined for all those that had no row of their own. */
  readonly address: string | undefined
  readonly times: number
}

export interface Watch {
  /** An address as the log keeps it: whoever has the log alone cannot find the address. */
  readonly hashOf: (address: string) => Buffer
  /** Whether a failure gets a row of its own; if not, it is counted. */
  readonly admit: (kind: string, address: string | undefined, at: Date) => boolean
  /** What was counted since this was asked last. */
  readonly take: () => readonly Counted[]
}

interface WatchOptions {
  /** A secret that is not in the database. */
  readonly secret: Buffer
  /** Rows of one kind from one address in a minute. */
  readonly perAddress: number
  /** Rows in a minute, of all kinds and addresses. */
  readonly inAll: number
}

export const WINDOW_MS = 60_000

export function openWatch({ secret, perAddress, inAll }: WatchOptions): Watch {
  // A key for this purpose alone, so that the log says nothing about what else the secret protects.
  const key = Buffer.from(hkdfSync('sha256', secret, '', 'florin security log address', 32))
  const written = new Map<string, number>()
  let counted = new Map<string, Counted>()
  let [rows, window] = [0, 0]

  function startWindow(at: Date): void {
    const current = Math.floor(at.getTime() / WINDOW_MS)
    if (current === window) return
    window = current
    rows = 0
    written.clear()
  }

  return {
    hashOf: (address) => createHmac('sha256', key).update(address).digest().subarray(0, 16),
    admit(kind, address, at) {
      startWindow(at)
      const name = `${kind} ${address ?? ''}`
      const ofAddress = written.get(name)
      if (rows < inAll && (ofAddress ?? 0) < perAddress) {
        rows += 1
        written.set(name, (ofAddress ?? 0) + 1)
        return true
      }
      // Only who has a row is counted by name: so there are never more names than rows.
      const known = ofAddress === undefined ? undefined : address
      const group = `${kind} ${known ?? ''}`
      const times = (counted.get(group)?.times ?? 0) + 1
      counted.set(group, { kind, address: known, times })
      return false
    },
    take() {
      const taken = [...counted.values()]
      counted = new Map()
      return taken
    },
  }
}
