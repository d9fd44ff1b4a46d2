/** The figures as people read them, and as scripts do. */
import type { Figures } from './figures.ts'
import { type Goal, GOALS } from './goals.ts'
import { type Cell, type Grid, GRIDS } from './grids.ts'

const NAME_WIDTH = 30
const GAP = 3

export function tableOf(figures: Figures): string {
  const { cpu, cores, memory_gb, node, postgres, commit } = figures.machine
  const judged = GOALS.flatMap((goal) => {
    const value = goal.value(figures)
    return value === undefined ? [] : [verdictOn(goal, value, figures)]
  })
  return [
    `Florin ${commit} on ${cores} cores (${cpu}), ${memory_gb} GB`,
    `Node ${node}, Postgres ${postgres}`,
    ...(figures.quick ? ['A quick run: short rounds, rough figures.'] : []),
    ...GRIDS.flatMap((grid) => linesOf(grid, figures)),
    ...['', 'goals', ...judged],
  ].join('\n')
}

function linesOf({ title, columns, rows }: Grid, figures: Figures): string[] {
  const filled = rows(figures)
  if (filled.length === 0) return []
  const heads = columns.map(([name]) => aligned(name, name))
  return [
    ...['', title, `${' '.repeat(NAME_WIDTH)}${heads.join('')}`],
    ...filled.map(([name, ...cells]) => {
      const shown = columns.map(([head, digits], index) =>
        aligned(textOf(cells[index], digits), head),
      )
      return `  ${name}`.padEnd(NAME_WIDTH) + shown.join('')
    }),
  ].map((line) => line.trimEnd())
}

/** No column is narrower than six digits. */
const aligned = (text: string, head: string) => text.padStart(GAP + Math.max(head.length, 6))

const textOf = (cell: Cell, digits: number): string =>
  cell === undefined ? '' : (cell?.toFixed(digits) ?? 'none')

function verdictOn({ name, digits, goal, isMet }: Goal, value: number, figures: Figures): string {
  const verdict = isMet(value, figures) ? 'met' : 'MISSED'
  const shown = value.toFixed(digits).padStart(10)
  return `${`  ${name}`.padEnd(NAME_WIDTH)}${shown}   ${goal.padEnd(21)}${verdict}`
}

/** The same figures without digits that mean nothing. */
export function jsonOf(figures: Figures): string {
  const rounded = (_key: string, value: unknown) =>
    typeof value === 'number' ? Math.round(value * 1000) / 1000 : value
  return JSON.stringify(figures, rounded)
}
