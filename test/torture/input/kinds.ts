/** Requests that nobody should send, by the kind of what is wrong with them. */
import { BREAKS, HEADERS, MONEY, QUERIES, TEXTS, VALUES } from './bad.ts'
import { badCallback } from './callbacks.ts'
import type { Json, Operation } from './document.ts'
import { BROKEN, FORGED, tampered } from './forged.ts'
import { placesIn, put, withIds } from './places.ts'
import {
  type Bad,
  type Cast,
  type Draft,
  draftOf,
  harmless,
  type Kind,
  MIX,
  type Role,
  type Workshop,
  written,
} from './requests.ts'
import { namesOne, sceneOf } from './there.ts'
import type { Dice } from './values.ts'

const CALLBACKS = 'POST /v1/banks/{bank}/callbacks'
/** Made for machines, large, and the same for everybody. */
const LEFT_OUT: ReadonlySet<string> = new Set(['GET /metrics', 'GET /openapi.json', 'GET /sandbox'])

/** What may be asked, by what it takes to go wrong. */
interface Bench extends Workshop {
  readonly operations: readonly Operation[]
  readonly guarded: readonly Operation[]
  readonly withBody: readonly Operation[]
  /** Those that name a thing by its id, and that somebody may ask who runs nothing. */
  readonly ownable: readonly Operation[]
  readonly callbacks: Operation
}

function benchOf(workshop: Workshop): Bench {
  const { operations: all } = workshop.document
  const guarded = all.filter(({ scopes }) => scopes.length > 0)
  const withBody = guarded.filter(({ body }) => body !== undefined)
  const callbacks = all.find(({ name }) => name === CALLBACKS)
  if (callbacks === undefined || withBody.length === 0) throw new Error('an odd document')
  const operations = all.filter(({ name }) => !LEFT_OUT.has(name) && name !== CALLBACKS)
  const ownable = guarded.filter(
    (one) => namesOne(one) && one.scopes.some((scope) => /^(?:person|merchant)/.test(scope)),
  )
  return { ...workshop, operations, guarded, withBody, ownable, callbacks }
}

/** One place of the body, or else of the query or the path, is something else. */
function mutated(
  bench: Bench,
  cast: Cast,
  kind: Kind,
  from: readonly Operation[],
  choices: readonly Json[],
): Bad {
  const { pick } = bench.dice
  const operation = pick(from)
  const { draft, about, by, safe } = sceneOf(bench, cast, operation, draftOf(bench, operation))
  if (draft.body === undefined) {
    const drafted = elsewhere(bench.dice, operation, draft)
    return written(bench, cast, { kind, operation, about }, drafted, by)
  }
  const places = placesIn(draft.body, kind === 'money')
  const bad = pick(choices)
  const change = kind === 'field' ? pick(['put', 'put', 'put', 'missing', 'extra']) : 'put'
  const body = put(draft.body, pick(places), change === 'missing' ? undefined : bad)
  const changed = change === 'extra' ? put(draft.body, ['extra'], bad) : body
  const drafted = { ...draft, body: safe(changed) }
  return written(bench, cast, { kind, operation, about }, drafted, by)
}

function elsewhere({ pick, happens }: Dice, { parameters }: Operation, draft: Draft): Draft {
  const [bad, inPath] = [pick(QUERIES), Object.keys(draft.params)]
  // What is nothing, or leads up, would make another path of it.
  if (inPath.length > 0 && happens(0.5) && !['', '..'].includes(bad)) {
    return { ...draft, params: { ...draft.params, [pick(inPath)]: bad } }
  }
  const names = parameters.flatMap((one) => (one.in === 'query' ? [one.name] : []))
  const name = happens(0.8) && names.length > 0 ? pick(names) : pick(['x', 'limit', '__proto__'])
  return { ...draft, query: [...draft.query, `${name}${pick(['=', '=', '[]=', '[a]='])}${bad}`] }
}

function badJson(bench: Bench, cast: Cast): Bad {
  const { pick } = bench.dice
  const operation = pick(bench.withBody)
  const { draft, about, by, safe } = sceneOf(bench, cast, operation, draftOf(bench, operation))
  const text = JSON.stringify(safe(draft.body))
  const body = Buffer.from(pick(BREAKS)(text, bench.dice))
  return written(bench, cast, { kind: 'json', operation, about }, draft, { body, ...by })
}

function badHeaders(bench: Bench, cast: Cast): Bad {
  const { pick, happens } = bench.dice
  const operation = pick(bench.guarded)
  const { draft, about, by, safe } = sceneOf(bench, cast, operation, draftOf(bench, operation))
  const drafted = { ...draft, body: safe(draft.body) }
  const plain = written(bench, cast, { kind: 'headers', operation, about }, drafted, by)
  if (happens(0.25)) return { ...plain, raw: pick(BROKEN)(plain) }
  const over = pick(HEADERS)
  const kept = plain.headers.filter(([name]) => !over.some(([other]) => other === name))
  return { ...plain, headers: [...kept, ...over.filter(([, value]) => value !== '')] }
}

function badToken(bench: Bench, cast: Cast): Bad {
  const operation = bench.dice.pick(bench.guarded)
  const token = wrongToken(bench.dice, cast, operation)
  const draft = draftOf(bench, operation)
  const params = withIds(draft.params, cast.theirs, bench.dice) as Draft['params']
  const about = namesOne(operation) ? 'theirs' : 'nothing'
  return written(bench, cast, { kind: 'token', operation, about }, { ...draft, params }, { token })
}

/** Somebody's who may not, one that was good, or none at all. */
function wrongToken(dice: Dice, { tokens }: Cast, { scopes }: Operation): string | undefined {
  const { pick, happens } = dice
  const roles = new Set(scopes.map((scope) => scope.split(':')[0]))
  const others = Object.entries(tokens).filter(([role]) => !roles.has(role))
  if (others.length > 0 && happens(0.3)) return `Bearer ${pick(others)[1]}`
  return happens(0.4) ? tampered(tokens.person, dice) : pick(FORGED)
}

/** Whose a thing is that they name, these ask, and refuse; or they change nothing at all. */
const REFUSED_TO_OTHERS: ReadonlySet<string> = new Set([
  ...['POST /v1/staff', 'POST /v1/api_keys', 'POST /v1/fee_quotes'],
])

/** About what is somebody else's. */
function badOwner(bench: Bench, cast: Cast): Bad {
  const { pick, happens } = bench.dice
  const operation = pick(happens(0.8) ? bench.ownable : bench.guarded)
  const draft = draftOf(bench, operation)
  const body = draft.body && withIds(draft.body, cast.theirs, bench.dice)
  const params = withIds(draft.params, cast.theirs, bench.dice) as Draft['params']
  const roles = operation.scopes.map((scope) => scope.split(':')[0] as Role)
  // An operator may: who is neither that nor the owner may not.
  const mine = roles.find((role) => role === 'person' || role === 'merchant') ?? 'person'
  const namesTheirs = JSON.stringify(body) !== JSON.stringify(draft.body)
  const mayBeWhole = !roles.includes(mine) || (namesTheirs && REFUSED_TO_OTHERS.has(operation.name))
  const token = `Bearer ${cast.tokens[mine]}`
  const drafted = { ...draft, params, body: mayBeWhole ? body : harmless(bench, operation, body) }
  return written(bench, cast, { kind: 'owner', operation, about: 'theirs' }, drafted, { token })
}

function allowed(bench: Bench, cast: Cast): Bad {
  const operation = bench.dice.pick(bench.guarded)
  return written(bench, cast, { kind: 'allowed', operation }, draftOf(bench, operation))
}

const MAKE: Readonly<Record<Kind, (bench: Bench, cast: Cast) => Bad>> = {
  field: (bench, cast) => mutated(bench, cast, 'field', bench.operations, VALUES),
  money: (bench, cast) => mutated(bench, cast, 'money', bench.withBody, MONEY),
  unicode: (bench, cast) => mutated(bench, cast, 'unicode', bench.operations, TEXTS),
  json: badJson,
  headers: badHeaders,
  token: badToken,
  owner: badOwner,
  callback: (bench, cast) => badCallback(bench, cast, bench.callbacks),
  allowed,
}

const KINDS = Object.entries(MIX).flatMap(([kind, share]) =>
  Array.from({ length: share }, () => kind as keyof typeof MIX),
)

export function openRequests(workshop: Workshop) {
  const bench = benchOf(workshop)
  return {
    /** A request that must be refused. */
    bad: (cast: Cast) => MAKE[bench.dice.pick(KINDS)](bench, cast),
    /** One that the document allows: whatever it does, it is answered as documented. */
    allowed: (cast: Cast) => allowed(bench, cast),
  }
}
