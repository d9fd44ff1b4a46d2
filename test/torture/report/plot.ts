/** Lines over time as SVG, with what went wrong marked where it did. */
import { escaped } from './escaped.ts'
import { LETTER, type Mark, marksOf } from './marks.ts'

export interface Series {
  readonly name: string
  /** Of the style sheet. */
  readonly tone: 'first' | 'second' | 'third'
  readonly points: readonly (readonly [at_s: number, value: number | null])[]
}

export interface Plot {
  readonly title: string
  readonly unit: string
  readonly series: readonly Series[]
  readonly marks: readonly Mark[]
  /** Where the axis ends, in seconds: plots above each other share it. */
  readonly until_s: number
}

const [WIDTH, HEIGHT] = [860, 250]
/** Room for the numbers. */
const [LEFT, RIGHT, BOTTOM] = [64, 16, 42]
const HEAD = 30
const TICKS = 5

export function svgOf({ title, unit, series, marks, until_s }: Plot): string {
  const above = marksOf(marks)
  const [top, height] = [HEAD + above.height + 6, HEIGHT + above.height]
  const values = series.flatMap(({ points }) => points.map(([, value]) => value ?? 0))
  const [step, most] = stepsTo(Math.max(...values, 0))
  const [width, tall] = [WIDTH - LEFT - RIGHT, height - top - BOTTOM]
  const x = (at_s: number) => LEFT + (at_s / Math.max(1, until_s)) * width
  const y = (value: number) => top + tall - (value / most) * tall
  const parts = [
    `<text class="title" x="${LEFT}" y="16">${escaped(`${title}, ${unit}`)}</text>`,
    legend(series),
    ...ticks(0, most, step).map((value) => across(LEFT, WIDTH - RIGHT, y(value), shown(value))),
    ...timeTicks(until_s).map((at) => below(x(at), top + tall, timeOf(at))),
    `<text class="tick" x="${WIDTH - RIGHT}" y="${height - 6}" text-anchor="end">` +
      'time, min:s</text>',
    ...above.drawn({ x, left: LEFT, right: WIDTH - RIGHT, top: HEAD, bottom: top + tall }),
    ...series.map((one) => lineOf(one, x, y)),
  ]
  const label = escaped(`${title}, ${unit}`)
  return (
    `<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${label}">` +
    `${parts.join('')}</svg>`
  )
}

/** @returns the step between ticks, 1, 2 or 5 of some power of ten, and the first above all. */
export function stepsTo(most: number): readonly [step: number, end: number] {
  const raw = Math.max(most, 1e-9) / TICKS
  const power = 10 ** Math.floor(Math.log10(raw))
  const step = ([1, 2, 5, 10].find((one) => one * power >= raw) ?? 10) * power
  return [step, Math.max(step, Math.ceil(most / step) * step)]
}

const ticks = (from: number, to: number, step: number): number[] =>
  Array.from({ length: Math.round((to - from) / step) + 1 }, (_, index) => from + index * step)

/** Seconds that people count in. */
const TIME_STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600]

const timeTicks = (until_s: number): number[] => {
  const step = TIME_STEPS.find((one) => until_s / one <= 10) ?? 7_200
  return ticks(0, Math.floor(until_s / step) * step, step)
}

const timeOf = (at_s: number) =>
  `${Math.floor(at_s / 60)}:${String(Math.round(at_s % 60)).padStart(2, '0')}`

const shown = (value: number) =>
  value >= 1000 ? value.toLocaleString('en-US') : `${Number(value.toPrecision(3))}`

const across = (from: number, to: number, y: number, text: string) =>
  `<line class="grid" x1="${from}" y1="${y}" x2="${to}" y2="${y}"/>` +
  `<text class="tick" x="${from - 8}" y="${y + 4}" text-anchor="end">${text}</text>`

const below = (x: number, y: number, text: string) =>
  `<line class="grid" x1="${x}" y1="${y}" x2="${x}" y2="${y + 5}"/>` +
  `<text class="tick" x="${x}" y="${y + 18}" text-anchor="middle">${text}</text>`

/** From the right: the title is on the left. */
function legend(series: readonly Series[]): string {
  let right = WIDTH - RIGHT
  return series
    .toReversed()
    .map(({ name, tone }) => {
      const word = `<text class="word" x="${right}" y="16" text-anchor="end">`
      const text = `${word}${escaped(name)}</text>`
      right -= name.length * LETTER + 8
      const line = `<line class="${tone}" x1="${right - 18}" y1="12" x2="${right}" y2="12"/>`
      right -= 34
      return text + line
    })
    .join('')
}

/** A line ends where there was nothing, and begins anew. */
function lineOf({ tone, points }: Series, x: (at: number) => number, y: (value: number) => number) {
  let path = ''
  let isDrawing = false
  for (const [at, value] of points) {
    if (value !== null) path += `${isDrawing ? 'L' : 'M'}${x(at).toFixed(1)} ${y(value).toFixed(1)}`
    isDrawing = value !== null
  }
  return `<path class="${tone}" d="${path}"/>`
}
