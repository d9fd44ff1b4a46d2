/** What a request is, and how one is drafted from the document and written down. */
import type { Document, Json, Operation } from './document.ts'
import { isObject } from './places.ts'
import type { Dice, Values } from './values.ts'
import type { Wire } from './wire.ts'

/** What is wrong, and its share of a hundred; `allowed` is what the document allows. */
export const MIX = {
  ...{ field: 30, money: 15, unicode: 10, json: 10, headers: 10, token: 10, owner: 10 },
  callback: 5,
} as const
export type Kind = keyof typeof MIX | 'allowed'

export interface Bad extends Wire {
  readonly kind: Kind
  readonly operation: Operation
  /** Whose the ids in it are, or that they are nobody's. */
  readonly about: 'nothing' | 'theirs' | 'over'
}

export type Role = 'person' | 'merchant' | 'operator' | 'chat'

/** Who asks, and about whose: renewed before each batch. */
export interface Cast {
  readonly tokens: Readonly<Record<Role, string>>
  /** What others have, by the first letters of their ids. */
  readonly theirs: ReadonlyMap<string, readonly string[]>
  /** By the operation: what of it nothing more can be done to. */
  readonly over: ReadonlyMap<string, readonly string[]>
  /** Of those others, and of who runs the place. */
  readonly owners: Readonly<Record<Exclude<Role, 'chat'>, string>>
  readonly banks: readonly { readonly name: string; readonly secret: string }[]
}

/** What requests are made with. */
export interface Workshop {
  readonly document: Document
  readonly values: Values
  readonly dice: Dice
  readonly newKey: () => string
}

/**
 * Writes nothing even where the document allows the request: there is no money, no PIN and nothing
 * linked. Whatever else names nothing in its path must be made one that the document forbids.
 */
const CANNOT_BE_DONE: ReadonlySet<string> = new Set([
  ...['POST /v1/payments', 'POST /v1/top_ups', 'POST /v1/withdrawals', 'POST /v1/exchanges'],
  'POST /v1/settlements',
])
const NOBODY_KNOWS = 'nobody_knows_this'

/** A request before it is written down. */
export interface Draft {
  readonly params: Readonly<Record<string, string>>
  readonly query: readonly string[]
  readonly body: Json | undefined
}

/** What the document allows. */
export function draftOf(
  { values, dice: { happens } }: Workshop,
  { parameters, body }: Operation,
): Draft {
  const inPath = parameters.filter((one) => one.in === 'path')
  const query = parameters.filter((one) => one.in === 'query' && (one.required || happens(0.3)))
  return {
    params: Object.fromEntries(
      inPath.map(({ name, schema }) => [name, encodeURIComponent(values.textOf(schema))]),
    ),
    query: query.map(({ name, schema }) => `${name}=${encodeURIComponent(values.textOf(schema))}`),
    body: body === undefined ? undefined : values.valueOf(body),
  }
}

/** @returns the body, or one that the document forbids where this one could be done. */
export function harmless(
  workshop: Workshop,
  operation: Operation,
  body: Json | undefined,
): Json | undefined {
  const { method, parameters, name } = operation
  if (method === 'GET' || CANNOT_BE_DONE.has(name)) return body
  if (parameters.some((one) => one.in === 'path')) return body
  return forbidden(workshop, operation, body)
}

/** @returns the body where the document forbids it, else one that it forbids. */
export function forbidden(
  { document }: Workshop,
  operation: Operation,
  body: Json | undefined,
): Json {
  const { name } = operation
  if (body === undefined) throw new Error(`${name} could be done by accident`)
  if (!document.allows(operation, body)) return body
  const spoiled = isObject(body) ? { ...body, [NOBODY_KNOWS]: 1 } : null
  if (document.allows(operation, spoiled)) throw new Error(`${name} allows anything`)
  return spoiled
}

/** Whose token is shown; where none is asked for, anybody's. */
const roleOf = ({ pick }: Dice, { scopes }: Operation) =>
  (scopes.length === 0 ? 'person' : pick(scopes).split(':')[0]) as Role

/** @param over in the place of what the draft and the cast would have given. */
export function written(
  { dice, newKey }: Workshop,
  cast: Cast,
  { kind, operation, about = 'nothing' }: Pick<Bad, 'kind' | 'operation'> & Partial<Bad>,
  draft: Draft,
  over: { readonly body?: Buffer; readonly token?: string | undefined } = {},
): Bad {
  const { method, path, parameters, scopes } = operation
  const target = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => draft.params[name] ?? '')
  const token = 'token' in over ? over.token : `Bearer ${cast.tokens[roleOf(dice, operation)]}`
  const text = draft.body === undefined ? undefined : JSON.stringify(draft.body)
  const body = over.body ?? (text === undefined ? undefined : Buffer.from(text))
  const headers: (readonly [string, string])[] = []
  if (scopes.length > 0 && token !== undefined) headers.push(['authorization', token])
  if (parameters.some((one) => one.in === 'header')) headers.push(['idempotency-key', newKey()])
  if (body !== undefined) headers.push(['content-type', 'application/json'])
  const query = draft.query.length === 0 ? '' : `?${draft.query.join('&')}`
  return { kind, operation, about, method, target: target + query, headers, body }
}
