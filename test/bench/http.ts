/** The whole path: payments over HTTP, answered by a real API process, asked for by another. */
import { examine, type Measured } from './books.ts'
import type { LoadPlan, LoadReport } from './generator.ts'
import { startHelper } from './helper.ts'
import type { Latency, Round } from './load.ts'
import type { Bench } from './plan.ts'
import type { Say } from './rounds.ts'
import type { Database } from './server.ts'
import { metricsOf, openSite } from './site.ts'

interface Costs {
  readonly rss_mb: number
  /** Of the API's processor time, for each payment. */
  readonly cpu_us: number
}

export interface HttpFigures {
  readonly http: Round & Costs & { readonly errors: number }
  /** Whole payments over one connection, each after the one before it. */
  readonly single: Latency
}

const PEOPLE = 200
const CONNECTIONS = 64
const SINGLES = 300

export async function measureHttp({ server, plan, say }: Bench): Promise<Measured<HttpFigures>> {
  say(`http: the API, ${PEOPLE} people with money`)
  const database = await server.databaseOf('florin_bench_http')
  const { folder } = server
  const { port, people, stop } = await openSite({ database, folder, people: PEOPLE, isBuilt: true })
  try {
    say(`http: ${CONNECTIONS} connections for ${plan.http.seconds} s, then ${SINGLES} one by one`)
    const load = { ...plan.http, port, people, connections: CONNECTIONS, singles: SINGLES }
    const [report, costs] = await withCosts(port, () => generate(load))
    await stop()
    return await concluded(database, report, costs, say)
  } finally {
    await stop()
  }
}

async function concluded(
  database: Database,
  { load, single, paid, errors, firstError }: LoadReport,
  { rss_mb, cpu_s }: { readonly rss_mb: number; readonly cpu_s: number },
  say: Say,
): Promise<Measured<HttpFigures>> {
  const { faults: found, deadlocks } = await examine(database, PEOPLE + paid, say)
  const faults = firstError === undefined ? found : [...found, `not a 201: ${firstError}`]
  const { per_s: _, ...alone } = single
  const costs = { rss_mb, cpu_us: (cpu_s / paid) * 1_000_000 }
  return { figures: { http: { ...load, ...costs, errors }, single: alone }, faults, deadlocks }
}

/** Runs the load in a process of its own, which ends when it has reported. */
async function generate(load: LoadPlan): Promise<LoadReport> {
  const generator = startHelper(new URL('./generator.ts', import.meta.url))
  try {
    return await generator.ask<LoadReport>(load)
  } finally {
    await generator.dismiss()
  }
}

const MEMORY_EVERY_MS = 1000

/** What `work` gives, the most memory that the API had meanwhile, and the time of its threads. */
async function withCosts<T>(port: number, work: () => Promise<T>) {
  const before = await usageOf(port)
  const samples = [usageOf(port)]
  const timer = setInterval(() => samples.push(usageOf(port)), MEMORY_EVERY_MS)
  try {
    const result = await work()
    const cpu_s = (await usageOf(port)).cpu_s - before.cpu_s
    const bytes = (await Promise.all(samples)).map(({ residentBytes }) => residentBytes)
    return [result, { rss_mb: Math.max(...bytes) / 1_000_000, cpu_s }] as const
  } finally {
    clearInterval(timer)
  }
}

async function usageOf(port: number) {
  const metric = await metricsOf(port)
  const of = (name: string) => {
    const found = metric(`florin_process_${name}`)
    if (found === undefined) throw new Error(`the API does not say its ${name}`)
    return found
  }
  return { residentBytes: of('resident_memory_bytes'), cpu_s: of('cpu_seconds_total') }
}
