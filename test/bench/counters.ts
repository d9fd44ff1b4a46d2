/** What it costs: log written, pages written whole, processor time; counted, not timed. */
import { readdirSync, readFileSync } from 'node:fs'
import pg from 'pg'
import { type BenchServer, type Database, run } from './server.ts'

/** Running totals: two readings and their difference say what happened between. */
export interface Usage {
  readonly wal_bytes: number
  /** Of this process: the ledger, and the load it is put under. */
  readonly node_cpu_us: number
  /** Of all processes of the server, its writers and checkpointer too; null where unknown. */
  readonly postgres_cpu_us: number | null
}

export interface Meter {
  readonly read: () => Promise<Usage>
  readonly close: () => Promise<void>
}

export async function openMeter({ url, postmaster }: BenchServer): Promise<Meter> {
  const client = new pg.Client({ connectionString: url, application_name: 'florin bench meter' })
  await client.connect()
  return {
    async read() {
      const text = `SELECT pg_current_wal_lsn() - '0/0'::pg_lsn AS bytes`
      const { rows } = await client.query<{ bytes: string }>({ name: 'wal', text })
      const { user, system } = process.cpuUsage()
      return {
        wal_bytes: Number(rows[0]?.bytes),
        node_cpu_us: user + system,
        postgres_cpu_us: postmaster === undefined ? null : cpuOfTree(postmaster),
      }
    },
    close: () => client.end(),
  }
}

/** Linux counts in hundredths of a second, whatever the kernel's own clock. */
const TICK_US = 10_000

/** A process, its children, and those that it has outlived. Null unless this is Linux. */
function cpuOfTree(root: number): number | null {
  const own = statOf(root)
  if (own === undefined) return null
  let ticks = own.ticks + own.ticksOfEnded
  for (const name of readdirSync('/proc')) {
    const child = /^\d+$/.test(name) ? statOf(Number(name)) : undefined
    if (child?.parent === root) ticks += child.ticks
  }
  return ticks * TICK_US
}

/** Nothing of a process that has ended meanwhile: its parent has counted it then. */
function statOf(pid: number) {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // What is in parentheses is the process's name, which may hold anything; then see proc(5).
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    const [parent = 0, user = 0, system = 0, endedUser = 0, endedSystem = 0] = [
      ...[1, 11, 12, 13, 14].map((index) => Number(fields[index])),
    ]
    return { parent, ticks: user + system, ticksOfEnded: endedUser + endedSystem }
  } catch {
    return undefined
  }
}

/**
 * What Postgres counts by table and by connection. It is told of it up to a second late, but of all
 * of it together, so that these may be divided by each other.
 */
export interface Tally {
  readonly transfers: number
  readonly updates: number
  /** Updates that stayed on their page and touched no index. */
  readonly hotUpdates: number
  readonly fullPageImages: number
}

export async function tallyIn({ url }: Database): Promise<Tally> {
  const [row = {}] = await run(
    url,
    `SELECT t.n_tup_ins AS transfers, a.n_tup_upd AS updates, a.n_tup_hot_upd AS hot_updates,
            (SELECT coalesce(sum(w.wal_fpi), 0)
               FROM pg_stat_activity s CROSS JOIN pg_stat_get_backend_wal(s.pid) w
              WHERE s.datname = current_database() AND s.pid <> pg_backend_pid()) AS images
       FROM pg_stat_user_tables t CROSS JOIN pg_stat_user_tables a
      WHERE t.relname = 'transfers' AND a.relname = 'accounts'`,
  )
  const of = (column: string) => Number(row[column])
  return {
    ...{ transfers: of('transfers'), updates: of('updates') },
    ...{ hotUpdates: of('hot_updates'), fullPageImages: of('images') },
  }
}

export interface Cost {
  readonly wal_bytes_per_transfer: number
  readonly full_page_images_per_transfer: number
  readonly node_cpu_us_per_transfer: number
  readonly postgres_cpu_us_per_transfer: number | null
  readonly hot_update_ratio: number
}

/** What was used by rounds of one side, and by how many transfers. */
export interface Metered {
  readonly answered: number
  readonly usage: Usage
}

export function costOf(rounds: readonly Metered[], before: Tally, after: Tally): Cost {
  const transfers = rounds.reduce((sum, { answered }) => sum + answered, 0)
  const each = (of: (usage: Usage) => number) =>
    rounds.reduce((sum, { usage }) => sum + of(usage), 0) / transfers
  const isKnown = rounds.every(({ usage }) => usage.postgres_cpu_us !== null)
  const grown = (figure: keyof Tally) => after[figure] - before[figure]
  return {
    wal_bytes_per_transfer: each(({ wal_bytes }) => wal_bytes),
    full_page_images_per_transfer: grown('fullPageImages') / grown('transfers'),
    node_cpu_us_per_transfer: each(({ node_cpu_us }) => node_cpu_us),
    postgres_cpu_us_per_transfer: isKnown
      ? each(({ postgres_cpu_us }) => postgres_cpu_us ?? Number.NaN)
      : null,
    hot_update_ratio: grown('hotUpdates') / grown('updates'),
  }
}

export function between(before: Usage, after: Usage): Usage {
  const isKnown = before.postgres_cpu_us !== null && after.postgres_cpu_us !== null
  return {
    wal_bytes: after.wal_bytes - before.wal_bytes,
    node_cpu_us: after.node_cpu_us - before.node_cpu_us,
    postgres_cpu_us: isKnown ? (after.postgres_cpu_us ?? 0) - (before.postgres_cpu_us ?? 0) : null,
  }
}
