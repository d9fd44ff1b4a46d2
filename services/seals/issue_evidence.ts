/** Making the evidence that a payer agreed to a payment. */
import type { Knex } from 'knex'
import type { Uuid } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { isPublicId, uuidOf } from '../ids.ts'
import { textOf } from '../approvals/acts.ts'
import { findDeviceKey } from '../people/devices.ts'
import { actOf, type Evidence } from './evidence.ts'
import { issueReceipt } from './issue.ts'

interface Row {
  readonly approval: Evidence['factor']
  readonly approval_digest: Buffer
  readonly approval_key: string | null
  readonly approved_at: Date | null
  readonly approval_proof: string | null
  readonly step_up: Evidence['step_up']
  readonly idempotency_key: string | null
}

/**
 * @param payer who must have paid; anybody where it is left out.
 * @throws {ServiceError} `not_found`, also for payments from before evidence was kept;
 *   `not_sealed_yet` as for a receipt.
 */
export async function issueEvidence(
  context: Context,
  id: Uuid,
  payer: Uuid | undefined,
): Promise<Evidence> {
  const { db } = context
  const row = await findApproval(db, id, payer)
  if (row === undefined || row.approved_at === null || row.idempotency_key === null) {
    throw new ServiceError('not_found')
  }
  const receipt = await issueReceipt(context, id, payer)
  return {
    version: 1,
    text: textOf(actOf(receipt.payment, row.idempotency_key)),
    digest: row.approval_digest.toString('hex'),
    factor: row.approval,
    key: await keyOut(db, row.approval_key),
    at: row.approved_at.toISOString(),
    step_up: row.step_up,
    proof: row.approval_proof,
    receipt,
  }
}

async function keyOut(db: Knex, id: string | null): Promise<Evidence['key']> {
  if (id === null) return null
  const jwk = isPublicId('dev', id) ? await findDeviceKey(db, uuidOf(id)) : undefined
  return { id, jwk: jwk ?? null }
}

async function findApproval(db: Knex, id: Uuid, payer: Uuid | undefined): Promise<Row | undefined> {
  const query = db('payments').where({ id })
  if (payer !== undefined) void query.where({ payer_id: payer })
  return query.first()
}
