/** One page of all that scenarios have found, which needs nothing but itself. */
import { escaped } from './escaped.ts'
import { type KeptRun, verdictOf } from './kept-figures.ts'
import { type Plot, type Series, svgOf } from './plot.ts'

/** What a run says of itself beside its figures. */
const ABOUT = ['scenario', 'clean', 'quick', 'seed', 'commit', 'at', 'took_s', 'versions']
/** Drawn, or too long to be read. */
const LISTS = ['timeline', 'marks', 'samples', 'missed', 'violations_shown']

const WORDS: Readonly<Record<string, string>> = {
  banks: 'Banks that misbehave, processes that die',
  failover: 'A primary that is gone, and its replica',
  input: 'Requests that nobody should send',
  overload: 'Three times as many as can be served',
  soak: 'Seven tenths of the maximum, for long',
  stop: 'A database that is away',
}

export interface Head {
  readonly machine: string
  readonly made: string
}

export function pageOf(runs: readonly KeptRun[], { machine, made }: Head): string {
  const summary = runs.map(
    (run) =>
      `<tr><td><a href="#${run.scenario}">${run.scenario}</a></td>` +
      `<td>${verdict(run)}</td><td>${run.seed}</td><td>${escaped(run.commit)}</td>` +
      `<td>${escaped(run.at.slice(0, 16).replace('T', ' '))}</td><td>${timeOf(run.took_s)}</td>` +
      `<td>${run.quick ? 'quick' : 'full'}</td></tr>`,
  )
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Florin under fire</title>
<style>${STYLE}</style>
</head>
<body>
<h1>Florin under fire</h1>
<p class="about">${escaped(machine)}. Made ${escaped(made)}.</p>
<table class="runs"><thead><tr><th>Scenario</th><th>Verdict</th><th>Seed</th><th>Commit</th>
<th>Run, UTC</th><th>Took</th><th>Length</th></tr></thead>
<tbody>${summary.join('\n')}</tbody></table>
${runs.map(sectionOf).join('\n')}
</body>
</html>
`
}

function verdict(run: KeptRun): string {
  const word = verdictOf(run)
  return `<span class="${word === 'clean' ? 'clean' : 'unclean'}">${word}</span>`
}

const timeOf = (s: number) => `${Math.floor(s / 60)} min ${s % 60} s`

function sectionOf(run: KeptRun): string {
  const missed = Array.isArray(run['missed']) ? run['missed'] : []
  const title = WORDS[run.scenario] ?? run.scenario
  return `<section id="${run.scenario}">
<h2>${escaped(title)} ${verdict(run)}</h2>
<p class="about">--scenario ${run.scenario} --seed ${run.seed}${run.quick ? ' --quick' : ''}</p>
${missed.map((one) => `<p class="missed">${escaped(String(one))}</p>`).join('')}
${plotsOf(run).map(svgOf).join('\n')}
${tableOf(run)}
</section>`
}

/** What a second may say beside its number. */
type Drawn = 'offered' | 'per_s' | 'refused' | 'p50_ms' | 'p99_ms'

function plotsOf(run: KeptRun): Plot[] {
  const { timeline = [], marks = [], samples = [] } = run
  if (timeline.length === 0) return []
  const until_s = Math.max(...timeline.map(({ at_s }) => at_s)) + 1
  const over = (name: Drawn): Series['points'] =>
    timeline.map((point) => [point.at_s + 0.5, point[name] ?? null])
  const has = (name: Drawn) => timeline.some((point) => (point[name] ?? 0) !== 0)
  const series = (all: readonly (readonly [name: Drawn, shown: string, tone: Series['tone']])[]) =>
    all
      .filter(([name]) => has(name))
      .map(([name, shown, tone]) => ({
        ...{ name: shown, tone, points: over(name) },
      }))
  const plots: Plot[] = [
    {
      ...{ title: 'Throughput', unit: 'requests a second', marks, until_s },
      series: series([
        ['offered', 'offered', 'third'],
        ['per_s', 'acknowledged', 'first'],
        ['refused', 'refused (503)', 'second'],
      ]),
    },
    {
      ...{ title: 'Time to be acknowledged', unit: 'ms', marks, until_s },
      series: series([
        ['p50_ms', 'p50', 'first'],
        ['p99_ms', 'p99', 'second'],
      ]),
    },
  ]
  if (samples.length === 0) return plots
  const sampled = (name: string, shown: string, tone: Series['tone']): Series => ({
    ...{ name: shown, tone },
    points: samples.map((one) => [one['at_s'] ?? 0, one[name] ?? null]),
  })
  return [
    ...plots,
    {
      ...{ title: 'Resident memory', unit: 'MB', marks, until_s },
      series: [sampled('api_mb', 'API', 'first'), sampled('worker_mb', 'worker', 'second')],
    },
    {
      ...{ title: 'Event loop late, p99 of the API', unit: 'ms', marks, until_s },
      series: [sampled('lag_ms', 'lag', 'first')],
    },
  ]
}

function tableOf(run: KeptRun): string {
  const rows = Object.entries(run)
    .filter(([name]) => !ABOUT.includes(name) && !LISTS.includes(name))
    .map(([name, value]) => `<tr><th>${wordsOf(name)}</th><td>${cellOf(value)}</td></tr>`)
  return `<table class="figures"><tbody>${rows.join('\n')}</tbody></table>`
}

/** `p99_late_ms`: the unit is last. */
function wordsOf(name: string): string {
  const [, stem = name, unit] = /^(.*?)_(ms|s|mb|per_s|mb_per_minute)$/.exec(name) ?? []
  const units: Readonly<Record<string, string>> = { per_s: '1/s', mb: 'MB' }
  const shown = unit && (units[unit] ?? unit.replaceAll('_', ' ').replace('mb', 'MB'))
  return escaped(stem.replaceAll('_', ' ') + (shown === undefined ? '' : `, ${shown}`))
}

function cellOf(value: unknown): string {
  if (typeof value === 'number') return value.toLocaleString('en-US')
  if (value === null || value === undefined) return 'none'
  if (typeof value !== 'object') return escaped(JSON.stringify(value).replaceAll('"', ''))
  if (Array.isArray(value)) return value.length === 0 ? 'none' : value.map(cellOf).join(', ')
  const entries = Object.entries(value)
  if (entries.length === 0) return 'none'
  return entries.map(([name, one]) => `<div>${escaped(name)}: ${cellOf(one)}</div>`).join('')
}

/** Neutral, in the colours of the reader's choice of light or dark. */
const STYLE = `
:root{color-scheme:light dark;--ink:#1c2024;--soft:#60646c;--line:#d9dce1;--ground:#fff;
--first:#1f6feb;--second:#c4620c;--third:#8b8f98;--mark:#b3261e;--good:#1a7f37}
@media (prefers-color-scheme:dark){:root{--ink:#e6e8eb;--soft:#9ba1a9;--line:#33383f;
--ground:#14171a;--first:#6cb0ff;--second:#f0a052;--third:#7c828b;--mark:#ff8a80;--good:#5fd07f}}
body{margin:2rem auto;max-width:60rem;padding:0 1rem;background:var(--ground);color:var(--ink);
font:15px/1.5 system-ui,sans-serif}
h1{font-size:1.6rem;margin:0}h2{font-size:1.2rem;margin:2.5rem 0 0}
.about{color:var(--soft);margin:.2rem 0 1rem}a{color:var(--first)}
.missed{color:var(--mark);margin:.2rem 0}.clean{color:var(--good)}.unclean{color:var(--mark)}
h2 span{font-size:.9rem;font-weight:400;margin-left:.5rem}
table{border-collapse:collapse;width:100%;margin:1rem 0;font-variant-numeric:tabular-nums}
th,td{text-align:left;vertical-align:top;padding:.25rem .75rem .25rem 0;
border-bottom:1px solid var(--line)}
th{font-weight:500;color:var(--soft)}.figures th{width:45%}
svg{display:block;width:100%;height:auto;margin:1rem 0}
svg text{font:12px system-ui,sans-serif;fill:var(--soft)}svg .title{font-weight:600;fill:var(--ink)}
svg .tick{font-size:11px}svg .word{font-size:11px}
svg .grid{stroke:var(--line)}svg .mark{stroke:var(--mark);stroke-dasharray:3 3}
svg .tick-mark{stroke:var(--mark)}
svg path{fill:none;stroke-width:1.6;stroke-linejoin:round}svg line{stroke-width:1}
svg .first{stroke:var(--first)}svg .second{stroke:var(--second)}
svg .third{stroke:var(--third);stroke-dasharray:5 3}
svg line.first,svg line.second,svg line.third{stroke-width:2.5}
`
