/** How a bank is reached over HTTP: nobody waits long for a connection. */
import { Agent, fetch, type RequestInit, type Response } from 'undici'

export type { Response }
export type Fetch = (url: string, init: RequestInit) => Promise<Response>

/** What every adapter that speaks HTTP is given. */
export interface HttpOptions {
  readonly fetch: Fetch
  /** For one call, from the first byte out to the last byte in. */
  readonly timeout_ms: number
}

/**
 * As `fetch`, but a connection that is not made within `connect_ms` fails, with an error that
 * proves that nothing was sent.
 */
export function openFetch(connect_ms: number): Fetch {
  const dispatcher = new Agent({ connect: { timeout: connect_ms } })
  return (url, init) => fetch(url, { ...init, dispatcher })
}
