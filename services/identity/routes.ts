/** A person's PIN, and who hides behind an alias. */
import { z } from 'zod'
import { ServiceError } from '../errors.ts'
import { endpoint } from '../http/endpoint.ts'
import { Pin } from './approvals.ts'
import { maskedName, payeeByAlias } from './parties.ts'
import { setPin } from './pins.ts'

const PayeeOut = z
  .strictObject({
    alias: z.string(),
    kind: z.enum(['person', 'merchant']),
    name: z.string().describe('A person’s is masked: enough to notice a wrong alias'),
  })
  .meta({ id: 'Payee' })

export const identityEndpoints = [
  endpoint({
    ...{
      method: 'PUT',
      path: '/v1/pin',
      summary: 'Set the PIN, or change it with the current one',
    },
    ...{ tag: 'Identity', scopes: ['person'] },
    body: z.strictObject({ pin: Pin, current_pin: Pin.optional() }),
    answers: { 204: null },
    refusals: [
      ...(['weak_pin', 'pin_already_set', 'pin_not_set'] as const),
      ...(['approval_refused', 'pin_locked', 'saturated'] as const),
    ],
    handle: async (context, { caller, body }) => {
      await setPin(context, caller.person.id, { pin: body.pin, current: body.current_pin })
      return { status: 204 }
    },
  }),
  endpoint({
    ...{ method: 'GET', path: '/v1/payees/:alias', summary: 'Whom an alias would pay' },
    ...{ tag: 'Identity', scopes: ['person'] },
    params: z.strictObject({ alias: z.string().regex(/^@?[a-z0-9][a-z0-9_.]{1,31}$/) }),
    answers: { 200: PayeeOut },
    refusals: ['not_found'],
    handle: async (context, { params }) => {
      const payee = await payeeByAlias(context, params.alias.replace(/^@/, ''))
      if (payee === undefined) throw new ServiceError('not_found')
      const { kind, alias } = payee
      const name = payee.name ?? ''
      return {
        status: 200,
        body: { alias, kind, name: kind === 'person' ? maskedName(name) : name },
      }
    },
  }),
]
