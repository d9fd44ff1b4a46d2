/** One signed HTTP call to the bank, and what its failure proves. */
import { randomUUID } from 'node:crypto'
import { bankError } from '../failures.ts'
import type { Fetch, Response } from '../fetch.ts'
import { signedHeaders } from '../signature.ts'

export interface Endpoint {
  readonly url: string
  readonly secret: string
  readonly timeout_ms: number
  /** For a call that only asks. */
  readonly enquiryTimeout_ms: number
  readonly fetch: Fetch
  readonly clock: () => Date
}

export interface Answer {
  readonly status: number
  readonly body: Buffer
}

const BODY_BYTES_MAX = 64 * 1024
const STREAM_BYTES_MAX = 1024 * 1024 * 1024

/** @throws {BankError} `bank_unreachable` or `bank_outcome_unknown`. */
export async function call(
  endpoint: Endpoint,
  method: 'GET' | 'POST',
  path: string,
  body = '',
): Promise<Answer> {
  const { timeout_ms, enquiryTimeout_ms } = endpoint
  const patience_ms = method === 'GET' ? Math.min(timeout_ms, enquiryTimeout_ms) : timeout_ms
  try {
    const signal = AbortSignal.timeout(patience_ms)
    const response = await send(endpoint, method, path, body, signal)
    return { status: response.status, body: await bodyOf(response) }
  } catch (error) {
    throw bankError(error)
  }
}

/**
 * The lines of a long answer as they arrive, without their ends; an answer cut short throws.
 * The time limit is for the bank, from one line to the next: the caller may take all it needs.
 * @throws {BankError} `bank_unreachable` or `bank_outcome_unknown`.
 */
export async function* readLines(endpoint: Endpoint, path: string): AsyncGenerator<string> {
  const patience = new AbortController()
  const wait = () => setTimeout(() => patience.abort(), endpoint.timeout_ms)
  let timer = wait()
  let rest = ''
  let bytes = 0
  try {
    const response = await send(endpoint, 'GET', path, '', patience.signal)
    if (response.status !== 200) throw new Error(`the bank answered ${response.status}`)
    const utf8 = new TextDecoder('utf-8', { fatal: true })
    for await (const chunk of response.body ?? []) {
      bytes += chunk.length
      const lines = (rest + utf8.decode(chunk, { stream: true })).split('\n')
      rest = lines.pop() ?? ''
      if (rest.length > BODY_BYTES_MAX) throw new Error('a line of the answer is too long')
      if (bytes > STREAM_BYTES_MAX) throw new Error('the answer is too long')
      if (lines.length === 0) continue
      clearTimeout(timer)
      yield* lines
      timer = wait()
    }
    if (rest + utf8.decode() !== '') throw new Error('the last line of the answer is cut')
  } catch (error) {
    throw bankError(error)
  } finally {
    clearTimeout(timer)
    patience.abort()
  }
}

/** Redirects are errors: the bank's address is configured, and a stranger gets no signature. */
function send(
  { url, secret, clock, fetch }: Endpoint,
  method: 'GET' | 'POST',
  path: string,
  body: string,
  signal: AbortSignal,
): Promise<Response> {
  const headers = {
    ...signedHeaders(secret, randomUUID(), clock(), body),
    'accept-encoding': 'identity',
    'content-type': 'application/json',
  }
  const content = method === 'POST' ? { body } : {}
  const target = url.replace(/\/$/, '') + path
  return fetch(target, { method, headers, redirect: 'error', signal, ...content })
}

async function bodyOf(response: Response): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length
    if (bytes > BODY_BYTES_MAX) throw new Error('the answer is too long')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
