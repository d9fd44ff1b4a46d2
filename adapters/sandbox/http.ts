/** The few lines of HTTP that the sandbox bank needs. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'

export type Reply =
  | { readonly status: number; readonly json: object }
  | { readonly status: number; readonly html: string }
  /** One JSON text per line, sent as fast as the caller reads. */
  | { readonly status: number; readonly lines: Iterable<object> }
  /** The connection is cut without a word. */
  | { readonly hangUp: true }

export const problem = (status: number, error: string): Reply => ({ status, json: { error } })

/** All of the body, or undefined if it is longer than `bytes_max`. Throws if the caller leaves. */
export async function readBody(
  request: IncomingMessage,
  bytes_max: number,
): Promise<Buffer | undefined> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    bytes += chunk.length
    if (bytes > bytes_max) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

export async function send(response: ServerResponse, reply: Reply): Promise<void> {
  if ('hangUp' in reply) return void response.destroy()
  // A body that was not read to its end would be taken for the next request.
  if (!response.req.complete) response.setHeader('connection', 'close')
  if ('lines' in reply) {
    response.writeHead(reply.status, { 'content-type': 'application/x-ndjson' })
    return pipeline(Readable.from(jsonLines(reply.lines)), response)
  }
  const isJson = 'json' in reply
  response.writeHead(reply.status, { 'content-type': isJson ? 'application/json' : 'text/html' })
  response.end(isJson ? JSON.stringify(reply.json) : reply.html)
}

function* jsonLines(lines: Iterable<object>): Generator<string> {
  for (const line of lines) yield `${JSON.stringify(line)}\n`
}
