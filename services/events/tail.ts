/**
 * The newest events of all, in the memory of a process, for everybody who follows them: one looks
 * for what is new, whoever is not behind reads that, and who is behind reads the table.
 */
import type { Knex } from 'knex'
import { eventsAfter, isAfter, type Place, placeNow, type TailRow } from './order.ts'

const [LOOK_EVERY_MS, LOOKED_AT_ONCE, KEPT_MAX, PAGE] = [200, 500, 1_000, 100]

export interface Tail {
  /** Counted in while somebody follows; nobody looks for nobody. */
  readonly follow: () => Promise<() => void>
  /** What comes after the place, as far as a page goes. */
  readonly after: (place: Place) => Promise<readonly TailRow[]>
  /** Waits until there may be more, for so long at most. */
  readonly wait: (most_ms: number) => Promise<void>
  readonly isClosed: () => boolean
  /** Ends all that follow. */
  readonly close: () => void
}

/** @param onError of a look that failed: the next one follows. */
export function openTail(db: Knex, onError: (error: unknown) => void): Tail {
  const news = openBell()
  let [followers, closed]: [number, boolean] = [0, false]
  let kept: TailRow[] = []
  /** What comes after this is kept, up to where somebody has looked. */
  let start: Place | undefined
  let timer: NodeJS.Timeout | undefined

  async function look(): Promise<void> {
    start ??= await placeNow(db)
    const found = await eventsAfter(db, kept.at(-1) ?? start, LOOKED_AT_ONCE)
    if (found.length === 0) return
    const all = [...kept, ...found]
    const dropped = Math.max(0, all.length - KEPT_MAX)
    start = all[dropped - 1] ?? start
    kept = all.slice(dropped)
    news.ring()
  }

  function lookAgain(): void {
    timer = setTimeout(() => {
      void look()
        .catch(onError)
        .finally(() => (followers > 0 && !closed ? lookAgain() : (timer = undefined)))
    }, LOOK_EVERY_MS)
  }

  return {
    async follow() {
      if (followers === 0 && timer === undefined) [kept, start] = [[], await placeNow(db)]
      followers += 1
      if (timer === undefined && !closed) lookAgain()
      return () => {
        followers -= 1
      }
    },
    async after(place) {
      if (start === undefined || isAfter(start, place)) return eventsAfter(db, place, PAGE)
      return kept.filter((row) => isAfter(row, place)).slice(0, PAGE)
    },
    async wait(most_ms) {
      if (!closed) await news.wait(most_ms)
    },
    isClosed: () => closed,
    close() {
      closed = true
      news.ring()
    },
  }
}

/** Wakes all who wait. */
function openBell() {
  let waiting = new Set<() => void>()
  return {
    wait: (most_ms: number) =>
      new Promise<void>((resolve) => {
        const end = () => {
          clearTimeout(timeout)
          waiting.delete(end)
          resolve()
        }
        const timeout = setTimeout(end, most_ms)
        waiting.add(end)
      }),
    ring(): void {
      const all = waiting
      waiting = new Set()
      for (const one of all) one()
    },
  }
}
