/** What was measured, beside what it should be, for people. */
import { execFileSync } from 'node:child_process'
import { cpus, totalmem } from 'node:os'
import type { HttpFigures } from './http.ts'
import type { LedgerFigures } from './ledger.ts'

export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memory_gb: number
  readonly node: string
  readonly postgres: string
  /** With a plus when files were changed since. */
  readonly commit: string
}

export interface Figures extends HttpFigures {
  readonly machine: Machine
  readonly ledger: { readonly spread: LedgerFigures; readonly hot: LedgerFigures }
  readonly growth?: {
    readonly ratio: number
    readonly per_s_small: number
    readonly per_s_large: number
  }
  readonly deadlocks: number
  readonly quick: boolean
}

export function machineWith(postgres: string): Machine {
  const [{ model: cpu } = { model: 'unknown' }, ...others] = cpus()
  return {
    ...{ cpu, cores: others.length + 1, memory_gb: Math.round(totalmem() / 2 ** 30) },
    ...{ node: process.version, postgres, commit: commit() },
  }
}

function commit(): string {
  const git = (...args: string[]) =>
    execFileSync('git', args, { cwd: import.meta.dirname, encoding: 'utf8', stdio: 'pipe' }).trim()
  try {
    return git('rev-parse', '--short', 'HEAD') + (git('status', '--porcelain') === '' ? '' : '+')
  } catch {
    return 'unknown'
  }
}

interface Line {
  readonly name: string
  readonly value: (figures: Figures) => number | undefined
  /** Digits after the point. */
  readonly digits: number
  readonly goal?: string
  readonly isMet?: (value: number, figures: Figures) => boolean
}

const atLeast = (goal: number) => ({ goal: `>= ${goal}`, isMet: (value: number) => value >= goal })
const under = (goal: number) => ({ goal: `< ${goal}`, isMet: (value: number) => value < goal })

const LINES: readonly Line[] = [
  { name: 'ledger, spread: transfers/s', value: ({ ledger }) => ledger.spread.per_s, digits: 0 },
  { name: '  one call each, transfers/s', ...baselineOf('spread'), digits: 0 },
  {
    ...{ name: '  ratio', value: ({ ledger }) => ledger.spread.ratio, digits: 2 },
    ...atLeast(4),
  },
  { name: '  p50, ms', value: ({ ledger }) => ledger.spread.p50_ms, digits: 1 },
  { name: '  p99, ms', value: ({ ledger }) => ledger.spread.p99_ms, digits: 1 },
  {
    ...{ name: 'ledger, hot: transfers/s', value: ({ ledger }) => ledger.hot.per_s, digits: 0 },
    ...{ goal: '>= spread', isMet: (value, { ledger }) => value >= ledger.spread.per_s },
  },
  { name: '  one call each, transfers/s', ...baselineOf('hot'), digits: 0 },
  { name: '  ratio', value: ({ ledger }) => ledger.hot.ratio, digits: 2, ...atLeast(12) },
  { name: '  p50, ms', value: ({ ledger }) => ledger.hot.p50_ms, digits: 1 },
  { name: '  p99, ms', value: ({ ledger }) => ledger.hot.p99_ms, digits: 1 },
  {
    ...{ name: 'http: payments/s', value: ({ http }) => http.per_s, digits: 0 },
    // The higher goal is that of payments approved by a device; these need a token only.
    ...{ goal: '> 1500, then > 3000', isMet: (value) => value > 1500 },
  },
  { name: '  p50, ms', value: ({ http }) => http.p50_ms, digits: 1 },
  { name: '  p99, ms', value: ({ http }) => http.p99_ms, digits: 1, ...under(100) },
  { name: '  other than 201', value: ({ http }) => http.errors, digits: 0, ...under(1) },
  { name: '  memory of the API, MB', value: ({ http }) => http.rss_mb, digits: 0, ...under(250) },
  {
    name: 'one payment alone: p50, ms',
    value: ({ single }) => single.p50_ms,
    digits: 2,
    ...under(5),
  },
  { name: '  p99, ms', value: ({ single }) => single.p99_ms, digits: 2 },
  {
    name: 'growth: large over small',
    value: ({ growth }) => growth?.ratio,
    digits: 2,
    ...atLeast(0.8),
  },
  { name: '  20,000 accounts, transfers/s', value: ({ growth }) => growth?.per_s_small, digits: 0 },
  {
    name: '  1,000,000 accounts, transfers/s',
    value: ({ growth }) => growth?.per_s_large,
    digits: 0,
  },
  { name: 'deadlocks', value: ({ deadlocks }) => deadlocks, digits: 0, ...under(1) },
]

function baselineOf(load: 'spread' | 'hot'): Pick<Line, 'value'> {
  return { value: ({ ledger }) => ledger[load].baseline_per_s }
}

export function tableOf(figures: Figures): string {
  const { cpu, cores, memory_gb, node, postgres, commit } = figures.machine
  const lines = LINES.flatMap((line) => {
    const value = line.value(figures)
    return value === undefined ? [] : [lineOf(line, value, figures)]
  })
  return [
    `Florin ${commit} on ${cores} cores (${cpu}), ${memory_gb} GB`,
    `Node ${node}, Postgres ${postgres}`,
    ...(figures.quick ? ['A quick run: short rounds, rough figures.'] : []),
    '',
    row('', 'measured', 'goal', ''),
    ...lines,
  ].join('\n')
}

function lineOf({ name, digits, goal, isMet }: Line, value: number, figures: Figures): string {
  const verdict = isMet === undefined ? '' : isMet(value, figures) ? 'met' : 'MISSED'
  return row(name, value.toFixed(digits), goal ?? '', verdict)
}

const row = (name: string, value: string, goal: string, verdict: string) =>
  `${name.padEnd(36)}${value.padStart(10)}   ${goal.padEnd(21)}${verdict}`.trimEnd()

/** The same figures without digits that mean nothing. */
export function jsonOf(figures: Figures): string {
  const rounded = (_key: string, value: unknown) =>
    typeof value === 'number' ? Math.round(value * 1000) / 1000 : value
  return JSON.stringify(figures, rounded)
}
