/** What happened to a payment, in the order in which it happened. Pure. */
import type { Uuid } from '../../ledger/index.ts'
import type { Capture } from './captures.ts'

/** What of a payment says when it was what. */
interface Lived {
  readonly state: string
  readonly bankAccount: Uuid | null
  readonly createdAt: Date
  readonly authorizedAt: Date | null
  readonly changedAt: Date
  readonly reversedAt: Date | null
  readonly reviewDueAt: Date | null
  readonly releasedAt: Date | null
}

/** A payment is created and, at once or later, ends; it never goes back. */
export function timelineOf(payment: Lived, captures: readonly Capture[]) {
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
  return steps
}

/** States in which a payment waits for something. */
const IN_BETWEEN: ReadonlySet<string> = new Set(['processing', 'review', 'authorized'])
