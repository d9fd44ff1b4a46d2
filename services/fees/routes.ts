/** What merchants pay, from when, and what a payment would cost. */
import { z } from 'zod'
import { type CallerOf, endpoint } from '../http/endpoint.ts'
import { claimed } from '../http/idempotency.ts'
import { CurrencyCode, listOf, page, pageQuery } from '../http/schemas.ts'
import { idIn, idOut, uuidOf } from '../ids.ts'
import { refuseUnknown } from '../merchants/merchants.ts'
import { quoteEndpoints } from './quotes_routes.ts'
import {
  activateFeeSchedule,
  createFeeSchedule,
  draftFeeSchedule,
  findSchedules,
  refuseExcessive,
  refuseInForce,
  refusePast,
} from './schedules.ts'
import { splitEndpoints } from './splits_routes.ts'
import { FeeScheduleIn, FeeScheduleOut, newScheduleOf, refined } from './schedule_schema.ts'

const ValidFrom = z.iso
  .datetime({ precision: 3 })
  .optional()
  .describe('Not in the past; when it is approved, where it is left out')

const momentOf = (text: string | undefined) => (text === undefined ? undefined : new Date(text))

const DatedSchedule = refined(FeeScheduleIn.extend({ valid_from: ValidFrom }))
const Draft = refined(
  FeeScheduleIn.extend({
    merchant: idIn('mer').optional().describe('All without one of their own, where left out'),
  }),
)

const changeOf = ({ valid_from: from, ...fees }: z.output<typeof DatedSchedule>) => ({
  ...newScheduleOf(fees),
  validFrom: momentOf(from),
})

const whoOf = ({ subject: by, approvedBy }: CallerOf<'operator'>) => ({ by, approvedBy })

const TAG = 'Fees'
const CREATED = ['not_found', 'currency_unknown', 'fee_terms_excessive'] as const

const changeEndpoints = [
  endpoint({
    ...{ method: 'POST', path: '/v1/merchants/:id/fee_schedules', tag: TAG },
    ...{ scopes: ['operator'], idempotency: 'required', secondPerson: true },
    summary: 'Change what a merchant pays, from a moment on: a draft and its activation in one',
    params: z.strictObject({ id: idIn('mer') }),
    body: DatedSchedule,
    answers: { 201: FeeScheduleOut },
    refusals: [...CREATED, 'fee_schedule_exists', 'fee_schedule_in_past'],
    async check({ db, now }, { params, body }) {
      await refuseUnknown(db, params.id)
      const change = changeOf(body)
      refuseExcessive(change)
      refusePast(change.validFrom, now())
    },
    handle: (context, { params, body, caller, claim }) =>
      createFeeSchedule(context, params.id, changeOf(body), whoOf(caller), claimed(claim)),
  }),
  endpoint({
    ...{ method: 'POST', path: '/v1/fee_schedules', tag: TAG },
    ...{ scopes: ['operator'], idempotency: 'required' },
    summary: 'Draft what a merchant, or every one without a schedule of its own, might pay',
    body: Draft,
    answers: { 201: FeeScheduleOut },
    refusals: [...CREATED],
    async handle(context, { body: { merchant = null, ...fees }, caller, claim }) {
      if (merchant !== null) await refuseUnknown(context.db, merchant)
      const draft = newScheduleOf(fees)
      return draftFeeSchedule(context, merchant, draft, whoOf(caller), claimed(claim))
    },
  }),
  endpoint({
    ...{ method: 'POST', path: '/v1/fee_schedules/:id/activate', tag: TAG },
    ...{ scopes: ['operator'], idempotency: 'required', secondPerson: true },
    summary: 'Put a draft in force, from a moment on',
    params: z.strictObject({ id: idIn('fee') }),
    body: z.strictObject({ valid_from: ValidFrom }),
    answers: { 200: FeeScheduleOut },
    refusals: ['not_found', 'fee_schedule_exists', 'fee_schedule_in_force', 'fee_schedule_in_past'],
    async check({ db, now }, { params, body }) {
      await refuseInForce(db, params.id)
      refusePast(momentOf(body.valid_from), now())
    },
    handle: (context, { params, body, caller, claim }) => {
      const from = momentOf(body.valid_from)
      return activateFeeSchedule(context, params.id, from, whoOf(caller), claimed(claim))
    },
  }),
]

const listEndpoint = endpoint({
  ...{ method: 'GET', path: '/v1/fee_schedules', tag: TAG, scopes: ['merchant', 'operator'] },
  summary: 'Versions, newest first; a merchant sees its own and those for all, but no drafts',
  query: pageQuery('fee').extend({
    merchant: idOut('mer').transform(uuidOf).optional(),
    currency: CurrencyCode.optional(),
  }),
  answers: { 200: listOf(FeeScheduleOut) },
  refusals: [],
  handle: async ({ db }, { caller, query: { limit, cursor, merchant, currency } }) => {
    const who = caller.scope === 'merchant' ? { visibleTo: caller.merchant } : {}
    const found = await findSchedules(db, { ...who, merchant, currency, before: cursor, limit })
    return { status: 200, body: page(found, limit) }
  },
})

export const feeEndpoints = [...changeEndpoints, listEndpoint, ...quoteEndpoints, ...splitEndpoints]
