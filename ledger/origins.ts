/**
 * What later units refer back to: holds, which are posted or voided, and units that are reversed.
 * Pure: says which rows the reference comes to, or why it comes to none.
 */
import type { LedgerErrorCode } from './errors.ts'
import type { AccountId, TransferId } from './ids.ts'
import { allocate, type Money } from './money.ts'
import type { Resolution, Transfer } from './units.ts'

/** A transfer of the unit that is referred to. */
export interface OriginRow extends Pick<
  Transfer,
  'id' | 'kind' | 'debit' | 'credit' | 'money' | 'expiresAt'
> {
  /** Of a pending transfer: what was posted or voided of it, and in how many rows. */
  readonly resolved: bigint
  readonly resolutions: bigint
  readonly isReversed: boolean
}

/** The rows of a unit, in their order. */
export type Origin = readonly OriginRow[]

/** One row to be: a movement with what it refers to. */
export interface Step {
  readonly kind: Transfer['kind']
  readonly debit: AccountId
  readonly credit: AccountId
  readonly money: Money
  readonly pendingId: TransferId | null
  readonly resolution: bigint | null
  readonly reversesId: TransferId | null
  readonly expiresAt: Date | null
}

export const originOf = (transfers: readonly Transfer[]): Origin =>
  transfers.map((row) => ({ ...row, resolved: 0n, resolutions: 0n, isReversed: false }))

const leftOf = (leg: OriginRow) => leg.money.amount - leg.resolved

/** The rows that post or void the hold. Each leg gets its share of what all have left. */
export function resolve(
  origin: Origin | undefined,
  { kind, amount, isFinal = false }: Resolution,
  at: Date,
): readonly Step[] | LedgerErrorCode {
  const legs = origin?.filter((row) => row.kind === 'pending') ?? []
  if (legs.length === 0) return 'hold_not_found'
  const left = legs.map(leftOf)
  const all = left.reduce((sum, one) => sum + one, 0n)
  if (all === 0n) return 'hold_resolved'
  if (kind === 'void') return legs.flatMap((leg, n) => resolvedBy('void', leg, left[n] ?? 0n, 1n))
  if (legs.some((leg) => leg.expiresAt !== null && leg.expiresAt <= at)) return 'hold_expired'
  if (amount !== undefined) {
    const currencies = new Set(legs.map((leg) => leg.money.currency))
    if (currencies.size > 1) return 'hold_in_several_currencies'
    if (amount <= 0n) return 'amount_not_positive'
    if (amount > all) return 'amount_exceeds_hold'
  }
  const shares = amount === undefined ? left : allocate(amount, left)
  return legs.flatMap((leg, n) => {
    const share = shares[n] ?? 0n
    const posts = resolvedBy('post', leg, share, 1n)
    if (!isFinal) return posts
    const rest = (left[n] ?? 0n) - share
    return [...posts, ...resolvedBy('void', leg, rest, BigInt(posts.length) + 1n)]
  })
}

function resolvedBy(kind: 'post' | 'void', leg: OriginRow, amount: bigint, nth: bigint): Step[] {
  if (amount === 0n) return []
  const { id: pendingId, debit, credit, money } = leg
  const row = { kind, debit, credit, money: { amount, currency: money.currency }, pendingId }
  return [{ ...row, resolution: leg.resolutions + nth, reversesId: null, expiresAt: null }]
}

/** The rows that move back what the unit moved, the last one first. */
export function reverse(origin: Origin | undefined): readonly Step[] | LedgerErrorCode {
  if (origin === undefined || origin.length === 0) return 'original_not_found'
  const movements = origin.filter((row) => row.kind === 'single' || row.kind === 'post')
  if (movements.length === 0) return 'not_reversible'
  if (movements.some((row) => row.isReversed)) return 'already_reversed'
  return movements.toReversed().map(({ id, debit, credit, money }) => ({
    ...{ kind: 'reversal', debit: credit, credit: debit, money, reversesId: id },
    ...{ pendingId: null, resolution: null, expiresAt: null },
  }))
}

/** The unit as it stands once `rows`, which refer to it, have been accepted. */
export function afterwards(origin: Origin, rows: readonly Transfer[]): Origin {
  return origin.map((row) => {
    const resolutions = rows.filter(({ pendingId }) => pendingId === row.id)
    return {
      ...row,
      resolved: resolutions.reduce((sum, { money }) => sum + money.amount, row.resolved),
      resolutions: row.resolutions + BigInt(resolutions.length),
      isReversed: row.isReversed || rows.some(({ reversesId }) => reversesId === row.id),
    }
  })
}
