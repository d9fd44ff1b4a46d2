/** Values that a schema of the document allows, by chance. */
import fc from 'fast-check'
import type { Document, Json, Schema } from './document.ts'

export interface Dice {
  readonly below: (end: number) => number
  readonly pick: <T>(from: readonly T[]) => T
  readonly happens: (chance: number) => boolean
}

/** @param random from 0 up to 1. */
export function diceOf(random: () => number): Dice {
  const below = (end: number) => Math.floor(random() * end)
  function pick<T>(from: readonly T[]): T {
    if (from.length === 0) throw new Error('there is nothing to pick from')
    return from[below(from.length)] as T
  }
  return { below, pick, happens: (chance) => random() < chance }
}

/** How many texts are made for a pattern. */
const TEXTS = 40
const LENGTH_MAX = 60
const OPTIONAL = 0.35
/** Letters of which ids are made. */
const LETTERS = '0123456789abcdefghjkmnpqrstvwxyz'

/** What a text must look like to be one of a kind that there are few of. */
const KNOWN: Readonly<Record<string, readonly string[]>> = {
  '^[A-Z]{3}$': ['EUR', 'EUR', 'EUR', 'USD', 'JPY', 'XXX'],
  '^[A-Z]{2}$': ['DE', 'FR', 'US', 'ZZ'],
}

/** Where values come from. */
interface Source {
  readonly document: Document
  readonly dice: Dice
  /** What is made for a pattern. */
  readonly textsFor: (pattern: string) => readonly string[]
}

/** @param seed what patterns become depends on it, and on nothing else. */
export function openValues(document: Document, dice: Dice, seed: number) {
  const made = new Map<string, readonly string[]>()
  function textsFor(pattern: string): readonly string[] {
    const known = KNOWN[pattern] ?? made.get(pattern)
    if (known !== undefined) return known
    const texts = fc.sample(fc.stringMatching(new RegExp(pattern)), { numRuns: TEXTS, seed })
    made.set(pattern, texts)
    return texts
  }
  const source = { document, dice, textsFor }
  return {
    valueOf: (schema: Schema) => valueOf(source, schema),
    textOf: (schema: Schema) => asText(valueOf(source, schema)),
  }
}

/** As it is written in a path or a query. */
const asText = (json: Json) => (typeof json === 'string' ? json : JSON.stringify(json))

/** Something the schema allows; what only code can tell apart may be refused all the same. */
function valueOf(source: Source, asked: Schema): Json {
  const { pick } = source.dice
  const schema = source.document.resolve(asked)
  if ('const' in schema) return schema['const'] as Json
  if (Array.isArray(schema['enum'])) return pick(schema['enum'])
  for (const choice of ['anyOf', 'oneOf', 'allOf']) {
    const { [choice]: all } = schema
    if (Array.isArray(all)) return valueOf(source, { ...schema, [choice]: undefined, ...pick(all) })
  }
  return plainOf(source, schema)
}

function plainOf(source: Source, schema: Schema): Json {
  const { type } = schema
  if (type === 'object') return objectOf(source, schema)
  if (type === 'array') return listOf(source, schema)
  if (type === 'integer' || type === 'number') return numberOf(source.dice, schema)
  if (type === 'boolean') return source.dice.happens(0.5)
  if (type === 'null') return null
  return textOf(source, schema)
}

function objectOf(source: Source, schema: Schema): Json {
  const properties = (schema['properties'] ?? {}) as Readonly<Record<string, Schema>>
  const required = (schema['required'] ?? []) as readonly string[]
  const given = Object.entries(properties).filter(
    ([name]) => required.includes(name) || source.dice.happens(OPTIONAL),
  )
  const made = Object.fromEntries(given.map(([name, one]) => [name, valueOf(source, one)]))
  const more = schema['additionalProperties']
  if (typeof more !== 'object' || more === null) return made
  const name = textOf(source, (schema['propertyNames'] ?? {}) as Schema)
  return { ...made, [name]: valueOf(source, more as Schema) }
}

function listOf(source: Source, { items, minItems = 0, maxItems = 3 }: Schema): Json {
  const [from, to] = [Number(minItems), Number(maxItems)]
  const length = from + source.dice.below(Math.min(to - from + 1, 3))
  return Array.from({ length }, () => valueOf(source, (items ?? {}) as Schema))
}

function numberOf({ pick, below, happens }: Dice, { minimum = 0, maximum = 1000 }: Schema): number {
  const [from, to] = [Number(minimum), Number(maximum)]
  return happens(0.2) ? pick([from, to]) : from + below(Math.min(to - from + 1, 1000))
}

function textOf({ dice, textsFor }: Source, schema: Schema): string {
  const { format, pattern, minLength = 0, maxLength = LENGTH_MAX } = schema
  if (format === 'date-time') return momentOf(dice)
  if (format === 'date') return momentOf(dice).slice(0, 10)
  const made =
    typeof pattern === 'string'
      ? (idFor(dice, pattern) ?? dice.pick(textsFor(pattern)))
      : letters(dice, 1 + dice.below(12))
  return made.padEnd(Number(minLength), 'x').slice(0, Number(maxLength))
}

const momentOf = ({ below }: Dice) => new Date(below(4_000_000_000) * 1000).toISOString()

/** Of which kind ids are that look like this; undefined where they are none. */
export const kindOf = ({ pattern }: Schema): string | undefined =>
  typeof pattern === 'string' ? /^\^([a-z]{3})_\[0-7\]/.exec(pattern)?.[1] : undefined

/** Undefined unless ids look like this. */
function idFor(dice: Dice, pattern: string): string | undefined {
  const kind = kindOf({ pattern })
  return kind === undefined ? undefined : `${kind}_${dice.below(8)}${letters(dice, 25)}`
}

const letters = ({ below }: Dice, count: number) =>
  Array.from({ length: count }, () => LETTERS[below(LETTERS.length)]).join('')

export type Values = ReturnType<typeof openValues>
