/** Why no bank takes an instruction, as codes: what routes say of it, and whoever chooses knows. */
import type { Direction } from '../../adapters/adapter.ts'
import type { ServiceErrorCode } from '../errors.ts'

/** Trying again changes nothing: somebody has to do something first. */
export const LASTING_REFUSALS = {
  debit: ['no_route', 'currency_not_supported'],
  credit: ['no_route', 'currency_not_supported', 'bank_account_not_confirmed', 'name_mismatch'],
} as const satisfies Record<Direction, readonly ServiceErrorCode[]>

/** Everything that choosing a way may come to. */
export const WAY_REFUSALS = {
  debit: ['bank_closed', ...LASTING_REFUSALS.debit],
  credit: ['bank_closed', ...LASTING_REFUSALS.credit],
} as const satisfies Record<Direction, readonly ServiceErrorCode[]>
