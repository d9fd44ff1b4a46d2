/** Requests that nobody should send, by the kind of what is wrong with them. */
import { createHmac } from 'node:crypto'
import { BREAKS, HEADERS, MONEY, QUERIES, TEXTS, VALUES } from './bad.ts'
import type { Document, Json, Operation } from './document.ts'
import { BROKEN, FORGED, tampered } from './forged.ts'
import { isObject, placesIn, put, withIds } from './places.ts'
import type { Dice, Values } from './values.ts'
import type { Wire } from './wire.ts'

/** What is wrong, and its share of a hundred; `allowed` is what the document allows. */
const MIX = {
  ...{ field: 30, money: 15, unicode: 10, json: 10, headers: 10, token: 10, owner: 10 },
  callback: 5,
} as const
export type Kind = keyof typeof MIX | 'allowed'

export interface Bad extends Wire {
  readonly kind: Kind
  readonly operation: Operation
}

export type Role = 'person' | 'merchant' | 'operator' | 'chat'

/** Who asks, and about whose: renewed before each batch. */
export interface Cast {
  readonly tokens: Readonly<Record<Role, string>>
  /** What others have, by the first letters of their ids. */
  readonly theirs: ReadonlyMap<string, readonly string[]>
  readonly banks: readonly { readonly name: string; readonly secret: string }[]
}

/**
 * Writes nothing even where the document allows the request: there is no money, no PIN and nothing
 * linked. Whatever else names nothing in its path must be made one that the document forbids.
 */
const CANNOT_BE_DONE: ReadonlySet<string> = new Set([
  ...['POST /v1/payments', 'POST /v1/top_ups', 'POST /v1/withdrawals', 'POST /v1/exchanges'],
  'POST /v1/settlements',
])
const CALLBACKS = 'POST /v1/banks/{bank}/callbacks'
/** Made for machines, large, and the same for everybody. */
const LEFT_OUT: ReadonlySet<string> = new Set(['GET /metrics', 'GET /openapi.json', 'GET /sandbox'])
const NOBODY_KNOWS = 'nobody_knows_this'

/** A request before it is written down. */
interface Draft {
  readonly params: Readonly<Record<string, string>>
  readonly query: readonly string[]
  readonly body: Json | undefined
}

export function openRequests(document: Document, values: Values, dice: Dice, newKey: () => string) {
  const { pick, happens } = dice
  const guarded = document.operations.filter(({ scopes }) => scopes.length > 0)
  const operations = document.operations.filter(
    ({ name }) => !LEFT_OUT.has(name) && name !== CALLBACKS,
  )
  const withBody = guarded.filter(({ body }) => body !== undefined)
  const callbacks = document.operations.find(({ name }) => name === CALLBACKS)
  if (callbacks === undefined || withBody.length === 0) throw new Error('an odd document')

  function draftOf({ parameters, body }: Operation): Draft {
    const inPath = parameters.filter((one) => one.in === 'path')
    const query = parameters.filter((one) => one.in === 'query' && (one.required || happens(0.3)))
    return {
      params: Object.fromEntries(
        inPath.map(({ name, schema }) => [name, encodeURIComponent(values.textOf(schema))]),
      ),
      query: query.map(
        ({ name, schema }) => `${name}=${encodeURIComponent(values.textOf(schema))}`,
      ),
      body: body === undefined ? undefined : values.valueOf(body),
    }
  }

  /** Makes sure that it cannot be done, and says of its text what it will be. */
  function harmless(operation: Operation, body: Json | undefined): Json | undefined {
    const { method, parameters, name } = operation
    if (method === 'GET' || CANNOT_BE_DONE.has(name)) return body
    if (parameters.some((one) => one.in === 'path')) return body
    if (body === undefined) throw new Error(`${name} could be done by accident`)
    if (!document.allows(operation, body)) return body
    const spoiled = isObject(body) ? { ...body, [NOBODY_KNOWS]: 1 } : null
    if (document.allows(operation, spoiled)) throw new Error(`${name} allows anything`)
    return spoiled
  }

  /** Whose token is shown; where none is asked for, anybody's. */
  const roleOf = ({ scopes }: Operation) =>
    (scopes.length === 0 ? 'person' : pick(scopes).split(':')[0]) as Role

  function written(
    cast: Cast,
    kind: Kind,
    operation: Operation,
    draft: Draft,
    over: { readonly body?: Buffer; readonly token?: string | undefined } = {},
  ): Bad {
    const { method, path, parameters, scopes } = operation
    const target = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => draft.params[name] ?? '')
    const token = 'token' in over ? over.token : `Bearer ${cast.tokens[roleOf(operation)]}`
    const text = draft.body === undefined ? undefined : JSON.stringify(draft.body)
    const body = over.body ?? (text === undefined ? undefined : Buffer.from(text))
    const headers: (readonly [string, string])[] = []
    if (scopes.length > 0 && token !== undefined) headers.push(['authorization', token])
    if (parameters.some((one) => one.in === 'header')) headers.push(['idempotency-key', newKey()])
    if (body !== undefined) headers.push(['content-type', 'application/json'])
    const query = draft.query.length === 0 ? '' : `?${draft.query.join('&')}`
    return { kind, operation, method, target: target + query, headers, body }
  }

  /** One place of the body, or else of the query or the path, is something else. */
  function mutated(cast: Cast, kind: Kind, from: readonly Operation[], choices: readonly Json[]) {
    const operation = pick(from)
    const draft = draftOf(operation)
    if (draft.body === undefined) {
      return written(cast, kind, operation, elsewhere(operation, draft))
    }
    const places = placesIn(draft.body, kind === 'money')
    const bad = pick(choices)
    const change = kind === 'field' ? pick(['put', 'put', 'put', 'missing', 'extra']) : 'put'
    const body = put(draft.body, pick(places), change === 'missing' ? undefined : bad)
    const changed = change === 'extra' ? put(draft.body, ['extra'], bad) : body
    return written(cast, kind, operation, { ...draft, body: harmless(operation, changed) })
  }

  function elsewhere({ parameters }: Operation, draft: Draft): Draft {
    const [bad, inPath] = [pick(QUERIES), Object.keys(draft.params)]
    // What is nothing, or leads up, would make another path of it.
    if (inPath.length > 0 && happens(0.5) && !['', '..'].includes(bad)) {
      return { ...draft, params: { ...draft.params, [pick(inPath)]: bad } }
    }
    const names = parameters.flatMap((one) => (one.in === 'query' ? [one.name] : []))
    const name = happens(0.8) && names.length > 0 ? pick(names) : pick(['x', 'limit', '__proto__'])
    return { ...draft, query: [...draft.query, `${name}${pick(['=', '=', '[]=', '[a]='])}${bad}`] }
  }

  const make: Readonly<Record<Kind, (cast: Cast) => Bad>> = {
    field: (cast) => mutated(cast, 'field', operations, VALUES),
    money: (cast) => mutated(cast, 'money', withBody, MONEY),
    unicode: (cast) => mutated(cast, 'unicode', operations, TEXTS),
    json(cast) {
      const operation = pick(withBody)
      const draft = draftOf(operation)
      const text = JSON.stringify(harmless(operation, draft.body))
      return written(cast, 'json', operation, draft, {
        body: Buffer.from(pick(BREAKS)(text, dice)),
      })
    },
    headers(cast) {
      const operation = pick(guarded)
      const draft = draftOf(operation)
      const body = harmless(operation, draft.body)
      const plain = written(cast, 'headers', operation, { ...draft, body })
      if (happens(0.25)) return { ...plain, raw: pick(BROKEN)(plain) }
      const over = pick(HEADERS)
      const kept = plain.headers.filter(([name]) => !over.some(([other]) => other === name))
      return { ...plain, headers: [...kept, ...over.filter(([, value]) => value !== '')] }
    },
    token(cast) {
      const operation = pick(guarded)
      const roles = new Set(operation.scopes.map((scope) => scope.split(':')[0]))
      const others = Object.entries(cast.tokens).filter(([role]) => !roles.has(role))
      const token =
        others.length > 0 && happens(0.3)
          ? `Bearer ${pick(others)[1]}`
          : happens(0.4)
            ? tampered(cast.tokens.person, dice)
            : pick(FORGED)
      return written(cast, 'token', operation, draftOf(operation), { token })
    },
    owner(cast) {
      const operation = pick(guarded)
      const draft = draftOf(operation)
      const body = draft.body && withIds(draft.body, cast.theirs, dice)
      const params = withIds(draft.params, cast.theirs, dice) as Draft['params']
      const roles = operation.scopes.map((scope) => scope.split(':')[0] as Role)
      // An operator may: who is neither that nor the owner may not.
      const mine = roles.find((role) => role === 'person' || role === 'merchant') ?? 'person'
      const token = `Bearer ${cast.tokens[mine]}`
      return written(
        ...([cast, 'owner', operation] as const),
        { ...draft, params, body: roles.includes(mine) ? harmless(operation, body) : body },
        { token },
      )
    },
    callback: (cast) => callback(cast, callbacks),
    allowed: (cast) => {
      const operation = pick(guarded)
      return written(cast, 'allowed', operation, draftOf(operation))
    },
  }

  /** Unsigned, signed by somebody else, long ago, for another bank; or signed, and no event. */
  function callback(cast: Cast, operation: Operation): Bad {
    const [bank, other] = [pick(cast.banks), pick(cast.banks)]
    const event = JSON.stringify({ type: 'payment.settled', data: { reference: pick(TEXTS) } })
    const body = Buffer.from(happens(0.5) ? event : pick(BREAKS)(event, dice))
    const [id, now] = [newKey(), Math.floor(Date.now() / 1000)]
    const at = `${pick([now, now, now - 3600, now + 3600, -1, 'now'])}`
    const sign = (secret: string) =>
      `v1,${createHmac('sha256', Buffer.from(secret.slice(6), 'base64'))
        .update(`${id}.${at}.`)
        .update(body)
        .digest('base64')}`
    const forged = `whsec_${Buffer.alloc(32, 99).toString('base64')}`
    const isOther = other.name !== bank.name
    const signature = pick([
      ...[sign(bank.secret), sign(bank.secret), sign(forged), isOther ? sign(other.secret) : ''],
      ...['', 'v1,', 'v2,AAAA', 'v1,AAAA '.repeat(50), sign(bank.secret).toLowerCase()],
    ])
    const headers = [
      ...[['content-type', 'application/json'] as const, ['webhook-id', id] as const],
      ...[['webhook-timestamp', at] as const, ['webhook-signature', signature] as const],
    ].filter(([, value]) => value !== '' && happens(0.97))
    const draft = {
      params: { bank: happens(0.9) ? bank.name : pick(QUERIES) },
      query: [],
      body: null,
    }
    return { ...written(cast, 'callback', operation, draft), body, headers }
  }

  const kinds = Object.entries(MIX).flatMap(([kind, share]) =>
    Array.from({ length: share }, () => kind as keyof typeof MIX),
  )
  return {
    /** A request that must be refused. */
    bad: (cast: Cast) => make[pick(kinds)](cast),
    /** One that the document allows: whatever it does, it is answered as documented. */
    allowed: make.allowed,
  }
}
