/** What operators know of people and merchants: how well, and from where. */
import { z } from 'zod'
import type { Uuid } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { actorOf } from '../http/callers.ts'
import { type Caller, endpoint } from '../http/endpoint.ts'
import { idIn, idOut, publicId } from '../ids.ts'
import { recordSecurity } from '../security/log.ts'

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

type Told = { readonly tier?: string | undefined; readonly country?: string | null | undefined }

/** Writes it down, and who said so. */
async function changed(
  context: Context,
  caller: Caller,
  [kind, id]: readonly ['per' | 'mer', Uuid],
  told: Told,
) {
  const [table, columns] =
    kind === 'per' ? ['people', ['tier', 'country']] : ['merchants', ['country']]
  const given = Object.entries(told).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value] as const],
  )
  return context.db.transaction(async (trx) => {
    const change = Object.fromEntries(given)
    const [row] = await trx(table).where({ id }).update(change).returning(columns)
    if (row === undefined) throw new ServiceError('not_found')
    const subject = publicId(kind, id)
    const entry = { kind: 'manual_action', actor: actorOf(caller), subject } as const
    await recordSecurity({ ...context, db: trx }, { ...entry, detail: change })
    return { id: subject, ...row }
  })
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
    handle: async (context, { caller, params, body }) => ({
      status: 200,
      body: await changed(context, caller, ['per', params.id], body),
    }),
  }),
  endpoint({
    ...{ method: 'PUT', path: '/v1/merchants/:id', tag: TAG, scopes: ['operator'] },
    summary: 'Say from which country a merchant is',
    params: z.strictObject({ id: idIn('mer') }),
    body: z.strictObject({ country: Country.nullable().describe('Null: not known') }),
    answers: { 200: MerchantCountryOut },
    refusals: ['not_found'],
    handle: async (context, { caller, params, body }) => ({
      status: 200,
      body: await changed(context, caller, ['mer', params.id], body),
    }),
  }),
]
