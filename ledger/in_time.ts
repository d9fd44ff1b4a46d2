/**
 * Answers in time. Whoever waits behind others for a database that has stopped would wait for as
 * long as all of them together: they are told that it did not confirm, and may ask again.
 */
import { type DatabaseOptions, TIMEOUTS } from './database.ts'
import { LedgerError } from './errors.ts'
import { WAY_MS } from './silence.ts'

export type InTime = <T>(work: Promise<T>) => Promise<T>

/**
 * As long as a connection may be silent, waiting for one's turn included.
 * @throws {LedgerError} `ledger_unavailable` by the promise: the outcome is then unknown.
 */
export function openInTime({ timeouts = TIMEOUTS }: Pick<DatabaseOptions, 'timeouts'>): InTime {
  const limit_ms = timeouts.statement_ms + WAY_MS
  return (work) =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new LedgerError('ledger_unavailable')), limit_ms)
      const settled = () => clearTimeout(timer)
      work.then(resolve, reject).then(settled, settled)
    })
}
