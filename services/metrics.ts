/** What is counted, for Prometheus. Measured at the seams: the router, the group, the worker. */
import type { Logger } from 'pino'
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'

export interface Metrics {
  readonly requestAnswered: (request: RequestLabels, duration_s: number) => void
  readonly groupCommitted: (group: { readonly size: number; readonly duration_s: number }) => void
  readonly ringHandled: (labels: RingLabels, duration_s: number) => void
  /** A value that is read when somebody asks. */
  readonly gauge: (name: string, help: string, read: () => number) => void
  /** The same for each bank, and for each currency where there are several. */
  readonly gauges: (name: string, help: string, read: () => Promise<readonly Measured[]>) => void
  /** The same for what only grows. */
  readonly total: (name: string, help: string, read: () => number) => void
  /** The exposition text, and its content type. */
  readonly text: () => Promise<string>
  readonly contentType: string
}

export interface Measured {
  readonly labels: { readonly bank: string; readonly currency?: string }
  readonly value: number | bigint
}

/** For figures that cannot be had now: everything else is still worth knowing. */
export const orNothing =
  (log: Logger, what: string, read: () => Promise<readonly Measured[]>) =>
  async (): Promise<readonly Measured[]> => {
    try {
      return await read()
    } catch (error) {
      log.warn({ err: error }, what)
      return []
    }
  }

interface RequestLabels {
  readonly method: string
  /** The route's pattern, never the path: ids would make a series each. */
  readonly route: string
  readonly status: number
}

interface RingLabels {
  readonly bell: string
  readonly outcome: 'done' | 'failed'
}

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

export function openMetrics(process: string): Metrics {
  const registry = new Registry()
  registry.setDefaultLabels({ process })
  collectDefaultMetrics({ register: registry, prefix: 'florin_' })
  const registers = [registry]
  const groups = new Histogram({
    ...{ name: 'florin_group_commit_seconds', help: 'Time to commit a group' },
    ...{ buckets: SECONDS, registers },
  })
  const units = new Counter({
    ...{ name: 'florin_units_total', help: 'Units submitted to the books', registers },
  })
  const rings = new Histogram({
    ...{ name: 'florin_ring_seconds', help: 'Time to handle a ring of the doorbell' },
    ...{ labelNames: ['bell', 'outcome'], buckets: SECONDS, registers },
  })
  return {
    requestAnswered: requestsIn(registers),
    groupCommitted: ({ size, duration_s }) => {
      groups.observe(duration_s)
      units.inc(size)
    },
    ringHandled: (labels, duration_s) => rings.observe({ ...labels }, duration_s),
    ...readWhenAsked(registers),
    text: () => registry.metrics(),
    contentType: registry.contentType,
  }
}

function requestsIn(registers: Registry[]): Metrics['requestAnswered'] {
  const requests = new Histogram({
    ...{ name: 'florin_http_request_seconds', help: 'Time to answer a request' },
    ...{ labelNames: ['method', 'route', 'status'], buckets: SECONDS, registers },
  })
  // To find a series by its labels again would cost more than to count.
  const series = new Map<string, ReturnType<typeof requests.labels>>()
  return ({ method, route, status }, duration_s) => {
    const name = `${method} ${status} ${route}`
    const known = series.get(name) ?? requests.labels({ method, route, status })
    if (!series.has(name)) series.set(name, known)
    known.observe(duration_s)
  }
}
/** What is known elsewhere, and looked up when somebody asks. */
const readWhenAsked = (registers: Registry[]): Pick<Metrics, 'gauge' | 'gauges' | 'total'> => ({
  gauge: (name, help, read) => {
    const gauge: Gauge = new Gauge({
      ...{ name, help, registers },
      collect: () => gauge.set(read()),
    })
  },
  gauges: (name, help, read) => {
    const gauge: Gauge = new Gauge({
      ...{ name, help, labelNames: ['bank', 'currency'], registers },
      async collect() {
        const measured = await read()
        gauge.reset()
        for (const { labels, value } of measured) gauge.set({ ...labels }, Number(value))
      },
    })
  },
  total: (name, help, read) => {
    const total: Counter = new Counter({
      ...{ name, help, registers },
      collect: () => {
        total.reset()
        total.inc(read())
      },
    })
  },
})
