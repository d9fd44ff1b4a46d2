/** Calling the API as a stranger would, and holding every answer against the published document. */
import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import { expect } from 'chai'
import { onceAWorld, world } from './world.ts'

export interface Who {
  readonly sub: string
  readonly scope: string
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  /** The bytes, for comparing answers. */
  readonly text: string
  // Tests look at whatever they expect to be there.
  readonly body: any // oxlint-disable-line typescript/no-explicit-any -- tests look at anything
}

export interface Call {
  readonly body?: unknown
  /** The Idempotency-Key; a new one for every POST unless given; null for none. */
  readonly key?: string | null
  readonly headers?: Readonly<Record<string, string>>
}

export const newKey = (): string => `test-${randomUUID()}`
/** A subject, and so an alias, that nobody else has. */
export const newSubject = (name = 'p'): string =>
  `${name}${randomUUID().slice(0, 13).replace('-', '')}`

/** Tokens end after five minutes, and a whole run may take longer. */
const RENEWED_AFTER_MS = 200_000

const tokensOf = onceAWorld(
  () => new Map<string, { readonly token: string; readonly since: number }>(),
)

export async function tokenOf({ sub, scope }: Who): Promise<string> {
  const tokens = tokensOf()
  const known = tokens.get(`${sub} ${scope}`)
  const now = performance.now()
  if (known !== undefined && now - known.since < RENEWED_AFTER_MS) return known.token
  const { tokenUrl } = await world()
  const response = await fetch(tokenUrl, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ sub, scope }),
  })
  const { access_token } = (await response.json()) as { access_token: string }
  tokens.set(`${sub} ${scope}`, { token: access_token, since: now })
  return access_token
}

/** Tokens of the very second of a revocation are revoked: in the next one they get others. */
export async function signInAgain(...all: readonly Who[]): Promise<void> {
  await pause(1_000 - (Date.now() % 1_000) + 20)
  for (const { sub, scope } of all) tokensOf().delete(`${sub} ${scope}`)
}

export async function call(
  who: Who | undefined,
  method: 'GET' | 'POST' | 'PUT' | 'DELETE',
  path: string,
  { body, key, headers }: Call = {},
): Promise<Answer> {
  const { apiUrl } = await world()
  const given = key === undefined && method === 'POST' ? newKey() : (key ?? undefined)
  const response = await fetch(`${apiUrl}${path}`, {
    method,
    headers: {
      ...(who !== undefined && { authorization: `Bearer ${await tokenOf(who)}` }),
      ...(given !== undefined && { 'idempotency-key': given }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  const text = await response.text()
  const isJson = response.headers.get('content-type')?.includes('json') === true
  const answer = {
    ...{ status: response.status, headers: response.headers, text },
    body: isJson ? JSON.parse(text) : text,
  }
  await expectDocumented(method, path, answer)
  return answer
}

interface Document {
  readonly paths: Record<string, Record<string, { responses: Record<string, Response> }>>
}
interface Response {
  readonly content?: Record<string, { schema: object }>
}

let loaded: ReturnType<typeof load> | undefined

async function load() {
  const { apiUrl } = await world()
  const document = (await (await fetch(`${apiUrl}/openapi.json`)).json()) as Document
  const ajv = new Ajv2020({ strict: false, validateFormats: false })
  ajv.addSchema({ $id: 'florin', ...document })
  const patterns = Object.entries(document.paths).map(([template, operations]) => ({
    ...{ template, operations },
    pattern: new RegExp(`^${template.replaceAll(/\{\w+\}/g, '[^/]+')}$`),
  }))
  return { patterns, ajv }
}

/** No answer may be one that the document does not promise, in status or in shape. */
export async function expectDocumented(
  method: string,
  path: string,
  answer: Answer,
): Promise<void> {
  const { patterns, ajv } = await (loaded ??= load())
  const { pathname } = new URL(path, 'http://x')
  const { template, operations } = patterns.find(({ pattern }) => pattern.test(pathname)) ?? {}
  const operation = operations?.[method.toLowerCase()]
  if (operation === undefined) return
  const { [answer.status]: response } = operation.responses
  expect(response, `${method} ${path} answered an undocumented ${answer.status}: ${answer.text}`).to
    .exist
  const given = answer.headers.get('content-type') ?? ''
  const promised = Object.entries(response?.content ?? {})
  const [type, content] = promised.find(([one]) => given.startsWith(one)) ?? promised[0] ?? []
  if (content === undefined) return
  expect(given).to.match(new RegExp(`^${type?.replace('+', '\\+')}`))
  const name = `${method} ${template} ${answer.status} ${type}`
  const validate = validators.get(name) ?? ajv.compile(inDocument(content.schema))
  validators.set(name, validate)
  const isValid = validate(answer.body)
  expect(isValid, `${name} ${answer.text}: ${ajv.errorsText(validate.errors)}`).to.equal(true)
}

const validators = new Map<string, ValidateFunction>()

/** The schema with its references pointing into the document. */
const inDocument = (schema: object): object =>
  JSON.parse(JSON.stringify(schema).replaceAll('"#/components', '"florin#/components'))
