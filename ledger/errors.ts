/**
 * Why the ledger refuses. A code that Postgres also enforces is the name of its constraint in
 * ledger/migrations. The order is that of precedence: the first that applies is the answer.
 */
export type LedgerErrorCode =
  | 'condition_failed'
  | 'limit_exceeded'
  | 'allowance_exceeded'
  | 'hold_not_found'
  | 'hold_resolved'
  | 'hold_expired'
  | 'hold_in_several_currencies'
  | 'amount_exceeds_hold'
  | 'original_not_found'
  | 'not_reversible'
  | 'already_reversed'
  | 'unit_too_large'
  | 'debit_account_not_found'
  | 'credit_account_not_found'
  | 'same_account'
  | 'currency_mismatch'
  | 'amount_not_positive'
  | 'posting_not_allowed'
  | 'account_closed'
  | 'account_frozen'
  | 'effective_in_future'
  | 'insufficient_funds'
  | 'total_too_large'
  | 'account_not_found'
  | 'account_not_empty'
  | 'period_closed'
  | 'moment_not_answerable'
  | 'idempotency_key_reused'
  | 'ledger_saturated'
  | 'ledger_unavailable'

/** A refusal: nothing has changed. What is not a refusal is a bug and is thrown as it came. */
export class LedgerError extends Error {
  override readonly name = 'LedgerError'
  readonly code: LedgerErrorCode

  constructor(code: LedgerErrorCode, options?: ErrorOptions) {
    super(code, options)
    this.code = code
  }
}

/** The constraint that Postgres says was violated, or undefined for any other error. */
export function violatedConstraint(error: unknown): string | undefined {
  const { constraint } = error as { constraint?: unknown }
  return typeof constraint === 'string' ? constraint : undefined
}

/** Postgres's five-character error code, or undefined when the error is not Postgres's. */
function sqlState(error: unknown): string | undefined {
  const { code, severity } = error as { code?: unknown; severity?: unknown }
  return typeof code === 'string' && severity !== undefined ? code : undefined
}

/** Deadlocks and lost races leave nothing behind: the transaction may be tried again. */
const isLostRace = (error: unknown): boolean =>
  ['40001', '40P01'].includes(sqlState(error) ?? '') || violatedConstraint(error) === 'claim_exists'

/** Connection lost, out of resources, shutting down, timed out, read-only. */
const UNAVAILABLE_STATES = /^(08|53|57|25P03|25P04|25006|55P03)/

/** What the network and the driver say when a connection is refused, lost or not to be had. */
const NETWORK_CODES = /^(ECONN|EPIPE|ENOENT|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|EAI_AGAIN|ENOTFOUND)/
/** Alone, or behind the statement that knex puts before them. */
const DRIVER_MESSAGES = new RegExp(
  '(^| - )(Connection (terminated|ended)|Client (has encountered|was closed)' +
    '|timeout exceeded when|Knex: Timeout|Unable to acquire|Query read timeout)',
)

/** Whether the database could not be reached or did not confirm: the outcome is then not known. */
export function isUnavailable(error: unknown): boolean {
  const state = sqlState(error)
  if (state !== undefined) return UNAVAILABLE_STATES.test(state)
  const { code, message } = error as { code?: unknown; message?: unknown }
  return (
    (typeof code === 'string' && NETWORK_CODES.test(code)) ||
    (typeof message === 'string' && DRIVER_MESSAGES.test(message))
  )
}

const ATTEMPTS_MAX = 5

/** Does `work` again when it lost a race: that left nothing behind. Not for ever. */
export async function withRetries<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      if (!isLostRace(error) || attempt === ATTEMPTS_MAX) throw error
    }
  }
}
