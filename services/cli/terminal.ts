/** What commands have in common: what they are told, and how they speak. */

export interface Command {
  /** As the usage shows them. */
  readonly args: string
  readonly summary: string
  /** Answers the exit code. */
  readonly run: (words: readonly string[], terminal: Terminal) => Promise<number>
}

export interface Terminal {
  readonly say: (text: string) => void
  readonly complain: (text: string) => void
  /** A line that is written over, on a terminal; nowhere else. */
  readonly progress: (line: string) => void
  /** Takes the line of progress away. */
  readonly done: () => void
}

/** The words of a command make no sense. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

const PROGRESS_EVERY_MS = 100
const CLEAR = '\r\u001b[K'

export function openTerminal(out: NodeJS.WriteStream, err: NodeJS.WriteStream): Terminal {
  let last = -PROGRESS_EVERY_MS
  return {
    say: (text) => void out.write(`${text}\n`),
    complain: (text) => void err.write(`${text}\n`),
    progress(line) {
      if (!err.isTTY || performance.now() - last < PROGRESS_EVERY_MS) return
      last = performance.now()
      err.write(`${CLEAR}${line.slice(0, err.columns - 1)}`)
    },
    done: () => void (err.isTTY && err.write(CLEAR)),
  }
}

const BAR_LENGTH = 24

/** Percent, speed and time left of work that began `elapsed_s` ago with `first` things done. */
export function progressLine(
  what: string,
  { done, of, first = 0 }: { readonly done: number; readonly of: number; readonly first?: number },
  elapsed_s: number,
): string {
  const share = of === 0 ? 1 : Math.min(1, done / of)
  const bar = '#'.repeat(Math.round(share * BAR_LENGTH)).padEnd(BAR_LENGTH, '.')
  const perSecond = elapsed_s > 0 ? (done - first) / elapsed_s : 0
  const left = perSecond > 0 ? `${Math.ceil((of - done) / perSecond)} s left` : ''
  const speed = `${counted(Math.round(perSecond))}/s`
  return `${what} [${bar}] ${Math.floor(share * 100)} %  ${counted(done)}  ${speed}  ${left}`
}

/** 1,234,567 */
export const counted = (count: number | bigint): string =>
  count.toString().replaceAll(/\B(?=(\d{3})+$)/g, ',')
