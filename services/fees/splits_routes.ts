/** Who got what of a payment, over HTTP. */
import { z } from 'zod'
import { ServiceError } from '../errors.ts'
import { endpoint } from '../http/endpoint.ts'
import { CurrencyCode } from '../http/schemas.ts'
import { idIn, idOut } from '../ids.ts'
import { findSplits } from './split_rows.ts'
import { splitOut } from './splits.ts'

const SplitsOut = z
  .strictObject({
    payment: idOut('pay'),
    currency: CurrencyCode,
    kept: z.string().nullable().describe('By the merchant of the order; a beneficiary is not told'),
    data: z.array(
      z.strictObject({
        merchant: idOut('mer'),
        amount: z.string(),
        returned: z.string().describe('Of it, its part of what was refunded'),
      }),
    ),
  })
  .meta({ id: 'PaymentSplits' })

export const splitEndpoints = [
  endpoint({
    ...{ method: 'GET', path: '/v1/payments/:id/splits', tag: 'Fees' },
    scopes: ['merchant', 'operator'],
    summary: 'How a payment is shared; a beneficiary sees its own share',
    params: z.strictObject({ id: idIn('pay') }),
    answers: { 200: SplitsOut },
    refusals: ['not_found'],
    async handle({ db }, { caller, params }) {
      const merchant = caller.scope === 'merchant' ? caller.merchant : undefined
      const found = await findSplits(db, params.id, merchant)
      if (found === undefined) throw new ServiceError('not_found')
      const { splits, ...body } = found
      return { status: 200, body: { ...body, data: splits.map(splitOut) } }
    },
  }),
]
