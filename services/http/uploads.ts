/** Bodies that are files: bounded, and handed on as they come. */
import type { IncomingMessage } from 'node:http'
import { ServiceError } from '../errors.ts'

/** Files that a call takes instead of JSON. */
export interface UploadRules {
  readonly types: readonly string[]
  readonly bytesMax: number
}

export interface Upload {
  /** Which of the types. */
  readonly type: string
  /** @throws {ServiceError} `body_too_large`, or `invalid_request` when it breaks off. */
  readonly stream: AsyncIterable<Buffer>
}

/** Undefined where the body is none of these files. */
export function uploadIn(request: IncomingMessage, rules: UploadRules): Upload | undefined {
  const { 'content-type': given = '', 'content-encoding': encoding } = request.headers
  const type = given.split(';', 1)[0]?.trim().toLowerCase() ?? ''
  if (!rules.types.includes(type)) return undefined
  if (encoding !== undefined) {
    throw new ServiceError('content_type_not_supported', {
      detail: 'compressed bodies are refused',
    })
  }
  if (Number(request.headers['content-length'] ?? 0) > rules.bytesMax) {
    throw new ServiceError('body_too_large')
  }
  return { type, stream: bounded(request, rules.bytesMax) }
}

async function* bounded(request: IncomingMessage, bytesMax: number): AsyncGenerator<Buffer> {
  let bytes = 0
  try {
    for await (const chunk of request) {
      bytes += (chunk as Buffer).length
      if (bytes > bytesMax) throw new ServiceError('body_too_large')
      yield chunk as Buffer
    }
  } catch (error) {
    throw request.complete || error instanceof ServiceError
      ? error
      : new ServiceError('invalid_request', { detail: 'the file broke off' })
  }
}
