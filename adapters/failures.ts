/** What a failed call to a bank proves. */
import { BankError } from './adapter.ts'

/** No connection was made, so no request was sent. Of nothing else is that certain. */
const NEVER_SENT: ReadonlySet<unknown> = new Set([
  ...(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'UND_ERR_CONNECT_TIMEOUT'] as const),
])

/** What went wrong between us and the bank, or in reading its answer, as the contract has it. */
export function bankError(error: unknown): BankError {
  if (error instanceof BankError) return error
  const detail = error instanceof Error ? error.message : String(error)
  const code = wasNeverSent(error) ? 'bank_unreachable' : 'bank_outcome_unknown'
  return new BankError(code, { cause: error, detail: `${code}: ${detail}` })
}

/** A name with several addresses fails once for each: all must prove it. */
function wasNeverSent(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined
  const failures: unknown[] = cause instanceof AggregateError ? cause.errors : [cause]
  return failures.length > 0 && failures.every(provesNothingSent)
}

const provesNothingSent = (failure: unknown) =>
  failure instanceof Error && 'code' in failure && NEVER_SENT.has(failure.code)
