/**
 * People who must know what became of their payment: it is written down before it is sent, and sent
 * again under the same key until there is an answer. What they were told is written down too.
 */
import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Payment } from '../../bench/payments.ts'
import { openWire, type Wire } from '../../bench/wire.ts'
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
  /** Asked again: answers of 503, connections that broke, and those that we gave up. */
  readonly again: Readonly<Record<'unavailable' | 'broken' | 'hung', number>>
  /** Refusals of 503 that did not say when to ask again. */
  readonly withoutRetryAfter: number
  /** How long the slowest answer took, whatever it said. */
  readonly slowest_ms: number
  /** When which answers of 201 came, in ms of the clock: the longest time without one. */
  readonly gap: Gap
}

export interface Gap {
  readonly from_ms: number
  readonly to_ms: number
}

/** Longer than a request may take: whoever waits longer hangs. */
const HANGS_MS = 15_000
/** People may be told to wait for longer; here it is looked at more often, to see when it is over. */
const AGAIN_MAX_MS = 250
/** The journal is flushed this often: it is lost with the machine, not with any process. */
const FLUSH_EVERY_MS = 1_000
/** Whoever began is answered in the end, or the run has failed. */
const LAST_MAX_MS = 120_000

export async function insist(way: Way, order: Insisting): Promise<Insisted> {
  const [journal, timeline] = [openJournal(order.journalFile), openTimeline()]
  const until = performance.now() + order.seconds * 1000
  const again = { unavailable: 0, broken: 0, hung: 0 }
  const tally = { sent: 0, acknowledged: 0, withoutRetryAfter: 0, slowest_ms: 0 }
  const refused: Record<string, number> = {}
  const gaps = openGaps()

  const live = async () => {
    const line = openLine(way.port)
    while (performance.now() < until) {
      const begun = performance.now()
      const payment = way.payments.next()
      journal.note({ asks: payment.key })
      timeline.offer()
      await untilAnswered(line, payment)
      await sleep(Math.max(0, order.every_ms - (performance.now() - begun)))
    }
    line.close()
  }

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
        timeline.end(status === 201 ? 'paid' : 'other', performance.now() - begun)
        if (status === 201) gaps.note()
        if (status === 201) tally.acknowledged += 1
        else refused[`${status} ${body.slice(0, 200)}`] ??= 0
        if (status !== 201) refused[`${status} ${body.slice(0, 200)}`]! += 1
        return
      }
      again[typeof answer === 'object' ? 'unavailable' : answer] += 1
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
  const seconds = timeline.seconds()
  return { timeline: seconds, ...tally, refused, again, gap: gaps.longest() }
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

/** The longest time without an answer of 201. */
function openGaps() {
  let [last, longest] = [Date.now(), { from_ms: 0, to_ms: 0 }]
  return {
    note() {
      const now = Date.now()
      if (now - last > longest.to_ms - longest.from_ms) longest = { from_ms: last, to_ms: now }
      last = now
    },
    longest: (): Gap => longest,
  }
}
