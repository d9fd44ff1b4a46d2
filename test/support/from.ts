/** Requests from an address of one's choice: all of 127.0.0.0/8 is this machine. */
import { request } from 'node:http'
import { text } from 'node:stream/consumers'
import { newKey, tokenOf, type Who } from './api.ts'

interface From {
  readonly apiUrl: string
  /** 127.x.y.z */
  readonly address: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
}

/** An address that no other test has used. */
export const newAddress = (): string => {
  taken += 1
  return `127.${100 + (process.pid % 100)}.${Math.floor(taken / 250)}.${(taken % 250) + 1}`
}
let taken = 0

export async function sendFrom(
  { apiUrl, address, headers, body }: From,
  who: Who | undefined,
  method: string,
  path: string,
) {
  const sent = request(`${apiUrl}${path}`, {
    ...{ method, localAddress: address, agent: false },
    headers: {
      ...(who !== undefined && { authorization: `Bearer ${await tokenOf(who)}` }),
      ...(method === 'POST' && { 'idempotency-key': newKey() }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...headers,
    },
  })
  return new Promise<{ status: number; headers: Headers; text: string }>((resolve, reject) => {
    sent.on('error', reject).on('response', (response) => {
      const known = new Headers(response.headers as Record<string, string>)
      text(response).then(
        (all) => resolve({ status: response.statusCode ?? 0, headers: known, text: all }),
        reject,
      )
    })
    sent.end(body === undefined ? undefined : JSON.stringify(body))
  })
}
