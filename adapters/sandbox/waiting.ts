/** Waiting for a turn, and waiting for a while. */

export type Gate = <T>(work: () => Promise<T>) => Promise<T>

/** At most `width` at a time, the others in the order they came. */
export function gate(width: number): Gate {
  const waiting: (() => void)[] = []
  let free = width
  return async (work) => {
    if (free > 0) free -= 1
    else await new Promise<void>((resolve) => waiting.push(resolve))
    try {
      return await work()
    } finally {
      const next = waiting.shift()
      if (next === undefined) free += 1
      else next()
    }
  }
}

export interface Timer {
  /** Throws when the bank stops. */
  readonly sleep: (delay_ms: number) => Promise<void>
  /** Lets so much time pass at once: whoever waited for less wakes up. */
  readonly advance: (by_ms: number) => void
}

/** One listener serves all who sleep: there may be thousands. */
export function openTimer(stopping: AbortSignal): Timer {
  const sleepers = new Set<{ readonly wake: () => void; readonly hurry: () => void }>()
  let ahead_ms = 0
  stopping.addEventListener('abort', () => {
    for (const { wake } of sleepers) wake()
  })
  const sleep = (delay_ms: number) =>
    new Promise<void>((resolve, reject) => {
      const due_ms = performance.now() + ahead_ms + delay_ms
      const left = () => (stopping.aborted ? 0 : due_ms - ahead_ms - performance.now())
      const wake = () => {
        clearTimeout(timer)
        sleepers.delete(sleeper)
        if (stopping.aborted) reject(new Error('the bank is stopping'))
        else resolve()
      }
      let timer = setTimeout(wake, left())
      const hurry = () => {
        clearTimeout(timer)
        timer = setTimeout(wake, left())
      }
      const sleeper = { wake, hurry }
      sleepers.add(sleeper)
    })
  const advance = (by_ms: number) => {
    ahead_ms += by_ms
    for (const { hurry } of sleepers) hurry()
  }
  return { sleep, advance }
}
