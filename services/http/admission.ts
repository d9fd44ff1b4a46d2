/**
 * How many requests are answered at the same time.
 *
 * More at once are not answered sooner: each would only wait for the others, until those who asked
 * have given up and what was done for them was done in vain. Whoever comes when so many are there
 * is refused before anything is known of them, for a fraction of what an answer costs.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { newId } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { PROBES } from './operations.ts'
import { problemOf } from './problems.ts'

export interface Admission {
  /** Lets it be answered, or refuses it. */
  readonly enter: (request: IncomingMessage, response: ServerResponse, answer: Answer) => void
}

type Answer = (request: IncomingMessage, response: ServerResponse) => Promise<void>

const { status, body, headers } = problemOf('saturated')
const HEADERS = {
  ...headers,
  'Content-Type': 'application/problem+json',
  'Content-Length': Buffer.byteLength(body),
  'Cache-Control': 'no-store',
}

/** @param isLast whether the connection is closed with the answer. */
export function openAdmission(
  { config, metrics }: Pick<Context, 'config' | 'metrics'>,
  isLast: (response: ServerResponse) => boolean,
): Admission {
  let inHand = 0
  const isFull = ({ url = '' }: IncomingMessage) =>
    inHand >= config.REQUESTS_AT_ONCE_MAX && !PROBES.has(url)
  function refuse({ method = '' }: IncomingMessage, response: ServerResponse): void {
    if (isLast(response)) response.setHeader('Connection', 'close')
    response.writeHead(status, { ...HEADERS, 'X-Request-Id': newId() }).end(body)
    metrics.requestAnswered({ method, route: 'none', status }, 0)
  }
  return {
    enter(request, response, answer) {
      // What came with the head has been read by then, and is known to be all of it.
      process.nextTick(() => {
        if (isFull(request)) return refuse(request, response)
        void answer(request, response).finally(counted(request, (change) => (inHand += change)))
      })
    },
  }
}

/** One that is still on its way takes nobody's place: who sends slowly keeps only themselves. */
function counted(request: IncomingMessage, count: (change: 1 | -1) => void): () => void {
  let [isThere, isOver] = [false, false]
  const come = () => {
    if (isOver) return
    isThere = true
    count(1)
  }
  if (request.complete) come()
  else request.once('end', come)
  return () => {
    isOver = true
    if (isThere) count(-1)
  }
}
