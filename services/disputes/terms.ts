/** What a dispute costs a merchant and how long it has to answer: dated data, by two operators. */
import type { Knex } from 'knex'
import {
  answerOnce,
  type Claim,
  type Currency,
  newId,
  type Outcome,
  type Uuid,
} from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { publicId } from '../ids.ts'
import { recordSecurity } from '../security/log.ts'

export interface DisputeTerms {
  /** Minor units, for each dispute, whatever becomes of it. */
  readonly fee: bigint
  readonly evidenceDays: number
}

/** Those that are valid at a moment; without any, what the settings say, and no fee. */
export async function disputeTermsAt(
  { db, config }: Pick<Context, 'db' | 'config'>,
  merchant: Uuid,
  currency: Currency,
  at: Date,
): Promise<DisputeTerms> {
  const row = await db('dispute_terms')
    .where({ merchant_id: merchant, currency })
    .where('valid_from', '<=', at)
    .orderBy('valid_from', 'desc')
    .first('fee', 'evidence_days')
  if (row === undefined) return { fee: 0n, evidenceDays: config.DISPUTE_EVIDENCE_DAYS }
  return { fee: row.fee, evidenceDays: row.evidence_days }
}

export interface NewDisputeTerms extends DisputeTerms {
  readonly merchant: Uuid
  readonly currency: Currency
  /** Now, where it is undefined or past. */
  readonly validFrom: Date | undefined
  readonly createdBy: string
  readonly approvedBy: string | null
}

/** @throws {ServiceError} `dispute_terms_exist` from that very moment. */
export async function addDisputeTerms(
  context: Context,
  terms: NewDisputeTerms,
  claim: Claim,
): Promise<Outcome> {
  const at = context.now()
  const { merchant, currency, fee, evidenceDays, validFrom: asked } = terms
  const validFrom = asked === undefined || asked < at ? at : asked
  const id = newId()
  return answerOnce(context.db, claim, async (trx) => {
    const kept = await insert(trx, { id, ...terms, validFrom }, at)
    if (!kept) throw new ServiceError('dispute_terms_exist')
    const body = termsOut({ merchant, currency, fee, evidenceDays, validFrom })
    const detail = { action: 'merchant.dispute_terms_added', fee: body.fee, days: evidenceDays }
    const entry = { kind: 'manual_action', subject: body.merchant, detail } as const
    await recordSecurity({ ...context, db: trx }, entry)
    return JSON.stringify(body)
  })
}

/** All that there are or were, newest first; the newest valid of a currency counts. */
export async function findDisputeTerms(db: Knex, merchant: Uuid) {
  const rows = await db('dispute_terms')
    .where({ merchant_id: merchant })
    .orderBy([{ column: 'valid_from', order: 'desc' }, 'currency'])
  return rows.map(({ currency, fee, evidence_days: evidenceDays, valid_from: validFrom }) =>
    termsOut({ merchant, currency, fee, evidenceDays, validFrom }),
  )
}

type DatedTerms = DisputeTerms &
  Pick<NewDisputeTerms, 'merchant' | 'currency'> & { readonly validFrom: Date }

const termsOut = ({ merchant, currency, fee, evidenceDays, validFrom }: DatedTerms) => ({
  ...{ merchant: publicId('mer', merchant), currency, fee: fee.toString() },
  ...{ evidence_days: evidenceDays, valid_from: validFrom.toISOString() },
})

async function insert(
  trx: Knex.Transaction,
  terms: NewDisputeTerms & { readonly id: Uuid },
  at: Date,
): Promise<boolean> {
  const rows = await trx('dispute_terms')
    .insert({
      ...{ id: terms.id, merchant_id: terms.merchant, currency: terms.currency },
      ...{ fee: `${terms.fee}`, evidence_days: terms.evidenceDays, valid_from: terms.validFrom },
      ...{ created_by: terms.createdBy, approved_by: terms.approvedBy, created_at: at },
    })
    .onConflict(['merchant_id', 'currency', 'valid_from'])
    .ignore()
    .returning('id')
  return rows.length > 0
}
