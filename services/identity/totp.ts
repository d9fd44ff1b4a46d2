/** The second factor beside the first: a code of an authenticator app. */
import type { Uuid } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'

/**
 * Which second factor was shown; null where none was needed.
 * @throws {ServiceError} `approval_refused` for a code that is not right.
 */
export async function checkStepUp(
  _context: Context,
  _person: Uuid,
  { totp }: { readonly totp: string | undefined; readonly isNeeded: boolean },
): Promise<'totp' | 'recovery_code' | null> {
  // Nobody has an authenticator yet, so no code is right.
  if (totp !== undefined) throw new ServiceError('approval_refused')
  return null
}

/** Whether the person has an authenticator that is confirmed. */
export async function hasTotp(_context: Context, _person: Uuid): Promise<boolean> {
  return false
}
