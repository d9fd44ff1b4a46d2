/** Making a receipt for who took part in a payment. */
import {
  type Checkpoint,
  findCheckpoints,
  findFamily,
  inclusionProofs,
  positionsOf,
  type Uuid,
} from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { findPayment } from '../payments/payment.ts'
import { findStored } from '../payments/shown.ts'
import { showPeople } from '../privacy/shown.ts'
import { digestOf, type Receipt } from './receipt.ts'

/** Sealing is about a second behind. */
const RETRY_AFTER_S = 1

/**
 * The receipt of a payment as it stands. The same until something else is done with the payment.
 * @throws {ServiceError} `not_sealed_yet` while a transfer of it is not, or nothing is signed.
 */
export async function issueReceipt(
  context: Context,
  id: Uuid,
  party: Uuid | undefined,
): Promise<Receipt> {
  const { db, config, sealKeys } = context
  const payment = await findPayment(db, id, party)
  if (payment === undefined) throw new ServiceError('not_found')
  const [stored] = await findStored(db, [payment])
  const transfers = await findFamily(db, payment.transfer, payment.id)
  const found = await positionsOf(
    db,
    transfers.map((transfer) => transfer.id ?? ''),
  )
  const positions = found.filter((position) => position !== undefined)
  const covering = Math.max(...positions) + 1
  const isSealed = positions.length > 0 && positions.length === transfers.length
  const query = { covering, order: 'asc', limit: 1 } as const
  const [checkpoint] = isSealed ? await findCheckpoints(db, config.SEAL_ORIGIN, query) : []
  if (stored === undefined || checkpoint === undefined || sealKeys.sign === undefined) {
    throw new ServiceError('not_sealed_yet', { retryAfter_s: RETRY_AFTER_S })
  }
  const paths = await inclusionProofs(db, positions, checkpoint.head.size)
  const unsigned = {
    version: 1 as const,
    payment: await shownPayment(context, stored),
    transfers: transfers.map((sealed, nth) => ({
      position: positions[nth] ?? 0,
      sealed,
      path: [...(paths[nth] ?? [])],
    })),
    checkpoint: checkpoint.signature ?? '',
  }
  return { ...unsigned, signature: await sealKeys.sign('florin-receipt', digestOf(unsigned)) }
}

async function shownPayment(context: Context, stored: object): Promise<Receipt['payment']> {
  return JSON.parse(await showPeople(context, JSON.stringify(stored)))
}

/** A head as it is published: anybody may keep it, and ask later whether it still holds. */
export const checkpointOut = ({ head, signature }: Checkpoint) => ({ ...head, signature })
