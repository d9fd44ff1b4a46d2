/** How rules of reserves come to be: two operators, from a moment on. */
import {
  answerOnce,
  type Claim,
  type Currency,
  findAccounts,
  newId,
  type Outcome,
  type Uuid,
} from '../../ledger/index.ts'
import { merchantAccountOf } from '../books/chart.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { recordSecurity } from '../security/log.ts'
import { takeTurn } from './draw.ts'
import { ruleOut, ruleRow } from './rows.ts'
import type { ReserveRule, ReserveTerms } from './rules.ts'

export interface NewReserveRule {
  readonly merchant: Uuid
  readonly currency: Currency
  readonly terms: ReserveTerms
  /** Now, where it is undefined or past: what was paid before is the merchant's. */
  readonly validFrom: Date | undefined
  readonly createdBy: string
  readonly approvedBy: string | null
}

/**
 * Only what the merchant is paid after its first rule is ever looked at.
 * @throws {ServiceError} `reserve_rule_exists` from that very moment.
 */
export async function addReserveRule(
  context: Context,
  { validFrom: asked, ...rest }: NewReserveRule,
  claim: Claim,
): Promise<Outcome> {
  const { merchant, currency } = rest
  const at = context.now()
  const validFrom = asked === undefined || asked < at ? at : asked
  const rule: ReserveRule = { id: newId(), ...rest, validFrom }
  const account = await merchantAccountOf(context, merchant, currency)
  return answerOnce(context.db, claim, async (trx) => {
    await takeTurn(trx, rule)
    const [row] = await trx('reserve_rules')
      .insert(ruleRow(rule, at))
      .onConflict(['merchant_id', 'currency', 'kind', 'valid_from'])
      .ignore()
      .returning('id')
    if (row === undefined) throw new ServiceError('reserve_rule_exists')
    const [now] = await findAccounts(trx, { id: account })
    await trx('reserve_marks')
      .insert({ merchant_id: merchant, currency, last_entry: `${now?.lastEntry ?? 0n}` })
      .onConflict(['merchant_id', 'currency'])
      .ignore()
    const body = ruleOut(rule)
    const detail = { action: 'merchant.reserve_rule_added', rule: body.id, kind: body.kind }
    const entry = { kind: 'manual_action', subject: body.merchant, detail } as const
    await recordSecurity({ ...context, db: trx }, entry)
    return JSON.stringify(body)
  })
}
