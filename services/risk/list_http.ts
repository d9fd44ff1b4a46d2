/**
 * A check of names at somebody else's: `POST {"names": [...]}` is answered by
 * `{"matches": [{"id": "..."}]}`. Whatever else comes back, or nothing in time, is no answer.
 */
import { z } from 'zod'
import { type ListCheck, ListUnavailable } from './lists.ts'

interface HttpOptions {
  readonly url: string
  readonly timeout_ms: number
}

const Answer = z.object({ matches: z.array(z.object({ id: z.string().max(100) })).max(1_000) })
const ANSWER_BYTES_MAX = 64 * 1024
/** More calls at once than this are not made. */
const CALLS_MAX = 64
/** For so long nobody waits for it again after it has failed. */
const PAUSE_MS = 1_000

export function openHttpList({ url, timeout_ms }: HttpOptions): ListCheck {
  let calls = 0
  let failed_ms = -Infinity
  let isFailing = false

  async function ask(names: readonly string[]) {
    const response = await fetch(url, {
      ...{ method: 'POST', redirect: 'error', signal: AbortSignal.timeout(timeout_ms) },
      headers: { 'content-type': 'application/json', accept: 'application/json' },
      body: JSON.stringify({ names }),
    })
    if (!response.ok) {
      await response.body?.cancel()
      throw new ListUnavailable(`it answered ${response.status}`)
    }
    const { matches } = Answer.parse(JSON.parse(await textOf(response)))
    return matches.map(({ id }) => ({ entry: id }))
  }

  return {
    async check(names) {
      const isPausing = performance.now() - failed_ms < PAUSE_MS
      if (isPausing || calls >= CALLS_MAX) throw new ListUnavailable('it does not answer')
      calls += 1
      try {
        const matches = await ask(names)
        isFailing = false
        return matches
      } catch {
        failed_ms = performance.now()
        isFailing = true
        throw new ListUnavailable('it gave no usable answer')
      } finally {
        calls -= 1
      }
    },
    isFailing: () => isFailing,
  }
}

async function textOf(response: Response): Promise<string> {
  const parts: Uint8Array[] = []
  let size = 0
  for await (const part of response.body ?? []) {
    size += part.length
    if (size > ANSWER_BYTES_MAX) throw new ListUnavailable('it answered too much')
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}
