/** Reading a request's body: bounded bytes first, then JSON without the traps of JSON. */
import type { IncomingMessage } from 'node:http'
import rawBody from 'raw-body'
import { ServiceError } from '../errors.ts'

export interface JsonLimits {
  readonly bytesMax: number
  /** How deep objects and lists may be nested. */
  readonly depthMax: number
  /** Of one object. */
  readonly keysMax: number
}

/** @throws {ServiceError} `body_too_large`, or `invalid_request` when the body breaks off. */
export async function readBytes(request: IncomingMessage, bytesMax: number): Promise<Buffer> {
  if (request.headers['content-encoding'] !== undefined) {
    throw new ServiceError('content_type_not_supported', {
      detail: 'compressed bodies are refused',
    })
  }
  try {
    const length = request.headers['content-length'] ?? null
    return await rawBody(request, { limit: bytesMax, length })
  } catch (error) {
    const { type } = error as { type?: string }
    throw new ServiceError(type === 'entity.too.large' ? 'body_too_large' : 'invalid_request')
  }
}

/** @throws {ServiceError} `content_type_not_supported`, `body_too_large` or `invalid_request`. */
export async function readJson(request: IncomingMessage, limits: JsonLimits): Promise<unknown> {
  const type = request.headers['content-type'] ?? ''
  if (!/^application\/json(;\s*charset=utf-8)?$/i.test(type)) {
    throw new ServiceError('content_type_not_supported')
  }
  return parseJson(await readBytes(request, limits.bytesMax), limits)
}

/**
 * JSON whose meaning cannot be argued about: no key twice, no deep nesting, not many keys, none
 * that is special to JavaScript, valid UTF-8.
 */
function parseJson(bytes: Buffer, limits: JsonLimits): unknown {
  let text: string
  let value: unknown
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
    value = JSON.parse(text)
  } catch {
    throw new ServiceError('invalid_request', { detail: 'the body is not JSON' })
  }
  refuseTraps(text, limits)
  return value
}

const SPECIAL_KEYS = new Set(['__proto__', 'constructor', 'prototype'])
const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\]:]/g

/** Walks the tokens of a text that is known to be JSON. A string before a colon is a key. */
function refuseTraps(text: string, { depthMax, keysMax }: JsonLimits): void {
  const keysOfOpenObjects: Set<string>[] = []
  let lastString = ''
  for (const [token] of text.matchAll(TOKEN)) {
    if (token === '{' || token === '[') keysOfOpenObjects.push(new Set())
    else if (token === '}' || token === ']') keysOfOpenObjects.pop()
    else if (token !== ':') lastString = token
    else {
      const key: string = JSON.parse(lastString)
      const keys = keysOfOpenObjects.at(-1)
      if (keys?.has(key) === true) refuse(`${key}: given twice`)
      if (SPECIAL_KEYS.has(key)) refuse(`${key}: unknown property`)
      if (keys?.add(key).size === keysMax + 1) refuse(`more than ${keysMax} keys in one object`)
    }
    if (keysOfOpenObjects.length > depthMax) refuse(`nested deeper than ${depthMax}`)
  }
}

function refuse(detail: string): never {
  throw new ServiceError('invalid_request', { detail })
}
