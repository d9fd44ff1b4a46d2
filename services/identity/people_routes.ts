/** What operators know of people and merchants: how well, and from where. */
import { z } from 'zod'
import type { Uuid } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { endpoint } from '../http/endpoint.ts'
import { idIn, idOut, publicId } from '../ids.ts'

const TAG = 'Risk'

const Country = z
  .string()
  .regex(/^[A-Z]{2}$/)
  .describe('ISO 3166-1, two letters')

const Tier = z
  .string()
  .regex(/^[a-z][a-z0-9_]{0,31}$/)
  .describe('How well the person is known; limits and rules depend on it')

const PersonOut = z
  .strictObject({ id: idOut('per'), tier: z.string(), country: Country.nullable() })
  .meta({ id: 'Person' })

const MerchantCountryOut = z
  .strictObject({ id: idOut('mer'), country: Country.nullable() })
  .meta({ id: 'MerchantCountry' })

const changes = {
  tier: Tier.optional(),
  country: Country.nullable().optional().describe('Null: not known'),
}

async function changed(
  { db }: Context,
  table: 'people' | 'merchants',
  id: Uuid,
  change: { readonly tier?: string | undefined; readonly country?: string | null | undefined },
) {
  const given = Object.entries(change).filter(([, value]) => value !== undefined)
  const columns = table === 'people' ? ['id', 'tier', 'country'] : ['id', 'country']
  const [row] = await db(table).where({ id }).update(Object.fromEntries(given)).returning(columns)
  if (row === undefined) throw new ServiceError('not_found')
  return row
}

export const peopleEndpoints = [
  endpoint({
    ...{ method: 'PUT', path: '/v1/people/:id', tag: TAG, scopes: ['operator'] },
    summary: 'Say how well a person is known, and from which country they are',
    params: z.strictObject({ id: idIn('per') }),
    body: z
      .strictObject(changes)
      .refine((body) => Object.keys(body).length > 0, 'says nothing that would change'),
    answers: { 200: PersonOut },
    refusals: ['not_found'],
    handle: async (context, { params, body }) => {
      const { id, tier, country } = await changed(context, 'people', params.id, body)
      return { status: 200, body: { id: publicId('per', id), tier, country } }
    },
  }),
  endpoint({
    ...{ method: 'PUT', path: '/v1/merchants/:id', tag: TAG, scopes: ['operator'] },
    summary: 'Say from which country a merchant is',
    params: z.strictObject({ id: idIn('mer') }),
    body: z.strictObject({ country: Country.nullable().describe('Null: not known') }),
    answers: { 200: MerchantCountryOut },
    refusals: ['not_found'],
    handle: async (context, { params, body }) => {
      const { id, country } = await changed(context, 'merchants', params.id, body)
      return { status: 200, body: { id: publicId('mer', id), country } }
    },
  }),
]
