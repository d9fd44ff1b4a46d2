/**
 * What went wrong, above a plot: a few things each with its word and a line through the plot; many
 * things by their kinds, a lane for each, with a tick wherever it happened.
 */
import { escaped } from './escaped.ts'

export interface Mark {
  readonly at_s: number
  readonly what: string
}

interface Room {
  readonly x: (at_s: number) => number
  readonly left: number
  readonly right: number
  /** Of the first row. */
  readonly top: number
  /** Where the plot ends. */
  readonly bottom: number
}

export interface Marks {
  /** How much room they take above the plot. */
  readonly height: number
  readonly drawn: (room: Room) => string[]
}

/** More of them, each with its word, would leave no room for the plot. */
const WORDS_MAX = 12
const ROW = 15
const [LANE, TICK] = [24, 7]

/** A letter of the marks' words, in their size. */
export const LETTER = 6.2

export function marksOf(marks: readonly Mark[]): Marks {
  if (marks.length <= WORDS_MAX) {
    const drawn = (room: Room) =>
      marks.map(({ at_s, what }, row) => line(room.x(at_s), room.top + ROW * (row + 1), room, what))
    return { height: ROW * marks.length, drawn }
  }
  const lanes = lanesOf(marks)
  const drawn = (room: Room) =>
    [...lanes].flatMap(([kind, all], lane) => {
      const y = room.top + LANE * lane
      const word = `<text class="word" x="${room.left}" y="${y + 11}">`
      return [
        `${word}${escaped(`${kind}, ${all.length}`)}</text>`,
        ...all.map(({ at_s }) => tick(room.x(at_s), y + 14)),
      ]
    })
  return { height: LANE * lanes.size, drawn }
}

function lanesOf(marks: readonly Mark[]): ReadonlyMap<string, readonly Mark[]> {
  const lanes = new Map<string, Mark[]>()
  for (const mark of marks) {
    const kind = kindOf(mark.what)
    lanes.set(kind, [...(lanes.get(kind) ?? []), mark])
  }
  return lanes
}

/** "banks: killed: api 2" is of the kind "killed". */
function kindOf(what: string): string {
  const [scenario = '', kind = scenario] = what.split(': ')
  return kind
}

const tick = (x: number, y: number) =>
  `<line class="tick-mark" x1="${x}" y1="${y}" x2="${x}" y2="${y + TICK}"/>`

/** The word is on the side on which there is room for it. */
function line(x: number, row: number, { right, bottom }: Room, what: string): string {
  const fits = x + 6 + what.length * LETTER < right
  const [at, anchor] = fits ? [x + 5, 'start'] : [x - 5, 'end']
  return (
    `<line class="mark" x1="${x}" y1="${row - 9}" x2="${x}" y2="${bottom}"/>` +
    `<text class="word" x="${at}" y="${row}" text-anchor="${anchor}">${escaped(what)}</text>`
  )
}
