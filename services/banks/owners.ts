/** Whether enough is known of who owns an account to pay it for the first time. Pure. */
import type { NameCheck } from '../../adapters/adapter.ts'

export interface KnownOwner {
  readonly nameCheck: NameCheck
  /** Whether the owner has said that a close match is them. */
  readonly isConfirmed: boolean
  /** Whether it was paid before: then who owns it is known. */
  readonly isPaid: boolean
}

export type OwnerObstacle = 'owner_not_checked' | 'owner_not_confirmed'

/** @param enough the answers of its bank that are enough for a rail. */
export function ownerObstacle(
  { nameCheck, isConfirmed, isPaid }: KnownOwner,
  enough: readonly NameCheck[],
): OwnerObstacle | undefined {
  if (isPaid) return undefined
  if (!enough.includes(nameCheck)) return 'owner_not_checked'
  return nameCheck === 'close_match' && !isConfirmed ? 'owner_not_confirmed' : undefined
}

/** Why money is not paid out, by what stands in the way: codes of ours. */
export const OWNER_CODES = {
  owner_not_checked: 'name_mismatch',
  owner_not_confirmed: 'bank_account_not_confirmed',
} as const satisfies Record<OwnerObstacle, string>
