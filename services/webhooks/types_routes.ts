/** What may happen, and what is said of it: the catalogue over HTTP, with schemas of the data. */
import { z } from 'zod'
import { BankEventOut } from '../banking/inbox_routes.ts'
import { LedgerAccountOut, PeriodOut } from '../books/ledger_routes.ts'
import { CATALOGUE, EVENT_TYPES } from '../events/catalogue.ts'
import { endpoint } from '../http/endpoint.ts'
import { CurrencyCode, Timestamp } from '../http/schemas.ts'
import { idOut } from '../ids.ts'
import { PaymentOut } from '../payments/routes.ts'

const occasion = { operator: z.string(), reason: z.string() }

/**
 * What events carry that no call answers with. Everything else in the catalogue is an answer of
 * the API, under the same name.
 */
const OWN_SHAPES = [
  z.strictObject({ account: LedgerAccountOut, ...occasion }).meta({ id: 'AccountAction' }),
  z.strictObject({ period: PeriodOut, ...occasion }).meta({ id: 'ClosedPeriod' }),
  z
    .strictObject({
      unit: idOut('trf'),
      transfers: z.array(idOut('trf')),
      ...occasion,
      approved_by: z.string(),
    })
    .meta({ id: 'LedgerPosting' }),
  PaymentOut.extend({ reason: z.string().nullable() }).meta({ id: 'ReturnedPayment' }),
  BankEventOut.extend({ why: z.string() }).meta({ id: 'BankEventAlarm' }),
  z
    .strictObject({
      ...{ from: z.string(), to: z.string(), amount: z.string(), currency: CurrencyCode },
      reason: z.string().nullable(),
    })
    .meta({ id: 'CarriedObligation' }),
  z.strictObject({ id: idOut('per'), at: Timestamp }).meta({ id: 'PersonNotice' }),
  z
    .strictObject({ id: idOut('per'), operator: z.string().nullable(), at: Timestamp })
    .meta({ id: 'ErasedPerson' }),
]

type Schemas = Readonly<Record<string, object>>

/** Every named schema there is, referring to the others as they lie in the answer. */
const namedSchemas = (): Schemas =>
  z.toJSONSchema(z.globalRegistry, {
    ...{ target: 'draft-2020-12', io: 'output', unrepresentable: 'any' },
    uri: (id) => `#/schemas/${id}`,
  }).schemas

const REFERENCE = /"#\/schemas\/(\w+)"/g

/** Those that events carry, and what these refer to. */
function schemasOf(objects: readonly string[]): Schemas {
  const [all, found] = [namedSchemas(), new Map<string, object>()]
  const pending = [...objects]
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    const schema = all[name]
    if (schema === undefined) throw new Error(`no schema is called ${name}`)
    if (found.has(name)) continue
    const { $id: _id, $schema: _dialect, id: _name, ...own } = schema as Record<string, unknown>
    found.set(name, own)
    pending.push(...[...JSON.stringify(own).matchAll(REFERENCE)].map(([, other]) => other!))
  }
  return Object.fromEntries([...found].sort(([a], [b]) => (a < b ? -1 : 1)))
}

const EventTypes = z
  .strictObject({
    data: z.array(
      z.strictObject({
        type: z.string(),
        version: z.int().describe('Of the shape of its data'),
        summary: z.string(),
        schema: z.strictObject({ $ref: z.string().describe('Into `schemas`') }),
      }),
    ),
    schemas: z.record(z.string(), z.looseObject({})).describe('JSON Schema 2020-12, by name'),
  })
  .meta({ id: 'EventTypes' })

let answer: string | undefined

/** Made once, when somebody asks first: by then every schema is there. */
function catalogueText(): string {
  const data = EVENT_TYPES.map((type) => {
    const { object, version, summary } = CATALOGUE[type]
    return { type, version, summary, schema: { $ref: `#/schemas/${object}` } }
  })
  const objects = EVENT_TYPES.map((type) => CATALOGUE[type].object)
  const own = OWN_SHAPES.map((shape) => shape.meta()?.id ?? '')
  return JSON.stringify({ data, schemas: schemasOf([...objects, ...own]) })
}

export const eventTypeEndpoints = [
  endpoint({
    ...{ method: 'GET', path: '/v1/event_types', tag: 'Events' },
    summary: 'The catalogue of events, with JSON Schemas of their data',
    scopes: ['chat', 'merchant', 'operator'],
    answers: { 200: EventTypes },
    refusals: [],
    handle: async () => ({ status: 200, body: (answer ??= catalogueText()) }),
  }),
]
