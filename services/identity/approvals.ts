/**
 * Whether a person agrees to exactly this movement of money, and the proof of what they agreed to.
 */
import { createHash } from 'node:crypto'
import { z } from 'zod'
import type { Money, Uuid } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { checkPin } from './pins.ts'

export const Pin = z
  .string()
  .regex(/^\d{6}$/)
  .describe('Six digits')

export const ApprovalBody = z.strictObject({ pin: Pin }).describe('How the person agrees')
export type ApprovalBody = z.infer<typeof ApprovalBody>

/** What is approved. Another value anywhere is another approval. */
export interface Approved {
  readonly payer: Uuid
  /** A person, a merchant, or what the payer does with their own money. */
  readonly payee: string
  readonly money: Money
  readonly order: Uuid | null
  /** The bank account the money comes from or goes to; null for the wallet alone. */
  readonly source: Uuid | null
  readonly idempotencyKey: string
  /** What an exchange gives for the money, under which quote. */
  readonly exchange?: { readonly quote: Uuid; readonly buy: Money }
}

export interface Approval {
  readonly factor: 'pin' | 'none'
  /** SHA-256 over what was approved, stored with the payment. */
  readonly digest: Buffer
}

/**
 * Checks the approval and binds it to what it approves.
 * @throws {ServiceError} `approval_required` above the limit under which a token is enough, and
 *   whatever `checkPin` throws.
 */
export async function approve(
  context: Context,
  approved: Approved,
  given: ApprovalBody | undefined,
): Promise<Approval> {
  const digest = digestOf(approved)
  if (given !== undefined) {
    await checkPin(context, approved.payer, given.pin)
    return { factor: 'pin', digest }
  }
  if (approved.money.amount > BigInt(context.config.NO_PIN_LIMIT)) {
    throw new ServiceError('approval_required', { detail: 'approval: give {"pin": "..."}' })
  }
  return { factor: 'none', digest }
}

/** One line for each field, in this order; none of them can contain a line break. */
function digestOf(approved: Approved): Buffer {
  const { payer, payee, money, order, source, idempotencyKey, exchange } = approved
  const { amount, currency } = money
  const lines = [payer, payee, amount, currency, order ?? '', source ?? '', idempotencyKey]
  const more = exchange && [exchange.quote, exchange.buy.amount, exchange.buy.currency]
  return createHash('sha256')
    .update([...lines, ...(more ?? [])].join('\n'))
    .digest()
}
