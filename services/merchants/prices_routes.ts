/** What merchants pay, and from when. */
import { z } from 'zod'
import { isCurrency } from '../../ledger/index.ts'
import { ServiceError } from '../errors.ts'
import { endpoint } from '../http/endpoint.ts'
import { CurrencyCode, Timestamp } from '../http/schemas.ts'
import { idIn, idOut } from '../ids.ts'
import { REFUND_FEES } from '../refunds/policy.ts'
import { createFeeSchedule, type NewFeeSchedule, refusePast, refuseUnknown } from './merchants.ts'

const Percent = z
  .string()
  .regex(/^(100|[0-9]{1,2}(\.[0-9]{1,4})?)$/)
  .describe('Decimal text: "1.4" is 1.4 %')

const MinorUnits = z.string().regex(/^(0|[1-9][0-9]{0,14})$/)

const RefundFees = z
  .enum(REFUND_FEES)
  .describe('What becomes of the fee of what is refunded; pro_rata keeps the fixed part')

export const FeeScheduleIn = z.strictObject({
  percent: Percent,
  fixed: MinorUnits.describe('Minor units, for each payment'),
  tax_percent: Percent.default('0'),
  currency: CurrencyCode,
  refund_fees: RefundFees.default('keep'),
})

export const FeeScheduleOut = z.strictObject({
  id: idOut('fee'),
  percent: z.string(),
  fixed: z.string(),
  tax_percent: z.string(),
  currency: CurrencyCode,
  refund_fees: RefundFees,
})

/** @throws {ServiceError} `currency_unknown` */
export function newScheduleOf(fees: z.output<typeof FeeScheduleIn>): NewFeeSchedule {
  const { percent, fixed, tax_percent: taxPercent, currency, refund_fees: refundFees } = fees
  if (!isCurrency(currency)) throw new ServiceError('currency_unknown')
  return { percent, fixed: BigInt(fixed), taxPercent, currency, refundFees }
}

const DatedSchedule = FeeScheduleIn.extend({
  valid_from: z.iso
    .datetime({ precision: 3 })
    .optional()
    .describe('Not in the past; when it is approved, where it is left out'),
})

const changeOf = ({ valid_from: from, ...fees }: z.output<typeof DatedSchedule>) => ({
  fees: newScheduleOf(fees),
  validFrom: from === undefined ? undefined : new Date(from),
})

export const priceEndpoints = [
  endpoint({
    ...{ method: 'POST', path: '/v1/merchants/:id/fee_schedules', tag: 'Merchants' },
    ...{ scopes: ['operator'], idempotency: 'required', secondPerson: true },
    summary: 'Change what a merchant pays, from a moment on',
    params: z.strictObject({ id: idIn('mer') }),
    body: DatedSchedule,
    answers: {
      201: FeeScheduleOut.extend({ merchant: idOut('mer'), valid_from: Timestamp }),
    },
    refusals: ['not_found', 'currency_unknown', 'fee_schedule_exists', 'fee_schedule_in_past'],
    async check({ db, now }, { params, body }) {
      await refuseUnknown(db, params.id)
      refusePast(changeOf(body).validFrom, now())
    },
    handle: (context, { params, body, claim }) => {
      if (claim === undefined) throw new ServiceError('idempotency_key_missing')
      return createFeeSchedule(context, params.id, changeOf(body), claim)
    },
  }),
]
