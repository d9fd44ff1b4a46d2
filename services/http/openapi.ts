/** The OpenAPI 3.1 document, made from the declarations that the router enforces. */
import { z } from 'zod'
import type { ErrorCode } from '../errors.ts'
import { scopesFor } from '../credentials/scopes.ts'
import { type AnyEndpoint, type PublicEndpoint, rightOf } from './endpoint.ts'
import { PROBLEMS } from './problems.ts'

type Json = Record<string, unknown>

/** Refusals that any guarded call may get. */
const COMMON_REFUSALS = [
  ...(['invalid_request', 'invalid_token', 'invalid_dpop_proof'] as const),
  ...(['forbidden', 'method_not_allowed'] as const),
  'headers_too_large',
  ...(['ledger_unavailable', 'ledger_saturated', 'saturated', 'internal'] as const),
  'too_many_requests',
] satisfies readonly ErrorCode[]

const BODY_REFUSALS = [
  ...(['body_too_large', 'content_type_not_supported', 'request_timeout'] as const),
] satisfies readonly ErrorCode[]

/** A key that is none is refused wherever something may be done, also where none is asked for. */
function keyRefusals({ method, idempotency }: AnyEndpoint): readonly ErrorCode[] {
  if (method === 'GET') return []
  return ['idempotency_key_missing', ...(idempotency ? (['idempotency_key_reused'] as const) : [])]
}

const Problem = z
  .strictObject({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    code: z.string().describe('Stable; see the error table in the README'),
    detail: z.string().optional(),
    attempts_left: z
      .int()
      .optional()
      .describe('With `approval_refused`: how many wrong ones are left before a lock'),
    missing: z
      .array(z.string())
      .optional()
      .describe('Factors: with `approval_required` any one, with `step_up_required` all of them'),
    reasons: z.array(z.string()).optional().describe('Why more is asked for than usually'),
    enrol: z.boolean().optional().describe('Whether what is missing has yet to be enrolled'),
  })
  .meta({ id: 'Problem', description: 'RFC 9457 problem details' })

const TOKEN = {
  ...{ type: 'http', scheme: 'bearer', bearerFormat: 'at+jwt' },
  description:
    'An access token of the chat app’s identity provider, or an API key. A token that is ' +
    'bound to a key is shown as `Authorization: DPoP` with a proof in the header `DPoP` (RFC 9449)',
}

export function openApiOf(
  endpoints: readonly AnyEndpoint[],
  publicEndpoints: readonly PublicEndpoint[],
): Json {
  const components: Json = {}
  const paths: Record<string, Json> = {}
  const add = (one: AnyEndpoint | PublicEndpoint, operation: Json) => {
    const path = one.path.replaceAll(/:(\w+)/g, '{$1}')
    paths[path] = { ...paths[path], [one.method.toLowerCase()]: operation }
  }
  for (const one of endpoints) add(one, guardedOperation(one, components))
  for (const one of publicEndpoints) add(one, publicOperation(one, components))
  return {
    openapi: '3.1.0',
    info: {
      title: 'Florin',
      version: '1',
      description: 'Payments and ledger behind a chat app. Amounts are minor units as text.',
    },
    paths,
    components: {
      schemas: components,
      securitySchemes: { token: TOKEN },
    },
  }
}

/** A schema as JSON Schema; what has a name goes to the components and is referred to. */
function schemaOf(schema: z.ZodType, components: Json, io: 'input' | 'output'): Json {
  const {
    $schema: _dialect,
    $defs,
    ...own
  } = z.toJSONSchema(schema, {
    target: 'draft-2020-12',
    io,
    unrepresentable: 'any',
  }) as Json
  const named = { ...($defs as Json | undefined) }
  const { id } = own as { id?: string }
  if (id !== undefined) named[id] = own
  for (const [name, definition] of Object.entries(named)) {
    const { id: _id, ...rest } = definition as Json
    components[name] ??= pointToComponents(rest)
  }
  return pointToComponents(id === undefined ? own : { $ref: `#/$defs/${id}` })
}

const pointToComponents = (schema: Json): Json =>
  JSON.parse(JSON.stringify(schema).replaceAll('"#/$defs/', '"#/components/schemas/'))

function guardedOperation(one: AnyEndpoint, components: Json): Json {
  const { method, body, idempotency } = one
  const codes = [
    ...COMMON_REFUSALS,
    ...one.refusals,
    ...(one.params === undefined ? [] : (['not_found'] as const)),
    ...(body === undefined ? [] : BODY_REFUSALS),
    ...keyRefusals(one),
  ]
  const scopes = scopesFor(one.scopes, rightOf(one))
  return {
    ...{ summary: one.summary, tags: [one.tag], security: [{ token: scopes }] },
    operationId: operationIdOf(method, one.path),
    description: `Scope: ${scopes.join(' or ')}${apiKeysOf(one)}${secondPersonOf(one)}`,
    parameters: [
      ...parametersOf(one.params, 'path', components),
      ...parametersOf(one.query, 'query', components),
      ...(idempotency === undefined ? [] : [keyParameter(idempotency === 'required')]),
    ],
    ...(body !== undefined && {
      requestBody: {
        required: true,
        content: {
          'application/json': { schema: schemaOf(body, components, 'input') },
          ...files(one),
        },
      },
    }),
    responses: {
      ...successes(one.answers, components, one.otherTypes),
      ...problems(codes, components),
    },
  }
}

function publicOperation(one: PublicEndpoint, components: Json): Json {
  const names = [...one.path.matchAll(/:(\w+)/g)].map((match) => match[1])
  return {
    ...{ summary: one.summary, tags: [one.tag], security: [] },
    operationId: operationIdOf(one.method, one.path),
    description: `No token: ${one.why}`,
    parameters: names.map((name) => ({
      ...{ name, in: 'path', required: true, schema: { type: 'string' } },
    })),
    responses: {
      ...successes(one.answers, components),
      ...problems(
        [...one.refusals, ...bodyRefusals(one), 'headers_too_large', 'internal'],
        components,
      ),
    },
  }
}

const bodyRefusals = ({ method }: PublicEndpoint) => (method === 'POST' ? BODY_REFUSALS : [])

const operationIdOf = (method: string, path: string) =>
  method.toLowerCase() + path.replaceAll(/[/:.]+(\w)/g, (_, letter: string) => letter.toUpperCase())

const keyParameter = (required: boolean) => ({
  ...{ name: 'Idempotency-Key', in: 'header', required },
  description: 'Kept at least 30 days. The same request gets the same answer',
  schema: { type: 'string', pattern: '^[A-Za-z0-9_-]{16,64}$' },
})

function parametersOf(schema: z.ZodType | undefined, where: 'path' | 'query', components: Json) {
  if (schema === undefined) return []
  const object = schemaOf(schema, components, 'input')
  const required = (object['required'] ?? []) as string[]
  return Object.entries((object['properties'] ?? {}) as Json).map(([name, own]) => ({
    ...{ name, in: where, required: where === 'path' || required.includes(name), schema: own },
  }))
}

function successes(
  answers: AnyEndpoint['answers'],
  components: Json,
  otherTypes: readonly string[] = [],
): Json {
  const others = otherTypes.map((type) => [type, { schema: { type: 'string' } }] as const)
  const entries = Object.entries(answers).map(([status, schema]) => {
    const isEmpty = schema === null && others.length === 0
    const content = !isEmpty && {
      ...(schema && { 'application/json': { schema: schemaOf(schema, components, 'output') } }),
      ...Object.fromEntries(others),
    }
    return [status, { description: 'Success', ...(content && { content }) }] as const
  })
  return Object.fromEntries(entries)
}

const apiKeysOf = ({ tokensOnly }: AnyEndpoint) => (tokensOnly === true ? '. No API key' : '')

const files = ({ uploadTypes = [] }: AnyEndpoint): Json =>
  Object.fromEntries(uploadTypes.map((type) => [type, { schema: { type: 'string' } }]))

/** What a caller must know who gets 202 where the call itself never answers that. */
function secondPersonOf({ secondPerson = false }: AnyEndpoint): string {
  if (secondPerson === false) return ''
  const whose = secondPerson === true ? '' : ' when an operator asks'
  return (
    `. Needs a second person${whose}: it is proposed (202), and what it answers otherwise is the` +
    ' result of the proposal once another operator has approved it'
  )
}

/** One response for each status, naming the codes that share it. */
function problems(codes: readonly ErrorCode[], components: Json): Json {
  const byStatus = new Map<number, ErrorCode[]>()
  for (const code of new Set(codes)) {
    const [status] = PROBLEMS[code]
    byStatus.set(status, [...(byStatus.get(status) ?? []), code])
  }
  const schema = schemaOf(Problem, components, 'output')
  const content = { 'application/problem+json': { schema } }
  return Object.fromEntries(
    [...byStatus].map(([status, its]) => [status, { description: its.sort().join(', '), content }]),
  )
}
