/** How a run went, second by second, and what was asked last: for plots, and for who looks why. */
import type { Counts } from './asking.ts'
import { readJournal } from './journal.ts'

export interface Second {
  readonly at_s: number
  /** Answers that came within it. */
  readonly per_s: number
  /** With all their retries. */
  readonly p50_ms: number
  readonly p99_ms: number
}

export interface Mark {
  readonly at_s: number
  readonly what: string
}

export interface Story {
  readonly timeline: readonly Second[]
  readonly marks: readonly Mark[]
  /** The end of the journal. */
  readonly last: readonly string[]
}

/** Seconds in which no answer came are in it: they are what a reader looks for. */
export function timelineOf(answers: Counts['answers'], started_ms: number): Second[] {
  const bySecond = new Map<number, number[]>()
  for (const { at_ms, took_ms } of answers) {
    const second = Math.floor((at_ms - started_ms) / 1000)
    bySecond.set(second, [...(bySecond.get(second) ?? []), took_ms])
  }
  const length = Math.max(-1, ...bySecond.keys()) + 1
  return Array.from({ length }, (_, at_s) => {
    const times = (bySecond.get(at_s) ?? []).sort((a, b) => a - b)
    const at = (share: number) => Math.round(times[Math.floor(times.length * share)] ?? 0)
    return { at_s, per_s: times.length, p50_ms: at(0.5), p99_ms: at(0.99) }
  })
}

/** Of entries of the journal. */
const LAST = 40

export const lastOf = (journalFile: string): string[] =>
  readJournal(journalFile)
    .slice(-LAST)
    .map((entry) => JSON.stringify(entry))
