/** Values that a schema of the document allows, by chance. */
import fc from 'fast-check'
import type { Document, Json, Schema } from './document.ts'

export interface Dice {
  /** From 0 up to 1. */
  readonly random: () => number
  readonly below: (end: number) => number
  readonly pick: <T>(from: readonly T[]) => T
  readonly happens: (chance: number) => boolean
}

export function diceOf(random: () => number): Dice {
  const below = (end: number) => Math.floor(random() * end)
  function pick<T>(from: readonly T[]): T {
    if (from.length === 0) throw new Error('there is nothing to pick from')
    return from[below(from.length)] as T
  }
  return { random, below, pick, happens: (chance) => random() < chance }
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

/** @param seed what patterns become depends on it, and on nothing else. */
export function openValues(
  document: Document,
  { random, below, pick, happens }: Dice,
  seed: number,
) {
  const texts = new Map<string, readonly string[]>()

  function textFor(pattern: string): string {
    const id = /^\^([a-z]{3})_\[0-7\]/.exec(pattern)
    if (id !== null) return `${id[1]}_${below(8)}${letters(25)}`
    const known = KNOWN[pattern] ?? texts.get(pattern)
    if (known !== undefined) return pick(known)
    const made = fc.sample(fc.stringMatching(new RegExp(pattern)), { numRuns: TEXTS, seed })
    texts.set(pattern, made)
    return pick(made)
  }
  const letters = (count: number) =>
    Array.from({ length: count }, () => LETTERS[below(LETTERS.length)]).join('')

  function textOf(schema: Schema): string {
    const { format, pattern, minLength = 0, maxLength = LENGTH_MAX } = schema
    if (format === 'date-time') return new Date(below(4_000_000_000) * 1000).toISOString()
    if (format === 'date') return new Date(below(4_000_000_000) * 1000).toISOString().slice(0, 10)
    const made = typeof pattern === 'string' ? textFor(pattern) : letters(1 + below(12))
    return made.padEnd(Number(minLength), 'x').slice(0, Number(maxLength))
  }

  function numberOf({ minimum = 0, maximum = 1000 }: Schema): number {
    const [from, to] = [Number(minimum), Number(maximum)]
    return happens(0.2) ? pick([from, to]) : from + below(Math.min(to - from + 1, 1000))
  }

  function objectOf(schema: Schema): Json {
    const properties = (schema['properties'] ?? {}) as Readonly<Record<string, Schema>>
    const required = (schema['required'] ?? []) as readonly string[]
    const given = Object.entries(properties).filter(
      ([name]) => required.includes(name) || happens(OPTIONAL),
    )
    const made = Object.fromEntries(given.map(([name, one]) => [name, valueOf(one)]))
    const more = schema['additionalProperties']
    if (typeof more !== 'object' || more === null) return made
    const name = textOf((schema['propertyNames'] ?? {}) as Schema)
    return { ...made, [name]: valueOf(more as Schema) }
  }

  function listOf({ items, minItems = 0, maxItems = 3 }: Schema): Json {
    const [from, to] = [Number(minItems), Number(maxItems)]
    const length = from + below(Math.min(to - from + 1, 3))
    return Array.from({ length }, () => valueOf((items ?? {}) as Schema))
  }

  /** Something the schema allows; what only code can tell apart may be refused all the same. */
  function valueOf(asked: Schema): Json {
    const schema = document.resolve(asked)
    if ('const' in schema) return schema['const'] as Json
    if (Array.isArray(schema['enum'])) return pick(schema['enum'])
    for (const choice of ['anyOf', 'oneOf', 'allOf']) {
      const { [choice]: all } = schema
      if (Array.isArray(all)) return valueOf({ ...schema, [choice]: undefined, ...pick(all) })
    }
    return plainOf(schema)
  }

  function plainOf(schema: Schema): Json {
    const { type } = schema
    if (type === 'object') return objectOf(schema)
    if (type === 'array') return listOf(schema)
    if (type === 'integer' || type === 'number') return numberOf(schema)
    if (type === 'boolean') return random() < 0.5
    if (type === 'null') return null
    return textOf(schema)
  }

  return { valueOf, textOf: (schema: Schema) => String(valueOf(schema)) }
}

export type Values = ReturnType<typeof openValues>
