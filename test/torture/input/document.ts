/** The service's own OpenAPI document, as whoever writes requests needs it. */
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'

export type Json =
  null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }
export type Schema = Readonly<Record<string, unknown>>

export interface Parameter {
  readonly name: string
  readonly in: 'path' | 'query' | 'header'
  readonly required: boolean
  readonly schema: Schema
}

export interface Operation {
  /** `POST /v1/payments`, as the document has it. */
  readonly name: string
  readonly method: string
  readonly path: string
  readonly parameters: readonly Parameter[]
  /** Of a JSON body, where it takes one. */
  readonly body: Schema | undefined
  /** Any of these is enough; empty where nobody must say who they are. */
  readonly scopes: readonly string[]
  /** What it may answer: of a refusal the codes. */
  readonly responses: ReadonlyMap<number, string>
}

export interface Document {
  readonly operations: readonly Operation[]
  readonly resolve: (schema: Schema) => Schema
  /** Whether the document allows this body. */
  readonly allows: (operation: Operation, body: Json) => boolean
}

interface Raw {
  readonly paths: Readonly<Record<string, Readonly<Record<string, RawOperation>>>>
}
interface RawOperation {
  readonly parameters: readonly Parameter[]
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Schema }>> }
  readonly security: readonly { readonly token: readonly string[] }[]
  readonly responses: Readonly<Record<string, { readonly description: string }>>
}

/** As the service itself tells it, now. */
export async function readDocument(apiUrl: string): Promise<Document> {
  const raw = (await (await fetch(`${apiUrl}/openapi.json`)).json()) as Raw
  const operations = Object.entries(raw.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, one]) => operationOf(method.toUpperCase(), path, one)),
  )
  const ajv = new Ajv2020({ strict: false, validateFormats: false })
  ajv.addSchema({ $id: 'florin', ...raw })
  const validators = new Map<Schema, ValidateFunction>()
  function validatorOf(schema: Schema): ValidateFunction {
    const known = validators.get(schema) ?? ajv.compile(inDocument(schema))
    validators.set(schema, known)
    return known
  }
  return {
    operations,
    resolve: (schema) => resolved(raw, schema),
    allows: ({ body: schema }, body) => schema === undefined || validatorOf(schema)(body),
  }
}

const operationOf = (method: string, path: string, one: RawOperation): Operation => ({
  ...{ name: `${method} ${path}`, method, path, parameters: one.parameters },
  body: one.requestBody?.content['application/json']?.schema,
  scopes: one.security[0]?.token ?? [],
  responses: new Map(
    Object.entries(one.responses).map(([status, { description }]) => [Number(status), description]),
  ),
})

function resolved(raw: Raw, schema: Schema): Schema {
  const { $ref: to } = schema
  if (typeof to !== 'string') return schema
  const found = to
    .split('/')
    .slice(1)
    .reduce<unknown>((at, name) => (at as Record<string, unknown>)[name], raw)
  return resolved(raw, found as Schema)
}

const inDocument = (schema: Schema): object =>
  JSON.parse(JSON.stringify(schema).replaceAll('"#/components', '"florin#/components'))
