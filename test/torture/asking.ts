/**
 * Whoever asks Florin for something and must know what came of it: the request is written down
 * before it is sent, and sent again under the same key until there is an answer.
 */
import { appendFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Town } from './town.ts'

export interface Asked {
  readonly who: string
  readonly scope: 'person' | 'merchant' | 'operator'
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly body?: object
  readonly key?: string
}

export interface Answered {
  readonly status: number
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
}

const PATIENCE_MS = 10_000
const TRIES_MAX = 2_000
const PAUSE_MS = 100

export function openAsking({ apiUrl, tokenOf }: Town, journalFile: string) {
  const counts: Counts = { sent: 0, acknowledged: 0, refused: 0, codes: {}, inDoubt: 0 }
  const note = (entry: object) => appendFileSync(journalFile, `${JSON.stringify(entry)}\n`)

  async function once({ who, scope, method, path, body, key }: Asked): Promise<Answered> {
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
    return { status: response.status, body: text === '' ? {} : JSON.parse(text) }
  }

  function count({ status, body }: Answered): void {
    counts[status < 300 ? 'acknowledged' : 'refused'] += 1
    if (status < 300) return
    const code = String(body['code'])
    counts.codes[code] = (counts.codes[code] ?? 0) + 1
  }

  /** @throws {Error} when there was no answer for minutes. */
  async function ask(asked: Asked): Promise<Answered> {
    if (asked.key !== undefined) note({ asks: asked.key, path: asked.path, body: asked.body })
    for (let tries = 0; tries < TRIES_MAX; tries += 1) {
      counts.sent += 1
      const answer = await once(asked).catch(() => undefined)
      if (answer !== undefined && isAnswer(answer)) {
        count(answer)
        if (asked.key !== undefined) {
          note({ answered: asked.key, status: answer.status, id: answer.body['id'] })
        }
        return answer
      }
      counts.inDoubt += 1
      await sleep(PAUSE_MS)
    }
    throw new Error(`${asked.method} ${asked.path} was never answered`)
  }

  return { ask, counts }
}

export type Ask = ReturnType<typeof openAsking>['ask']

/** Nobody is whom they say they are while a clock is wrong. */
const NO_ANSWERS = new Set([401, 409, 429])

const isAnswer = ({ status }: Answered) => status < 500 && !NO_ANSWERS.has(status)
