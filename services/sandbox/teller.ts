/** How the story looks in a terminal. */
import { curlLines, type Layout } from './layout.ts'
import type { Line, Tell } from './steps.ts'

const WHO = 13
const WHAT = 34
const AMOUNT = 12
const FEE = 16
const STATE = 11

/** One line for each step: who, what, how much, fee, state, milliseconds. */
export function openTeller(say: (line: string) => void): Tell {
  return ({ who, what, amount = '', fee, state, ms, notes = [] }: Line) => {
    const columns = [
      who.padEnd(WHO),
      what.padEnd(WHAT),
      amount.padStart(AMOUNT),
      (fee === undefined ? '' : `fee ${fee}`).padStart(FEE),
      `  ${state.padEnd(STATE)}`,
      `${Math.round(ms)} ms`.padStart(8),
    ]
    say(columns.join(' '))
    for (const note of notes) say(`${' '.repeat(WHO)}   ${note}`)
  }
}

export function banner({ apiUrl, tokenUrl, dataDir }: Layout, elapsed_ms: number): string {
  const { pay } = curlLines(apiUrl, tokenUrl)
  return `
Florin is ready after ${(elapsed_ms / 1000).toFixed(1)} s.
Ctrl-C stops it; the books stay in ${dataDir}.

  API        ${apiUrl}
  Browse it  ${apiUrl}/docs
  To play    ${apiUrl}/sandbox   people, PINs, merchants, banks, curl lines
  Metrics    ${apiUrl}/metrics

Alice pays Bob 1.00 EUR:

  ${pay}
`
}
