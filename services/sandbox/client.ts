/**
 * A patient client of the public API: it knows nothing that a stranger with the document would not.
 */
import { setTimeout as sleep } from 'node:timers/promises'

export interface Answer {
  readonly status: number
  readonly replayed: boolean
  readonly body: Readonly<Record<string, unknown>>
}

export interface Call {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'DELETE'
  readonly path: string
  readonly body?: unknown
  readonly key?: string
}

export interface Client {
  readonly call: (who: { sub: string; scope: string }, call: Call) => Promise<Answer>
  /** Calls until `done` says so; asks a few times a second. */
  readonly until: (
    who: { sub: string; scope: string },
    path: string,
    done: (body: Answer['body']) => boolean,
  ) => Promise<Answer>
}

/** How long a service that does not answer, or says 503, is asked again. Milliseconds. */
const PATIENCE_MS = 60_000
const PAUSE_MS = 50

export function openClient(apiUrl: string, tokenUrl: string): Client {
  const tokens = new Map<string, { readonly jwt: string; readonly until: number }>()

  async function tokenOf(who: { sub: string; scope: string }): Promise<string> {
    const name = `${who.sub} ${who.scope}`
    const known = tokens.get(name)
    if (known !== undefined && known.until > performance.now()) return known.jwt
    const response = await patiently(() => send(tokenUrl, { method: 'POST', body: who }))
    const { access_token: jwt, expires_in } = (await response.json()) as {
      access_token: string
      expires_in: number
    }
    tokens.set(name, { jwt, until: performance.now() + (expires_in - 30) * 1000 })
    return jwt
  }

  async function call(who: { sub: string; scope: string }, wanted: Call): Promise<Answer> {
    const { method = 'GET', path, body, key } = wanted
    const response = await patiently(async () => {
      const authorization = `Bearer ${await tokenOf(who)}`
      const headers = { authorization, ...(key !== undefined && { 'idempotency-key': key }) }
      return send(`${apiUrl}${path}`, { method, body, headers })
    })
    const text = await response.text()
    const replayed = response.headers.get('idempotent-replayed') === 'true'
    return { status: response.status, replayed, body: text === '' ? {} : JSON.parse(text) }
  }

  async function until(
    who: { sub: string; scope: string },
    path: string,
    done: (body: Answer['body']) => boolean,
  ): Promise<Answer> {
    const deadline = performance.now() + PATIENCE_MS
    for (;;) {
      const answer = await call(who, { path })
      if (done(answer.body)) return answer
      if (performance.now() > deadline) throw new Error(`${path} did not get there in a minute`)
      await sleep(PAUSE_MS)
    }
  }

  return { call, until }
}

export function send(
  url: string,
  { method, body, headers }: { method: string; body?: unknown; headers?: Record<string, string> },
): Promise<Response> {
  return fetch(url, {
    method,
    headers: { ...headers, ...(body !== undefined && { 'content-type': 'application/json' }) },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(PATIENCE_MS),
  })
}

/** Repeating is safe: every call that moves money carries a key. */
export async function patiently(work: () => Promise<Response>): Promise<Response> {
  const deadline = performance.now() + PATIENCE_MS
  for (;;) {
    const response = await work().catch((error: unknown) => error)
    if (response instanceof Response && response.status !== 503) return response
    if (performance.now() > deadline) {
      throw response instanceof Response ? new Error(`503 from ${response.url}`) : response
    }
    if (response instanceof Response) await response.body?.cancel()
    await sleep(PAUSE_MS * 4)
  }
}
