/**
 * People who must know what became of their payment: it is written down before it is sent, and sent
 * again under the same key until there is an answer. What they were told is written down too.
 */
import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Payment } from '../../bench/payments.ts'
import { openWire, type Wire } from '../../bench/wire.ts'
import { partiesOf } from './owned.ts'
import type { Way } from './pace.ts'
import { openTimeline, type Second } from './timeline.ts'

export interface Insisting {
  readonly do: 'insist'
  readonly callers: number
  readonly seconds: number
  /** Each pays so often, at most. */
  readonly every_ms: number
  readonly journalFile: string
}

export interface Insisted {
  readonly timeline: readonly Second[]
  readonly sent: number
  readonly acknowledged: number
  /** Final answers that are not a 201, by status and code. */
  readonly refused: Readonly<Record<string, number>>
  /** Asked again: by status, or because a connection broke, or was given up by us. */
  readonly again: Readonly<Record<string, number>>
  /** Refusals of 503 that did not say when to ask again. */
  readonly withoutRetryAfter: number
  /** How long the slowest answer took, whatever it said. */
  readonly slowest_ms: number
  /** When answers of 201 came, in ms since the start. */
  readonly paidAt_ms: readonly number[]
}

/** Longer than a request may take: whoever waits longer hangs. */
const HANGS_MS = 15_000
/** Sooner than people are told to, to see when it is over. */
const AGAIN_MAX_MS = 250
/** The journal is flushed this often: it is lost with the machine, not with any process. */
const FLUSH_EVERY_MS = 1_000
/** Of what a refusal says. */
const SHOWN_MAX = 200
/** Whoever began is answered in the end, or the run has failed. */
const LAST_MAX_MS = 120_000

export async function insist(way: Way, order: Insisting): Promise<Insisted> {
  const [journal, timeline] = [openJournal(order.journalFile), openTimeline()]
  const [started, paidAt_ms]: [number, number[]] = [performance.now(), []]
  const until = started + order.seconds * 1000
  const [again, refused] = [{} as Record<string, number>, {} as Record<string, number>]
  const tally = { sent: 0, withoutRetryAfter: 0, slowest_ms: 0 }

  const next = () => {
    const payment = way.payments.next()
    journal.note({ asks: payment.key, ...partiesOf(payment.request) })
    timeline.offer()
    return payment
  }
  const live = () =>
    withLine(way.port, (line) => repeat(until, order.every_ms, () => untilAnswered(line, next())))

  async function untilAnswered(line: Line, { key, request }: Payment): Promise<void> {
    for (const begun = performance.now(); performance.now() < until + LAST_MAX_MS;) {
      const asked = performance.now()
      tally.sent += 1
      const answer = await line.ask(request)
      const took_ms = performance.now() - asked
      tally.slowest_ms = Math.max(tally.slowest_ms, took_ms)
      if (typeof answer === 'object' && isFinal(answer.status)) {
        const { status, body } = answer
        journal.note({ answered: key, status })
        const now = performance.now()
        timeline.end(status === 201 ? 'paid' : 'other', now - begun)
        if (status === 201) {
          paidAt_ms.push(now - started)
          return
        }
        add(refused, `${status} ${body.slice(0, SHOWN_MAX)}`)
        return
      }
      add(again, typeof answer === 'object' ? `${answer.status}` : answer)
      if (typeof answer === 'object') {
        timeline.end('refused', took_ms)
        if (answer.retryAfter_s === undefined) tally.withoutRetryAfter += 1
      }
      await sleep(AGAIN_MAX_MS)
    }
    throw new Error(`nobody ever said what became of ${key}`)
  }

  await Promise.all(Array.from({ length: order.callers }, live))
  journal.close()
  const acknowledged = paidAt_ms.length
  return { timeline: timeline.seconds(), ...tally, acknowledged, refused, again, paidAt_ms }
}

function add(counts: Record<string, number>, what: string): void {
  counts[what] = (counts[what] ?? 0) + 1
}

async function repeat(until: number, every_ms: number, work: () => Promise<void>) {
  while (performance.now() < until) {
    const begun = performance.now()
    await work()
    await sleep(Math.max(0, every_ms - (performance.now() - begun)))
  }
}

async function withLine(port: number, work: (line: Line) => Promise<void>): Promise<void> {
  const line = openLine(port)
  await work(line).finally(line.close)
}

const isFinal = (status: number) => status < 500 && status !== 409 && status !== 429

interface Line {
  readonly ask: (
    request: string,
  ) => Promise<
    { status: number; body: string; retryAfter_s: number | undefined } | 'broken' | 'hung'
  >
  readonly close: () => void
}

/** One connection, and another when it breaks. */
function openLine(port: number): Line {
  let wire: Wire | undefined
  return {
    async ask(request) {
      let hung = false
      const timer = setTimeout(() => {
        hung = true
        wire?.close()
      }, HANGS_MS)
      try {
        if (wire?.isOpen() !== true) wire = await openWire(port)
        return await wire.exchange(request)
      } catch {
        wire?.close()
        return hung ? 'hung' : 'broken'
      } finally {
        clearTimeout(timer)
      }
    },
    close: () => wire?.close(),
  }
}

function openJournal(path: string) {
  const file = openSync(path, 'a')
  const timer = setInterval(() => fsyncSync(file), FLUSH_EVERY_MS)
  return {
    note: (entry: object) => void writeSync(file, `${JSON.stringify(entry)}\n`),
    close() {
      clearInterval(timer)
      fsyncSync(file)
      closeSync(file)
    },
  }
}
