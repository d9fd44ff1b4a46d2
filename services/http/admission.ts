/**
 * How many requests are answered at the same time.
 *
 * More at once are not answered sooner: each would only wait for the others, until those who asked
 * have given up and what was done for them was done in vain. Whoever comes when there is no room
 * is refused before anything is known of them, for a fraction of what an answer costs.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { newId } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { PROBES } from './operations.ts'
import { problemOf } from './problems.ts'
import { openRoom } from './room.ts'

export interface Admission {
  /** Lets it be answered, or refuses it. */
  readonly enter: (request: IncomingMessage, response: ServerResponse, answer: Answer) => void
}

type Answer = (request: IncomingMessage, response: ServerResponse) => Promise<void>

interface Refusing {
  /** What every answer says. */
  readonly headers: Readonly<Record<string, string>>
  /** Whether the connection is closed with the answer. */
  readonly isLast: (response: ServerResponse) => boolean
}

export function openAdmission(
  { config, metrics }: Pick<Context, 'config' | 'metrics'>,
  { headers, isLast }: Refusing,
): Admission {
  let inHand = 0
  const hasRoom = openRoom(config.REQUESTS_AT_ONCE_MAX)
  const refused = refusal(headers)
  const isFull = ({ url = '' }: IncomingMessage) =>
    !hasRoom(inHand, performance.now()) && !PROBES.has(url)
  function refuse({ method = '' }: IncomingMessage, response: ServerResponse): void {
    const own = ['X-Request-Id', newId(), ...(isLast(response) ? ['Connection', 'close'] : [])]
    response.writeHead(refused.status, [...refused.head, ...own]).end(refused.body)
    metrics.requestAnswered({ method, route: 'none', status: refused.status }, 0)
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

/** Made once, and written as it is: in a crowd there are more refusals than answers. */
function refusal(always: Refusing['headers']) {
  const { status, body, headers } = problemOf('saturated')
  const own = {
    ...headers,
    'Content-Type': 'application/problem+json',
    'Content-Length': `${Buffer.byteLength(body)}`,
    'Cache-Control': 'no-store',
  }
  return { status, body, head: Object.entries({ ...always, ...own }).flat() }
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
