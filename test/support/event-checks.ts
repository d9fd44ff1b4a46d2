/**
 * What every event of a world must be, whatever a test was about: valid by the schema that is
 * published for its type, known by an id that follows from what it tells, and one of the versions
 * 1 .. n of its object.
 */
import { hash } from 'node:crypto'
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import { type EventRow, eventOut } from '../../services/events/events.ts'
import { showPeople } from '../../services/privacy/shown.ts'
import { call } from './api.ts'
import { OPERATOR } from './people.ts'
import { type World, world } from './world.ts'

/** Objects that tests made up: events of them have made up data, or are not there at all. */
export const madeUp = new Set<string>()

const PAGE = 2_000
const FAULTS_MAX = 20

export interface Checked {
  readonly types: ReadonlySet<string>
  readonly faults: readonly string[]
}

export async function checkEvents(): Promise<Checked> {
  const { api, owner } = await world()
  const [types, faults]: [Set<string>, string[]] = [new Set(), []]
  const validators = await publishedSchemas()
  for await (const events of pages(owner)) {
    for (const event of events) {
      if (event.id !== idOf(event)) faults.push(`${event.type} ${event.id} has another’s id`)
    }
    const told = events.filter(({ object_id }) => !madeUp.has(object_id)).flatMap(toldOf)
    for (const event of JSON.parse(await showPeople(api, JSON.stringify(told)))) {
      types.add(event.type)
      const validate = validators.get(event.type)
      if (validate?.(event.data) === true) continue
      const why = validate?.errors?.map(({ instancePath, message }) => `${instancePath} ${message}`)
      faults.push(`${event.type} ${event.id}: ${why?.join(', ') ?? 'no schema'}`)
    }
    if (faults.length > FAULTS_MAX) break
  }
  return { types, faults: [...faults, ...(await gaps(owner))].slice(0, FAULTS_MAX) }
}

/** As a merchant and operators are told, and as the chat app is, where that is something else. */
function toldOf(event: EventRow) {
  const [all, chats] = [eventOut(event, 'operator'), eventOut(event, 'chat')]
  return chats.data === all.data ? [all] : [all, chats]
}

async function* pages(db: World['owner']): AsyncGenerator<EventRow[]> {
  for (let after = '00000000-0000-0000-0000-000000000000'; ;) {
    const rows: EventRow[] = await db('events').where('id', '>', after).orderBy('id').limit(PAGE)
    const last = rows.at(-1)
    if (last === undefined) return
    yield rows
    after = last.id
  }
}

let compiled: { readonly text: string; readonly validators: Validators } | undefined

type Validators = ReadonlyMap<string, ValidateFunction>

/** What is published is the same in most worlds, and takes long to compile. */
async function publishedSchemas(): Promise<Validators> {
  const { body, text } = await call(OPERATOR, 'GET', '/v1/event_types')
  if (compiled?.text !== text) compiled = { text, validators: validatorsOf(body) }
  return compiled.validators
}

/** A receiver's view: one document, in which every type refers to the schema of its data. */
function validatorsOf(body: {
  readonly schemas: object
  readonly data: readonly { type: string; schema: { $ref: string } }[]
}): Validators {
  const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true })
  ajv.addSchema({ $id: 'events', schemas: body.schemas })
  return new Map(
    body.data.map(({ type, schema }) => [type, ajv.compile({ $ref: `events${schema.$ref}` })]),
  )
}

/** As docs/events.md has it, built from its words and not with the product’s own function. */
function idOf({ type, object_id, version, created_at }: EventRow): string {
  const digest = BigInt(`0x${hash('sha256', `${object_id}\n${type}\n${version}`)}`)
  const first62 = (((digest >> 252n) & 3n) << 60n) | ((digest >> 192n) & ((1n << 60n) - 1n))
  const upper =
    (BigInt(created_at.getTime()) << 16n) | (8n << 12n) | BigInt(Math.min(version, 4095))
  const hex = ((upper << 64n) | (2n << 62n) | first62).toString(16).padStart(32, '0')
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}

async function gaps(db: World['owner']): Promise<string[]> {
  const { rows } = await db.raw<{ rows: { object_id: string; versions: number[] }[] }>(
    `SELECT object_id, array_agg(version ORDER BY version) AS versions FROM events
      GROUP BY object_id HAVING count(*) <> max(version) OR count(DISTINCT version) <> max(version)
      LIMIT 20`,
  )
  return rows.map(({ object_id, versions }) => `${object_id} has versions ${versions.join(', ')}`)
}
