/** What operators know of people: how well, and from where. */
import { z } from 'zod'
import { answerOnce, type Claim, type Outcome, type Uuid } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { endpoint } from '../http/endpoint.ts'
import { claimed } from '../http/idempotency.ts'
import { text } from '../http/schemas.ts'
import { idIn, idOut, publicId } from '../ids.ts'
import { refuseErased } from '../privacy/erasure.ts'
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

const changes = {
  tier: Tier.optional(),
  country: Country.nullable().optional().describe('Null: not known'),
}

interface Change {
  readonly tier?: string | undefined
  readonly country?: string | null | undefined
}

/** Once for the claim. */
async function changePerson(
  context: Context,
  id: Uuid,
  { tier, country }: Change,
  claim: Claim,
): Promise<Outcome> {
  const change = { ...(tier !== undefined && { tier }), ...(country !== undefined && { country }) }
  return answerOnce(context.db, claim, async (trx) => {
    const [row] = await trx('people')
      .where({ id, erased_at: null })
      .update(change)
      .returning(['tier', 'country'])
    if (row === undefined) throw new ServiceError('not_found')
    const subject = publicId('per', id)
    const kind = tier === undefined ? 'manual_action' : 'tier_changed'
    const detail = tier === undefined ? { action: 'person.country' } : { tier }
    await recordSecurity({ ...context, db: trx }, { kind, subject, detail })
    return JSON.stringify({ id: subject, tier: row.tier, country: row.country })
  })
}

export const peopleEndpoints = [
  endpoint({
    ...{ method: 'PUT', path: '/v1/people/:id', tag: TAG, scopes: ['operator'] },
    summary: 'Say how well a person is known, and from which country they are',
    params: z.strictObject({ id: idIn('per') }),
    ...{ idempotency: 'required', secondPerson: true },
    body: z
      .strictObject({ ...changes, reason: text(140) })
      .refine(
        ({ tier, country }) => tier !== undefined || country !== undefined,
        'says nothing that would change',
      ),
    answers: { 200: PersonOut },
    refusals: ['not_found'],
    check: ({ db }, { params }) => refuseErased(db, params.id),
    handle: (context, { params, body, claim }) =>
      changePerson(context, params.id, body, claimed(claim)),
  }),
]
