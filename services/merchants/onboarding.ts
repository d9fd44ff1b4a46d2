/** How a merchant comes to be paid: it says who it is, and two operators look at that. */
import type { Knex } from 'knex'
import type { Claim, Outcome, Uuid } from '../../ledger/index.ts'
import { answerFor } from '../answers.ts'
import { bankAccountOf } from '../banking/bank_accounts.ts'
import { merchantOwner } from '../books/chart.ts'
import type { Config } from '../config.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { recordEvent } from '../events/events.ts'
import { publicId } from '../ids.ts'
import { recordSecurity } from '../security/log.ts'
import { findMerchant, type Merchant, merchantOut, missingOf, type Profile } from './profile.ts'
import type { MerchantState } from './standing.ts'

/** Each move, where it begins and where it ends. */
const MOVES = {
  submit: { from: ['draft'], to: 'review' },
  return: { from: ['review', 'suspended'], to: 'draft' },
  activate: { from: ['review', 'suspended'], to: 'active' },
  suspend: { from: ['active'], to: 'suspended' },
} as const satisfies Record<string, { from: readonly MerchantState[]; to: MerchantState }>

export type Move = keyof typeof MOVES

/**
 * Where a merchant begins.
 * @throws {ServiceError} `second_person_required` where nobody may be active without a review.
 */
export function firstState(
  { MERCHANT_REVIEW }: Pick<Config, 'MERCHANT_REVIEW'>,
  asked: 'draft' | 'active' | undefined,
): 'draft' | 'active' {
  if (MERCHANT_REVIEW === 'off') return asked ?? 'active'
  if (asked === 'active') throw new ServiceError('second_person_required')
  return 'draft'
}

/**
 * Pure.
 * @throws {ServiceError} `merchant_move_not_allowed`, `merchant_profile_incomplete`.
 */
export function refuseMove(merchant: Profile & Pick<Merchant, 'state'>, move: Move): void {
  const from: readonly MerchantState[] = MOVES[move].from
  if (!from.includes(merchant.state)) {
    throw new ServiceError('merchant_move_not_allowed', { detail: `it is in ${merchant.state}` })
  }
  const missing = missingOf(merchant)
  if (move === 'submit' && missing.length > 0) {
    throw new ServiceError('merchant_profile_incomplete', { detail: missing.join(', ') })
  }
}

export async function refuseMoveOf(db: Knex, id: Uuid, move: Move): Promise<void> {
  const merchant = await findMerchant(db, id)
  if (merchant === undefined) throw new ServiceError('not_found')
  refuseMove(merchant, move)
}

/** @param reason in an operator's words; the merchant reads it. */
export async function moveMerchant(
  context: Context,
  id: Uuid,
  { move, reason }: { readonly move: Move; readonly reason: string | null },
  claim: Claim | undefined,
): Promise<Outcome> {
  return answerFor(context.db, claim, async (trx) => {
    const merchant = await lockMerchant(trx, id)
    refuseMove(merchant, move)
    const [at, state] = [context.now(), MOVES[move].to]
    const change = { state, state_reason: reason, state_at: at }
    await trx('merchants').where({ id }).update(change)
    const data = merchantOut({ ...merchant, ...change })
    const type = `merchant.${state}` as const
    await recordEvent(trx, { type, object: data.id, merchant: id, data, at })
    await record(context, trx, id, type)
    return JSON.stringify(data)
  })
}

async function lockMerchant(trx: Knex.Transaction, id: Uuid): Promise<Merchant> {
  await trx('merchants').where({ id }).forNoKeyUpdate().first('id')
  const merchant = await findMerchant(trx, id)
  if (merchant === undefined) throw new ServiceError('not_found')
  return merchant
}

const record = (context: Context, trx: Knex.Transaction, id: Uuid, action: string) =>
  recordSecurity(
    { ...context, db: trx },
    { kind: 'manual_action', subject: publicId('mer', id), detail: { action } },
  )

/**
 * What is said of the merchant; what is left out stays. Where a merchant is, an operator may
 * correct at any time, for it moves no money; all else only as long as it is a draft, so that
 * what two operators looked at is what is so.
 * @throws {ServiceError} `merchant_not_draft`, `bank_account_not_found`.
 */
export async function changeProfile(
  context: Context,
  id: Uuid,
  change: Partial<Profile>,
  by: 'merchant' | 'operator',
): Promise<Merchant> {
  const account = change.settlement_account_id ?? null
  if (account !== null) await bankAccountOf(context.db, merchantOwner(id), account)
  return context.db.transaction(async (trx) => {
    const merchant = await lockMerchant(trx, id)
    const isAnyTime = by === 'operator' && Object.keys(change).every((one) => one === 'country')
    if (merchant.state !== 'draft' && !isAnyTime) throw new ServiceError('merchant_not_draft')
    await trx('merchants').where({ id }).update(change)
    if (by === 'operator') await record(context, trx, id, 'merchant.profile')
    return lockMerchant(trx, id)
  })
}
