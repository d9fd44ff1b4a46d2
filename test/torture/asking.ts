/**
 * Whoever asks Florin for something and must know what came of it: the request is on disk before it
 * is sent, and sent again under the same key until there is an answer.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Journal } from './journal.ts'
import type { Town } from './town.ts'

export interface Asked {
  readonly who: string
  readonly scope: 'person' | 'merchant' | 'operator'
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  readonly path: string
  readonly body?: Readonly<Record<string, unknown>>
  readonly key?: string
}

export interface Answered {
  readonly status: number
  readonly text: string
  readonly isReplayed: boolean
  readonly body: Readonly<Record<string, unknown>>
}

export interface Counts {
  sent: number
  acknowledged: number
  refused: number
  /** By the code of the problem. */
  readonly codes: Record<string, number>
  /** Answers that never came, or said only that nobody knows: each was asked again. */
  inDoubt: number
  /** Why: what was answered instead, by status, or how the connection ended. */
  readonly doubts: Record<string, number>
  /** Requests of which some answer never came, and that turned out to have been done. */
  inDoubtDone: number
  /** Asked again on purpose, though there was an answer. */
  repeated: number
  /** When each answer came, and how long it took with all its retries, in milliseconds. */
  readonly answers: { readonly at_ms: number; readonly took_ms: number }[]
}

const PATIENCE_MS = 10_000
const TRIES_MAX = 2_000
const PAUSE_MS = 100
/** The share of requests that are sent again after they were answered. */
const AGAIN = 0.05
/** How many are asked again when all is quiet. */
const AGAIN_MAX = 300

const newCounts = (): Counts => ({
  ...{ sent: 0, acknowledged: 0, refused: 0, codes: {}, inDoubt: 0, inDoubtDone: 0, repeated: 0 },
  ...{ doubts: {}, answers: [] },
})

type Asks = Pick<Town, 'apiUrl' | 'tokenOf'>

/** Until there is an answer. @throws {Error} when there was none for minutes. */
async function insist(
  { apiUrl, tokenOf }: Asks,
  counts: Counts,
  asked: Asked,
): Promise<Answered & { readonly doubt_ms: number }> {
  const started = performance.now()
  for (let tries = 0; tries < TRIES_MAX; tries += 1) {
    counts.sent += 1
    const answer = await once(apiUrl, tokenOf, asked).catch(() => undefined)
    if (answer !== undefined && isAnswer(answer)) {
      return { ...answer, doubt_ms: tries === 0 ? 0 : performance.now() - started }
    }
    counts.inDoubt += 1
    const why = answer === undefined ? 'none' : `${answer.status}`
    counts.doubts[why] = (counts.doubts[why] ?? 0) + 1
    await sleep(PAUSE_MS)
  }
  throw new Error(`${asked.method} ${asked.path} was never answered`)
}

export function openAsking(way: Asks, { note }: Pick<Journal, 'note'>, random: () => number) {
  const counts = newCounts()
  const answered: Asked[] = []

  async function noted(asked: Asked): Promise<Answered> {
    const answer = await insist(way, counts, asked)
    const { status, text, isReplayed, doubt_ms } = answer
    if (doubt_ms > 0 && isReplayed && status < 300) counts.inDoubtDone += 1
    if (asked.key !== undefined) {
      const what = { kind: 'answered', key: asked.key, status, text, isReplayed } as const
      await note({ ...what, at_ms: Date.now(), doubt_ms: Math.round(doubt_ms) })
    }
    return answer
  }

  async function again(asked: Asked): Promise<void> {
    counts.repeated += 1
    await noted(asked)
  }

  async function ask(asked: Asked): Promise<Answered> {
    const { key, who, path, body } = asked
    const started = performance.now()
    if (key !== undefined) {
      const at_ms = Date.now()
      await note({ kind: 'asks', key, who, path, ...(body && { body }), at_ms })
    }
    // Some are impatient and press twice: both requests are on their way at the same time.
    const isTwice = key !== undefined && random() < AGAIN
    const [answer] = await Promise.all([noted(asked), ...(isTwice ? [again(asked)] : [])])
    count(counts, answer)
    counts.answers.push({ at_ms: performance.now(), took_ms: performance.now() - started })
    if (key !== undefined) {
      if (random() < AGAIN) await again(asked)
      answered.push(asked)
    }
    return answer
  }

  /** A share of all that was answered, evenly over the run. */
  async function askAllAgain(): Promise<void> {
    const step = Math.max(1, Math.ceil(answered.length / AGAIN_MAX))
    for (let at = 0; at < answered.length; at += step) {
      const asked = answered[at]
      if (asked !== undefined) await again(asked)
    }
  }

  return { ask, askAllAgain, counts }
}

export type Asking = ReturnType<typeof openAsking>
export type Ask = Asking['ask']

async function once(
  apiUrl: string,
  tokenOf: Town['tokenOf'],
  { who, scope, method, path, body, key }: Asked,
): Promise<Answered> {
  const headers = {
    authorization: `Bearer ${await tokenOf(who, scope)}`,
    ...(key !== undefined && { 'idempotency-key': key }),
    ...(body !== undefined && { 'content-type': 'application/json' }),
  }
  const response = await fetch(`${apiUrl}${path}`, {
    ...{ method, headers, signal: AbortSignal.timeout(PATIENCE_MS) },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  const isReplayed = response.headers.get('idempotent-replayed') === 'true'
  return { status: response.status, text, isReplayed, body: text === '' ? {} : JSON.parse(text) }
}

function count(counts: Counts, { status, body }: Answered): void {
  counts[status < 300 ? 'acknowledged' : 'refused'] += 1
  if (status < 300) return
  const code = String(body['code'])
  counts.codes[code] = (counts.codes[code] ?? 0) + 1
}

/** Nobody is whom they say they are while a clock is wrong. */
const NO_ANSWERS = new Set([401, 429])

const isAnswer = ({ status }: Answered) => status < 500 && !NO_ANSWERS.has(status)
