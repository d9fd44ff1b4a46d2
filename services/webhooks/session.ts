/**
 * One worker delivers to one endpoint for a while. Nobody else does meanwhile, so that an endpoint
 * never gets more than four messages at a time, and a slow one holds up nobody but itself.
 */
import type { Uuid } from '../../ledger/index.ts'
import type { Config } from '../config.ts'
import type { Context } from '../context.ts'
import { eventOut } from '../events/events.ts'
import { publicId } from '../ids.ts'
import { showPeople } from '../privacy/shown.ts'
import { type Due, findDue, type Outcome } from './deliveries.ts'
import { type SealedSecrets, secretsOf } from './endpoints.ts'
import type { Answered, Fault, Poster } from './post.ts'
import { delayAfter_ms } from './schedule.ts'
import { signedHeaders } from './signature.ts'

/** Of one endpoint at the same time; a slow or unknown one gets one. */
const SLOTS_OF_QUICK = 4
/** Due deliveries that are read at once. */
const READ_AT_ONCE = 32
/** An answer within this is quick; one that takes longer than the second is not. */
const [QUICK_MS, SLOW_MS] = [1_000, 2_000]
/** Who has not answered by then is waited for, and not counted. */
const STUCK_MS = 500
/** So long before the lease ends no attempt begins: time to write down what became of the last. */
const MARGIN_MS = 2_000
/** By this a receiver says that it will never want anything again. */
const GONE = 410

/** An endpoint that is this worker's until then. */
export interface Leased extends SealedSecrets {
  /** Whose it is; null for the chat app's. */
  readonly merchant_id: Uuid | null
  readonly url: string
  readonly is_quick: boolean
  readonly failing_since: Date | null
  readonly lease: Uuid
  /** By the clock of this process, which nobody sets. */
  readonly until_ms: number
}

/** As long as two attempts that get no answer: a worker that dies keeps an endpoint no longer. */
export const leaseOf_ms = ({ WEBHOOK_TIMEOUT_MS }: Config): number =>
  2 * (WEBHOOK_TIMEOUT_MS + MARGIN_MS)

/** How it went, as far as the endpoint as a whole is concerned. */
export interface Session {
  readonly endpoint: Leased
  /** One until it has answered quickly, in this session too. */
  slots: number
  arrived: number
  failed: number
  isQuick: boolean
  failingSince: Date | null
  isGone: boolean
  /** Since when the attempts run that have not ended. */
  readonly running: Map<Uuid, number>
}

export const newSession = (endpoint: Leased): Session => ({
  endpoint,
  ...{ slots: 1, arrived: 0, failed: 0, isQuick: endpoint.is_quick, isGone: false },
  ...{ failingSince: endpoint.failing_since, running: new Map() },
})

/** Whether something it waits for takes longer than it usually does. */
export const isStuck = ({ running }: Session): boolean =>
  [...running.values()].some((since) => performance.now() - since > STUCK_MS)

export interface Tools {
  readonly poster: Poster
  readonly record: (outcome: Outcome) => Promise<void>
  readonly isClosing: () => boolean
  /** For so many more slots of receivers that answer quickly. */
  readonly room: () => number
}

/** Delivers what is due, until nothing is, the lease ends, or it is to be served differently. */
export async function serve(context: Context, tools: Tools, session: Session): Promise<void> {
  const { endpoint, running } = session
  const due = openDue(context, endpoint.id)
  const stopAt_ms = endpoint.until_ms - context.config.WEBHOOK_TIMEOUT_MS - MARGIN_MS

  const isOver = () =>
    failures.length > 0 ||
    tools.isClosing() ||
    session.isGone ||
    session.isQuick !== endpoint.is_quick ||
    performance.now() > stopAt_ms

  const next = async () => (isOver() ? undefined : due.next())

  async function work(): Promise<void> {
    for (let one = await next(); one !== undefined; one = await next()) {
      running.set(one.delivery, performance.now())
      try {
        await deliver(context, tools, session, one)
      } finally {
        running.delete(one.delivery)
        due.done(one)
      }
      if (due.isMore()) widen()
    }
  }

  /** There is more, and the receiver is as quick as it was: it may have more at a time. */
  function widen(): void {
    const mayBeMore = session.slots < SLOTS_OF_QUICK && !isOver() && endpoint.is_quick
    if (!mayBeMore || session.arrived === 0 || tools.room() === 0) return
    session.slots += 1
    begin()
  }

  const [works, failures]: [Promise<void>[], unknown[]] = [[], []]
  const begin = () => void works.push(work().catch((error: unknown) => void failures.push(error)))
  begin()
  // Those begun meanwhile too: whoever has the endpoint next must not meet them there.
  for (const one of works) await one
  if (failures.length > 0) throw new AggregateError(failures, 'what was sent could not be written')
}

/** What is due for the endpoint, read many at once, and none twice while it is in hand. */
function openDue({ db, now }: Context, endpoint: Uuid) {
  const inHand = new Set<Uuid>()
  let [queue, reading]: [Due[], Promise<void> | undefined] = [[], undefined]
  async function read(): Promise<void> {
    queue = await findDue(db, endpoint, { now: now(), inHand, limit: READ_AT_ONCE })
    for (const { delivery } of queue) inHand.add(delivery)
    reading = undefined
  }
  return {
    async next(): Promise<Due | undefined> {
      if (queue.length === 0) await (reading ??= read())
      return queue.shift()
    },
    done: ({ delivery }: Due) => inHand.delete(delivery),
    isMore: () => queue.length > 0,
  }
}

async function deliver(context: Context, tools: Tools, session: Session, due: Due): Promise<void> {
  const { endpoint } = session
  const [at, started] = [context.now(), performance.now()]
  const id = publicId('evt', due.event.id)
  const reader = endpoint.merchant_id === null ? 'chat' : 'merchant'
  const body = await showPeople(context, JSON.stringify(eventOut(due.event, reader)))
  const signed = signedHeaders(secretsOf(context.vault, endpoint, at), id, at, body)
  const headers = { ...signed, 'content-type': 'application/json', 'user-agent': 'florin/1' }
  const answer = await tools.poster.post({ url: endpoint.url, headers, body })
  // It may have arrived and may not: as if it had not been tried, it is tried again.
  if ('fault' in answer && answer.fault === 'interrupted') return
  const latency_ms = Math.round(performance.now() - started)
  note(session, answer, at, latency_ms)
  await tools.record(outcomeOf(due, answer, { at, latency_ms }))
}

const isArrival = (answer: Answered | { readonly fault: Fault }): answer is Answered =>
  'status' in answer && answer.status >= 200 && answer.status < 300

/** What an answer says of the endpoint. */
function note(
  session: Session,
  answer: Answered | { readonly fault: Fault },
  at: Date,
  latency_ms: number,
): void {
  if (latency_ms > SLOW_MS) session.isQuick = false
  if (isArrival(answer)) {
    session.arrived += 1
    session.failingSince = null
    if (latency_ms <= QUICK_MS) session.isQuick = true
    return
  }
  session.failed += 1
  session.failingSince ??= at
  session.isGone ||= 'status' in answer && answer.status === GONE
}

/** How the delivery stands after this attempt. */
function outcomeOf(
  { delivery, attempts, failures, dueAt: due_at }: Due,
  answer: Answered | { readonly fault: Fault },
  { at, latency_ms }: { readonly at: Date; readonly latency_ms: number },
): Outcome {
  const told = { delivery, number: attempts + 1, at, due_at, latency_ms }
  const [status, excerpt] = 'status' in answer ? [answer.status, answer.excerpt] : [null, null]
  if (isArrival(answer)) {
    const done = { state: 'delivered' as const, failures, next_at: at, fault: null }
    return { ...told, ...done, status, excerpt }
  }
  const fault = 'fault' in answer ? answer.fault : 'refused'
  const delay_ms = delayAfter_ms(failures + 1, Math.random())
  const state = delay_ms === undefined ? 'failed' : 'waiting'
  const next_at = new Date(at.getTime() + latency_ms + (delay_ms ?? 0))
  return { ...told, state, failures: failures + 1, next_at, fault, status, excerpt }
}
