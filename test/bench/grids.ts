/** The tables for people: which figures they show, in which order. */
import type { Cost } from './counters.ts'
import type { Figures } from './figures.ts'
import type { Latency } from './load.ts'

/** Null when it cannot be known here, undefined when there is no such figure. */
export type Cell = number | null | undefined

export interface Grid {
  readonly title: string
  readonly columns: readonly (readonly [name: string, digits: number])[]
  /** None when the part was not measured. */
  readonly rows: (figures: Figures) => readonly (readonly [name: string, ...cells: Cell[]])[]
}

const LOADS = ['spread', 'hot'] as const

const WAITS = [
  ...(['p50', 'p90', 'p99'] as const).map((name) => [`${name}, ms`, 1] as const),
  ['p99.9, ms', 1],
] as const
const waits = ({ p50_ms, p90_ms, p99_ms, p999_ms }: Latency) => [p50_ms, p90_ms, p99_ms, p999_ms]

const COSTS = [
  ...[['log, bytes', 0] as const, ['whole pages', 3] as const],
  ...[['Node, us', 1] as const, ['Postgres, us', 1] as const, ['HOT updates', 3] as const],
]
const costs = (cost: Cost): Cell[] => [
  ...[cost.wal_bytes_per_transfer, cost.full_page_images_per_transfer],
  ...[cost.node_cpu_us_per_transfer, cost.postgres_cpu_us_per_transfer, cost.hot_update_ratio],
]

export const GRIDS: readonly Grid[] = [
  {
    title: 'throughput: transfers through the ledger',
    columns: [['per s', 0], ['one call each', 0], ['ratio', 2], ...WAITS],
    rows: ({ ledger }) =>
      ledger === undefined
        ? []
        : LOADS.map((load) => {
            const { per_s, baseline_per_s, ratio, ...round } = ledger[load]
            return [load, per_s, baseline_per_s, ratio, ...waits(round)]
          }),
  },
  {
    title: 'latency under load: people who come when they come',
    columns: [['offered/s', 0], ['answered/s', 0], ...WAITS, ['refused', 0]],
    rows: ({ latency }) =>
      latency === undefined
        ? []
        : LOADS.flatMap((load) =>
            ([50, 80] as const).map((percent) => {
              const at = latency[load][`at_${percent}_percent`]
              const paces = [at.offered_per_s, at.answered_per_s] as const
              return [`${load}, ${percent} % of the maximum`, ...paces, ...waits(at), at.refused]
            }),
          ),
  },
  {
    title: 'cost per transfer: log written, CPU time',
    columns: COSTS,
    rows: ({ ledger }) =>
      ledger === undefined
        ? []
        : LOADS.flatMap((load) => [
            [`${load}, ours`, ...costs(ledger[load].cost)],
            [`${load}, one call each`, ...costs(ledger[load].baseline_cost)],
          ]),
  },
  {
    title: 'processes: several on the same books',
    columns: [
      ['per s', 0],
      ['ratio to one', 2],
      ['fastest, per s', 0],
      ['slowest, per s', 0],
    ],
    rows: ({ processes }) =>
      processes === undefined
        ? []
        : LOADS.flatMap((load) =>
            (['one', 'two', 'three'] as const).map((count) => {
              const { per_s, ratio, ...each } = processes[load][count]
              const ends = [each.fastest_process_per_s, each.slowest_process_per_s] as const
              return [`${load}, ${count}`, per_s, ratio, ...ends]
            }),
          ),
  },
  {
    title: 'settlement: payments alone and beside the run, merchants settled',
    columns: [
      ['alone, per s', 0],
      ['beside, per s', 0],
      ['ratio', 2],
      ['merchants/s', 0],
      ['run alone/s', 0],
    ],
    rows: ({ settlement: all }) =>
      all === undefined
        ? []
        : [
            [
              ...([`${all.payments} payments`, all.alone_per_s, all.beside_per_s] as const),
              ...[all.ratio, all.merchants_per_s, all.run_alone_merchants_per_s],
            ],
          ],
  },
  {
    title: 'features: throughput with, over throughput without',
    columns: [['ratio', 2]],
    rows: ({ features }) =>
      features === undefined
        ? []
        : [
            ['a row in the event log', features.events_ratio],
            ['an idempotency key', features.claims_ratio],
            ['sealing', features.sealing_ratio],
            ['the check on new transfers', features.trigger_ratio],
            ['hold and post, over single', features.holds_ratio],
          ],
  },
  {
    title: 'growth: the same load on large, old books',
    columns: [['transfers', 0], ['per s', 0], ...COSTS.slice(0, 2)],
    rows: ({ growth }) =>
      growth === undefined
        ? []
        : [growth.small, growth.large].map(({ accounts, transfers, per_s, cost }) => [
            ...([`${accounts} accounts`, transfers, per_s, ...costs(cost).slice(0, 2)] as const),
          ]),
  },
  {
    title: 'limit: the same statements inside Postgres, no client',
    columns: [
      ['ours, per s', 0],
      ['1 connection', 0],
      ['2 connections', 0],
      ['ratio', 2],
    ],
    rows: ({ limit }) =>
      limit === undefined
        ? []
        : LOADS.map((load) => {
            const { ours_per_s, one_connection_per_s, two_connections_per_s, ratio } = limit[load]
            return [load, ours_per_s, one_connection_per_s, two_connections_per_s, ratio]
          }),
  },
  {
    title: 'HTTP: whole payments',
    columns: [['per s', 0], ...WAITS, ['memory, MB', 0], ['API CPU, us each', 0]],
    rows: ({ http, single }) =>
      http === undefined || single === undefined
        ? []
        : [
            ['64 connections', http.per_s, ...waits(http), http.rss_mb, http.cpu_us],
            ['one alone', undefined, ...waits(single)],
          ],
  },
]
