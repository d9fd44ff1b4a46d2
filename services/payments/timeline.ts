/** What happened to a payment, in the order in which it happened. Pure. */
import type { Uuid } from '../../ledger/index.ts'
import type { Refund } from '../refunds/rows.ts'
import type { Capture } from './captures.ts'
import { type Taken, takenOf } from './given_back.ts'

/** What of a payment says when it was what. */
interface Lived extends Taken {
  readonly bankAccount: Uuid | null
  readonly createdAt: Date
  readonly authorizedAt: Date | null
  readonly changedAt: Date
  readonly reversedAt: Date | null
  readonly reviewDueAt: Date | null
  readonly releasedAt: Date | null
}

/** A payment is created and, at once or later, ends; what goes back afterwards is told of too. */
export function timelineOf(
  payment: Lived,
  captures: readonly Capture[],
  refunds: readonly Refund[],
) {
  const { state, createdAt, authorizedAt, changedAt, reversedAt } = payment
  const { bankAccount, reviewDueAt, releasedAt } = payment
  const steps: { readonly state: string; readonly at: string }[] = []
  const add = (name: string, at: Date | null) => {
    if (at !== null) steps.push({ state: name, at: at.toISOString() })
  }
  add('created', createdAt)
  if (reviewDueAt !== null) add('review', createdAt)
  if (bankAccount !== null) add('processing', reviewDueAt === null ? createdAt : releasedAt)
  add('authorized', authorizedAt)
  for (const capture of captures) add('captured', capture.createdAt)
  if (!IN_BETWEEN.has(state)) add(state === 'reversed' ? 'completed' : state, changedAt)
  add('reversed', reversedAt)
  for (const [state, at] of refundSteps(payment, refunds)) add(state, at)
  return steps
}

/** What each refund made of the payment. */
function refundSteps(payment: Lived, refunds: readonly Refund[]) {
  let left = takenOf(payment)
  return refunds.map(({ amount, createdAt }) => {
    left -= amount
    return [left === 0n ? 'refunded' : 'partially_refunded', createdAt] as const
  })
}

/** States in which a payment waits for something. */
const IN_BETWEEN: ReadonlySet<string> = new Set(['processing', 'review', 'authorized'])
