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
  /** The same for the subject of a token, `token <issuer> <subject>`; any other name as it is. */
  readonly nameOf: (name: string) => string
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

const [KEY_BYTES, HASH_BYTES] = [32, 16]

export function openWatch({ secret, perAddress, inAll }: WatchOptions): Watch {
  // Keys for these purposes alone: the log says nothing about what else the secret protects.
  const [addressKey, subjectKey] = ['address', 'subject'].map((what) =>
    Buffer.from(hkdfSync('sha256', secret, '', `florin security log ${what}`, KEY_BYTES)),
  ) as [Buffer, Buffer]
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
    hashOf: (address) => hashUnder(addressKey, address),
    nameOf: (name) =>
      name.replace(
        TOKEN_NAME,
        (whole, issuer: string) =>
          `token ${issuer} ${hashUnder(subjectKey, whole).toString('hex')}`,
      ),
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

/** The log is never changed: a subject that it named would outlive the person's erasure. */
const TOKEN_NAME = /^token (\S+) .+$/s

const hashUnder = (key: Buffer, text: string): Buffer =>
  createHmac('sha256', key).update(text).digest().subarray(0, HASH_BYTES)
