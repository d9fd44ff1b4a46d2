/** Who hides behind an alias; and what else there is about a person. */
import { z } from 'zod'
import { ServiceError } from '../errors.ts'
import { endpoint } from '../http/endpoint.ts'
import { publicId } from '../ids.ts'
import { maskedName, payeeByAlias } from './parties.ts'
import { pinEndpoints } from './pin_routes.ts'

const PayeeOut = z
  .strictObject({
    id: z
      .string()
      .regex(/^(per|mer)_/)
      .describe('What an approval names'),
    alias: z.string(),
    kind: z.enum(['person', 'merchant']),
    name: z.string().describe('A person’s is masked: enough to notice a wrong alias'),
  })
  .meta({ id: 'Payee' })

export const identityEndpoints = [
  ...pinEndpoints,
  endpoint({
    ...{ method: 'GET', path: '/v1/payees/:alias', summary: 'Whom an alias would pay' },
    ...{ tag: 'Identity', scopes: ['person'], rate: 'lookup' },
    params: z.strictObject({ alias: z.string().regex(/^@?[a-z0-9][a-z0-9_.]{1,31}$/) }),
    answers: { 200: PayeeOut },
    refusals: ['not_found'],
    handle: async (context, { params }) => {
      const payee = await payeeByAlias(context, params.alias.replace(/^@/, ''))
      if (payee === undefined) throw new ServiceError('not_found')
      const { kind, alias } = payee
      const name = payee.name ?? ''
      const id = publicId(kind === 'person' ? 'per' : 'mer', payee.id)
      return {
        status: 200,
        body: { id, alias, kind, name: kind === 'person' ? maskedName(name) : name },
      }
    },
  }),
]
