/** At which pace people pay: as fast as they are answered, or whenever they come. */
import { setTimeout as sleep } from 'node:timers/promises'
import { latencyOf, openDice } from '../../bench/load.ts'
import type { Payments } from '../../bench/payments.ts'
import { type Answer, openWire, type Wire } from '../../bench/wire.ts'
import { openTimeline, type Second, type Timeline } from './timeline.ts'

export interface Way {
  readonly port: number
  readonly payments: Payments
  /** Says when people come. */
  readonly seed: number
}

/** So many ask, each again as soon as they are answered. */
export interface Pressing {
  readonly do: 'press'
  readonly callers: number
  readonly seconds: number
}

export interface Pressed {
  readonly per_s: number
  readonly p50_ms: number
  readonly p99_ms: number
  /** What was answered that is not a 201, by status. */
  readonly others: Readonly<Record<string, number>>
}

/** So many a second ask, however long those before them wait. */
export interface Offering {
  readonly do: 'arrive'
  readonly per_s: number
  readonly seconds: number
}

export interface Offered {
  readonly timeline: readonly Second[]
  readonly paid: number
  /** By status; or what broke the connection, which then ended without an answer. */
  readonly statuses: Readonly<Record<string, number>>
  /** Refusals of 503 that did not say when to ask again. */
  readonly withoutRetryAfter: number
  /** Who could not even ask, because too many of ours were asking: never sent. */
  readonly notOffered: number
  /** The most that it was behind its own plan: what it adds to every latency. */
  readonly late_ms: number
  /** Who asked at the same time, at most. */
  readonly askingMax: number
}

const RAMP_MS = 1_000
const CONNECTIONS_MAX = 2_000
const SIDES = 2 ** 30
/** Whoever waits longer is told by us that there is no answer. */
const PATIENCE_MS = 30_000
const PROBE = 'GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n'
/** What is made ahead bears a token that is good for two minutes, and has its place in memory. */
const PREPARED_S = 60

export async function press({ port, payments }: Way, order: Pressing): Promise<Pressed> {
  const wires = await Promise.all(Array.from({ length: order.callers }, () => openWire(port)))
  const opens = performance.now() + RAMP_MS
  const closes = opens + order.seconds * 1000
  const latencies_ms: number[] = []
  const others: Record<string, number> = {}
  const ask = async (wire: Wire) => {
    for (let asked = performance.now(); asked < closes;) {
      const { status } = await wire.exchange(payments.next().request)
      const now = performance.now()
      if (status !== 201) others[status] = (others[status] ?? 0) + 1
      else if (now >= opens && now < closes) latencies_ms.push(now - asked)
      asked = now
    }
  }
  await Promise.all(wires.map(ask))
  for (const wire of wires) wire.close()
  const { p50_ms, p99_ms } = latencyOf(latencies_ms)
  return { per_s: latencies_ms.length / order.seconds, p50_ms, p99_ms, others }
}

interface Tally {
  readonly statuses: Record<string, number>
  withoutRetryAfter: number
  notOffered: number
  late_ms: number
  askingMax: number
}

export async function arrive(
  { port, payments, seed }: Way,
  order: Offering,
  connectionsMax = CONNECTIONS_MAX,
): Promise<Offered> {
  payments.prepare(Math.ceil(order.per_s * Math.min(order.seconds, PREPARED_S)))
  const lines = openLines(port)
  await lines.prepare(connectionsMax)
  const gap = gapsOf(order.per_s, seed)
  const timeline = openTimeline()
  const tally = { statuses: {}, withoutRetryAfter: 0, notOffered: 0, late_ms: 0, askingMax: 0 }
  const asking = new Set<Promise<void>>()
  const begun = performance.now()
  const closes = begun + order.seconds * 1000
  for (let meant = begun + gap(); meant < closes;) {
    for (const now = performance.now(); meant < closes && meant <= now; meant += gap()) {
      tally.late_ms = Math.max(tally.late_ms, now - meant)
      if (asking.size >= connectionsMax) {
        tally.notOffered += 1
        continue
      }
      timeline.offer()
      const asked = ask({ lines, timeline, tally }, payments.next().request, meant)
      asking.add(asked)
      tally.askingMax = Math.max(tally.askingMax, asking.size)
      void asked.then(() => asking.delete(asked))
    }
    await sleep(1)
  }
  const seconds = timeline.seconds().slice(0, order.seconds)
  await Promise.all(asking)
  lines.close()
  const paid = seconds.reduce((sum, one) => sum + one.per_s, 0)
  return { timeline: seconds, paid, ...tally, late_ms: Math.round(tally.late_ms) }
}

interface Asking {
  readonly lines: Lines
  readonly timeline: Timeline
  readonly tally: Tally
}

async function ask({ lines, timeline, tally }: Asking, request: string, meant: number) {
  const answer = await lines.ask(request)
  const isBroken = answer instanceof Error
  const status = isBroken ? (answer.code ?? answer.message) : answer.status
  tally.statuses[status] = (tally.statuses[status] ?? 0) + 1
  if (!isBroken && status === 503 && answer.retryAfter_s === undefined) tally.withoutRetryAfter += 1
  const as = status === 201 ? 'paid' : status === 503 ? 'refused' : 'other'
  timeline.end(as, performance.now() - meant)
}

interface Lines {
  /**
   * Connects so many ahead, as whoever stands before an API does: it accepts one in each turn of
   * its loop, and those who come anew would wait there unheard. Each asks for something small, as
   * one that has never asked is closed sooner than one that is kept.
   */
  readonly prepare: (count: number) => Promise<void>
  /** What broke the connection, where that ended without an answer. */
  readonly ask: (request: string) => Promise<Answer | NodeJS.ErrnoException>
  readonly close: () => void
}

/** Connections are kept and used in turn, so that none grows old: crowds need all of them. */
function openLines(port: number): Lines {
  const free: Wire[] = []
  const taken = (): Wire | undefined => {
    for (;;) {
      const wire = free.shift()
      if (wire === undefined || wire.isOpen()) return wire
    }
  }
  return {
    async prepare(count) {
      while (free.length < count) {
        const wire = await openWire(port)
        await wire.exchange(PROBE)
        free.push(wire)
      }
    },
    async ask(request) {
      let wire: Wire | undefined
      const timer = setTimeout(() => wire?.close(), PATIENCE_MS)
      try {
        wire = taken() ?? (await openWire(port))
        const answer = await wire.exchange(request)
        free.push(wire)
        return answer
      } catch (error) {
        wire?.close()
        return error as NodeJS.ErrnoException
      } finally {
        clearTimeout(timer)
      }
    },
    close: () => free.forEach((wire) => wire.close()),
  }
}

/** Who pays whom is drawn from the seed itself; when they come must not follow from that. */
const ARRIVALS = 20_261_128

/** Milliseconds from one arrival to the next: those of a Poisson process. */
export function gapsOf(per_s: number, seed: number): () => number {
  const dice = openDice(seed ^ ARRIVALS)
  return () => (-Math.log((1 + dice(SIDES)) / SIDES) * 1000) / per_s
}
