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

export type Sleep = (delay_ms: number) => Promise<void>

/** Sleeps that throw when `stopping` does. One listener serves them all: there may be thousands. */
export function sleeps(stopping: AbortSignal): Sleep {
  const wakes = new Set<() => void>()
  stopping.addEventListener('abort', () => {
    for (const wake of wakes) wake()
  })
  return (delay_ms) =>
    new Promise((resolve, reject) => {
      const wake = () => {
        clearTimeout(timer)
        wakes.delete(wake)
        if (stopping.aborted) reject(new Error('the bank is stopping'))
        else resolve()
      }
      const timer = setTimeout(wake, stopping.aborted ? 0 : delay_ms)
      wakes.add(wake)
    })
}
