/** The operators' bulk endpoint. */
import { z } from 'zod'
import { type NewTransfer, transferIdAt } from '../../ledger/index.ts'
import { ServiceError } from '../errors.ts'
import { ownerOf } from '../http/callers.ts'
import { endpoint } from '../http/endpoint.ts'
import { claimOfRequest } from '../http/idempotency.ts'
import { Amount, CurrencyCode, text, TEXT_LENGTH_MAX } from '../http/schemas.ts'
import { idIn, idOut } from '../ids.ts'
import { dateOf, Moment } from './accounts_routes.ts'
import { postBulk, refuseSpokenFor } from './bulk.ts'

const UNITS_MAX = 1_000
const TRANSFERS_PER_UNIT_MAX = 100
const CONDITIONS_MAX = 10
/** A thousand units of three transfers. */
const BYTES_MAX = 1024 * 1024

const common = {
  code: z
    .string()
    .regex(/^[a-z][a-z0-9_]{0,39}$/)
    .describe('Why, in one word'),
  effective_at: Moment.optional().describe('When it happened; now, where it is left out'),
}
const movement = {
  ...{ debit: idIn('acc'), credit: idIn('acc'), amount: Amount, currency: CurrencyCode },
  ...common,
}
const hold = idIn('trf').describe('Any transfer of the hold')

const Transfer = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('single'), ...movement }),
  z.strictObject({ kind: z.literal('pending'), ...movement, expires_at: Moment.optional() }),
  z.strictObject({
    ...{ kind: z.literal('post'), hold, ...common },
    amount: Amount.optional().describe('Of all legs together; all that is left, by default'),
    final: z.boolean().default(false).describe('Release what this leaves'),
  }),
  z.strictObject({ kind: z.literal('void'), hold, ...common }),
  z.strictObject({
    ...{ kind: z.literal('reversal'), original: idIn('trf'), ...common },
  }),
])

const Condition = z
  .strictObject({
    account: idIn('acc'),
    available_at_least: z
      .string()
      .regex(/^-?(0|[1-9][0-9]{0,17})$/)
      .optional()
      .describe('Minor units'),
    last_entry: z
      .string()
      .regex(/^(0|[1-9][0-9]{0,17})$/)
      .optional()
      .describe('The account’s version'),
  })
  .refine((one) => one.available_at_least !== undefined || one.last_entry !== undefined, {
    message: 'demands nothing',
  })

const Unit = z.strictObject({
  key: z
    .string()
    .regex(/^[A-Za-z0-9_-]{16,64}$/)
    .describe('Recognises the unit, in this bulk and in others'),
  transfers: z.array(Transfer).min(1).max(TRANSFERS_PER_UNIT_MAX),
  conditions: z.array(Condition).max(CONDITIONS_MAX).default([]),
  reason: text(TEXT_LENGTH_MAX).describe('Kept in the event'),
})

const key = z.string()
const replayed = z.boolean().describe('Known from before; nothing was written now')

const BulkOut = z
  .strictObject({
    mode: z.enum(['atomic', 'each']),
    state: z.enum(['done', 'undone']).describe('undone: nothing at all was written'),
    results: z
      .array(
        z.discriminatedUnion('state', [
          z.strictObject({
            ...{ key, state: z.literal('accepted'), replayed, unit: idOut('trf') },
            transfers: z.array(idOut('trf')),
          }),
          z.strictObject({ key, state: z.literal('refused'), replayed, code: z.string() }),
          z.strictObject({ key, state: z.literal('undone') }),
        ]),
      )
      .describe('In the order of the units'),
  })
  .meta({ id: 'Bulk' })

type Unreferenced<T> = T extends unknown ? Omit<T, 'reference'> : never

function transferOf(asked: z.infer<typeof Transfer>): Unreferenced<NewTransfer> {
  const { code } = asked
  const why = { code, effectiveAt: dateOf(asked.effective_at) }
  if (asked.kind === 'reversal') {
    return { ...why, kind: asked.kind, original: transferIdAt(asked.original, 0) }
  }
  if (asked.kind === 'void') return { ...why, kind: asked.kind, hold: transferIdAt(asked.hold, 0) }
  if (asked.kind === 'post') {
    const amount = asked.amount === undefined ? undefined : BigInt(asked.amount)
    const post = { kind: asked.kind, hold: transferIdAt(asked.hold, 0), amount }
    return { ...why, ...post, isFinal: asked.final }
  }
  const { kind, debit, credit, amount, currency } = asked
  const money = { amount: BigInt(amount), currency }
  const expiresAt = asked.kind === 'pending' ? dateOf(asked.expires_at) : undefined
  return { ...why, kind, debit, credit, money, expiresAt }
}

const conditionOf = ({ account, available_at_least, last_entry }: z.infer<typeof Condition>) => ({
  account,
  availableAtLeast: available_at_least === undefined ? undefined : BigInt(available_at_least),
  lastEntry: last_entry === undefined ? undefined : BigInt(last_entry),
})

export const bulkEndpoints = [
  endpoint({
    ...{ method: 'POST', path: '/v1/ledger/bulk', summary: 'Up to 1,000 units, in order' },
    ...{ tag: 'Operators', scopes: ['operator'], idempotency: 'required', bytesMax: BYTES_MAX },
    secondPerson: true,
    body: z.strictObject({
      mode: z.enum(['atomic', 'each']).describe('All or none; or each for itself'),
      units: z.array(Unit).min(1).max(UNITS_MAX),
    }),
    answers: { 200: BulkOut },
    refusals: ['unit_spoken_for'],
    check: (context, { body }) =>
      refuseSpokenFor(
        context,
        body.units.map(({ transfers }) => transfers.map(transferOf)),
      ),
    handle: (context, { caller, body, claim }) => {
      if (claim === undefined) throw new ServiceError('idempotency_key_missing')
      const units = body.units.map(({ key, reason, ...asked }) => ({
        ...{ key, reason },
        claim: claimOfRequest(ownerOf(caller), 'bulk', key, {
          params: {},
          body: { ...asked, reason },
        }),
        transfers: asked.transfers.map(transferOf),
        conditions: asked.conditions.map(conditionOf),
      }))
      const { subject: operator, approvedBy } = caller
      return postBulk(context, { mode: body.mode, units, claim, operator, approvedBy })
    },
  }),
]
