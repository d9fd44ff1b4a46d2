/**
 * One request, sent any number of times, is done once. The stored answer lives in the books and
 * commits with the money; this file recognises the repetition before any costly work is done.
 */
import { type Claim, claimOf, LedgerError, type Outcome } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { isFinal, problemOfError } from './problems.ts'

const KEY = /^(?:"([A-Za-z0-9_-]{16,64})"|([A-Za-z0-9_-]{16,64}))$/

/** The key of an Idempotency-Key header, quoted or not; undefined when there is no header. */
export function keyOf(header: string | readonly string[] | undefined): string | undefined {
  if (header === undefined) return undefined
  const [, quoted, bare] = (typeof header === 'string' && KEY.exec(header)) || []
  const key = quoted ?? bare
  if (key === undefined) throw new ServiceError('idempotency_key_missing')
  return key
}

/**
 * The claim of a request. How it was approved is left out of the fingerprint: whoever mistypes a
 * PIN may correct it under the same key, and no digest of a PIN is ever stored. The same holds for
 * what a new device signs to show that it is there.
 * @param params what the path names: the same body for another payment is another request.
 */
export function claimOfRequest(
  owner: string,
  route: string,
  key: string,
  { params, body }: { readonly params: unknown; readonly body: unknown },
): Claim {
  const {
    approval: _approval,
    possession: _possession,
    ...asked
  } = (body ?? {}) as Record<string, unknown>
  const isNamed = Object.keys(params ?? {}).length > 0
  return claimOf(owner, route, key, canonical(isNamed ? [params, asked] : asked))
}

/** The same text for the same value, whatever the order of its keys. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${entries.map(([key, one]) => `${JSON.stringify(key)}:${canonical(one)}`).join(',')}}`
}

/** The claim of a call that must have one. */
export function claimed(claim: Claim | undefined): Claim {
  if (claim === undefined) throw new ServiceError('idempotency_key_missing')
  return claim
}

interface Running {
  readonly fingerprint: Buffer
  readonly outcome: Promise<unknown>
}

export interface Once {
  /** Runs `work`, unless the claim was answered before or is being worked on in this process. */
  readonly run: <T>(claim: Claim, work: () => Promise<T>) => Promise<T | Outcome>
}

export function openOnce({ group }: Pick<Context, 'group'>): Once {
  const running = new Map<string, Running>()

  async function start<T>(claim: Claim, work: () => Promise<T>): Promise<T | Outcome> {
    const known = await stored(claim)
    if (known !== undefined) return known
    try {
      return await work()
    } catch (error) {
      // A twin in another process may have done it meanwhile, and left nothing to do for this one:
      // what it is refused for is what the twin did. Who only comes too early is not looked up.
      const problem = problemOfError(error)
      const done = problem !== undefined && isFinal(problem) ? await stored(claim) : undefined
      if (done === undefined) throw error
      return done
    }
  }

  async function stored(claim: Claim): Promise<Outcome | undefined> {
    const known = await group.recall(claim)
    if (known === undefined) return undefined
    refuseOtherThan(claim, known)
    return { answer: known.answer, replayed: true }
  }

  async function run<T>(claim: Claim, work: () => Promise<T>): Promise<T | Outcome> {
    const twin = running.get(claim.id)
    if (twin !== undefined) {
      refuseOtherThan(claim, twin)
      const outcome = await twin.outcome.catch(() => FAILED)
      // What was not stored is not final: the twin may have had the wrong PIN, and this one not.
      return outcome === FAILED ? run(claim, work) : (asReplay(outcome) as T | Outcome)
    }
    const outcome = start(claim, work)
    running.set(claim.id, { fingerprint: claim.fingerprint, outcome })
    try {
      return await outcome
    } finally {
      running.delete(claim.id)
    }
  }

  return { run }
}

const FAILED = Symbol('failed')

function refuseOtherThan(claim: Claim, known: { readonly fingerprint: Buffer }): void {
  if (known.fingerprint.equals(claim.fingerprint)) return
  throw new LedgerError('idempotency_key_reused')
}

const asReplay = (outcome: unknown) =>
  typeof outcome === 'object' && outcome !== null && 'answer' in outcome
    ? { answer: outcome.answer, replayed: true }
    : outcome
