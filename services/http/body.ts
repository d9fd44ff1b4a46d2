/** Reading a request's body: bounded bytes first, then JSON without the traps of JSON. */
import type { IncomingMessage } from 'node:http'
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
  if (Number(request.headers['content-length'] ?? 0) > bytesMax) throw tooLarge()
  return collected(request, bytesMax)
}

const tooLarge = () => new ServiceError('body_too_large')

/** Stops reading as soon as it is too much: the rest stays where it is. */
const collected = (request: IncomingMessage, bytesMax: number): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let bytes = 0
    const broken = () => reject(new ServiceError('invalid_request'))
    // Who has left while it was looked up who they are sends no end any more, and no error.
    if (request.destroyed) return broken()
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      chunks.push(chunk)
      if (bytes <= bytesMax) return
      request.removeAllListeners('data').pause()
      reject(tooLarge())
    })
    request.once('end', () => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)))
    request.once('error', broken).once('aborted', broken).once('close', broken)
  })

/** @throws {ServiceError} `content_type_not_supported`, `body_too_large` or `invalid_request`. */
export async function readJson(request: IncomingMessage, limits: JsonLimits): Promise<unknown> {
  const type = request.headers['content-type'] ?? ''
  if (!/^application\/json(;\s*charset=utf-8)?$/i.test(type)) {
    throw new ServiceError('content_type_not_supported')
  }
  return parseJson(await readBytes(request, limits.bytesMax), limits)
}

/** Decodes each text by itself, whole, and keeps nothing of it. */
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * JSON whose meaning cannot be argued about: no key twice, no deep nesting, not many keys, none
 * that is special to JavaScript, valid UTF-8.
 */
function parseJson(bytes: Buffer, limits: JsonLimits): unknown {
  let text: string
  let value: unknown
  try {
    text = UTF8.decode(bytes)
    value = JSON.parse(text)
  } catch {
    throw new ServiceError('invalid_request', { detail: 'the body is not JSON' })
  }
  refuseTraps(text, limits)
  return value
}

const SPECIAL_KEYS = new Set(['__proto__', 'constructor', 'prototype'])

/** Walks over a text that is known to be JSON. A string before a colon is a key. */
function refuseTraps(text: string, { depthMax, keysMax }: JsonLimits): void {
  const keysOfOpenObjects: Set<string>[] = []
  let [from, to] = [0, 0]
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at]
    if (character === '"') {
      from = at
      at = to = endOfString(text, at)
    } else if (character === '{' || character === '[') {
      if (keysOfOpenObjects.push(new Set()) > depthMax) refuse(`nested deeper than ${depthMax}`)
    } else if (character === '}' || character === ']') keysOfOpenObjects.pop()
    else if (character === ':') {
      const key = stringIn(text, from, to)
      const keys = keysOfOpenObjects.at(-1)
      if (keys?.has(key) === true) refuse(`${key}: given twice`)
      if (SPECIAL_KEYS.has(key)) refuse(`${key}: unknown property`)
      if (keys?.add(key).size === keysMax + 1) refuse(`more than ${keysMax} keys in one object`)
    }
  }
}

/** Where the string ends that begins at `from`: at the next quote that is not escaped. */
function endOfString(text: string, from: number): number {
  let end = text.indexOf('"', from + 1)
  while (isEscaped(text, end)) end = text.indexOf('"', end + 1)
  return end
}

/** Whether an odd number of backslashes is before it. */
function isEscaped(text: string, at: number): boolean {
  let first = at
  while (text[first - 1] === '\\') first -= 1
  return (at - first) % 2 === 1
}

/** What the string between these quotes says. */
function stringIn(text: string, from: number, to: number): string {
  const written = text.slice(from + 1, to)
  return written.includes('\\') ? JSON.parse(text.slice(from, to + 1)) : written
}

function refuse(detail: string): never {
  throw new ServiceError('invalid_request', { detail })
}
