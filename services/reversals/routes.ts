/** Reversals over HTTP. */
import { z } from 'zod'
import { ServiceError } from '../errors.ts'
import { endpoint } from '../http/endpoint.ts'
import { text, TEXT_LENGTH_MAX, Timestamp } from '../http/schemas.ts'
import { idIn, idOut } from '../ids.ts'
import { checkReversal, reverse } from './reversals.ts'

const NewReversal = z
  .strictObject({
    payment: idIn('pay').optional(),
    unit: idIn('trf').optional().describe('Any transfer of the unit'),
    reason: text(TEXT_LENGTH_MAX),
  })
  .refine(({ payment, unit }) => (payment === undefined) !== (unit === undefined), {
    path: ['payment'],
    message: 'either a payment or a unit is needed',
  })

const ReversalOut = z
  .strictObject({
    id: idOut('trf').describe('The first of its transfers'),
    original: idOut('trf').describe('The first transfer of what it moves back'),
    payment: idOut('pay').nullable(),
    reason: z.string(),
    created_at: Timestamp,
  })
  .meta({ id: 'Reversal' })

const subjectIn = ({ payment, unit }: Pick<z.output<typeof NewReversal>, 'payment' | 'unit'>) =>
  payment === undefined ? { unit: unit ?? '' } : { payment }

export const reversalEndpoints = [
  endpoint({
    ...{ method: 'POST', path: '/v1/ledger/reversals', tag: 'Operators', scopes: ['operator'] },
    summary: 'Move back a payment that is not settled, or a unit of the books, as a whole and once',
    idempotency: 'required',
    secondPerson: true,
    body: NewReversal,
    answers: { 201: ReversalOut },
    refusals: [
      ...(['not_found', 'payment_not_completed', 'payment_settled', 'already_reversed'] as const),
      'payment_refunded',
      ...(['not_reversible', 'account_closed', 'account_frozen', 'insufficient_funds'] as const),
    ],
    check: (context, { body }) => checkReversal(context, subjectIn(body)),
    handle: (context, { caller, body: { payment, unit, reason }, claim }) => {
      if (claim === undefined) throw new ServiceError('idempotency_key_missing')
      const { subject: operator, approvedBy } = caller
      const subject = subjectIn({ payment, unit })
      return reverse(context, { subject, reason, operator, approvedBy }, claim)
    },
  }),
]
