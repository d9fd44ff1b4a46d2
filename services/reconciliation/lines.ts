/** What a statement tells, whoever it comes from: lines, and the balances around them. */
import type { StatementLine } from '../../adapters/adapter.ts'

export type Told =
  { readonly line: Omit<StatementLine, 'line'> } | { readonly balance: StatementBalance }

/** In minor units, as the statement says. */
export interface StatementBalance {
  readonly currency: string
  readonly opening: bigint
  readonly closing: bigint
}

/** A statement that cannot be believed; nothing of it is. The message is for who sent it. */
export class StatementError extends Error {
  override readonly name = 'StatementError'
}
