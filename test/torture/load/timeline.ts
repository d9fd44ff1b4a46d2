/** What happened in each second of a run: counted as it comes, and nothing else is kept. */
import { latencyOf } from '../../bench/load.ts'

export interface Second {
  readonly at_s: number
  /** Who asked in it, whatever became of them; who could not ask is not counted. */
  readonly offered: number
  /** Answered with 201 in it. */
  readonly per_s: number
  /** From the moment at which they meant to ask; null where nobody was answered. */
  readonly p50_ms: number | null
  readonly p99_ms: number | null
  /** Answered with 503. */
  readonly refused: number
  readonly refused_p99_ms: number | null
}

export type Ending = 'paid' | 'refused' | 'other'

export interface Timeline {
  readonly offer: () => void
  readonly end: (as: Ending, latency_ms: number) => void
  /** All seconds until now, the last one as far as it has come. */
  readonly seconds: () => readonly Second[]
}

interface Open {
  readonly second: number
  offered: number
  readonly latencies_ms: Readonly<Record<Ending, number[]>>
}

const opened = (second: number): Open => ({
  ...{ second, offered: 0, latencies_ms: { paid: [], refused: [], other: [] } },
})

export function openTimeline(): Timeline {
  const started = performance.now()
  const done: Second[] = []
  let open = opened(0)
  const current = () => {
    const second = Math.floor((performance.now() - started) / 1000)
    while (open.second < second) {
      done.push(closed(open))
      open = opened(open.second + 1)
    }
    return open
  }
  return {
    offer: () => void (current().offered += 1),
    end: (as, latency_ms) => void current().latencies_ms[as].push(latency_ms),
    seconds() {
      // First, as it closes the seconds that are over.
      const last = current()
      return [...done, closed(last)]
    },
  }
}

function closed({ second, offered, latencies_ms: { paid, refused } }: Open): Second {
  const [ours, theirs] = [latencyOf(paid), latencyOf(refused)]
  return {
    ...{ at_s: second, offered, per_s: paid.length, refused: refused.length },
    ...{ p50_ms: shown(ours.p50_ms), p99_ms: shown(ours.p99_ms) },
    refused_p99_ms: shown(theirs.p99_ms),
  }
}

const shown = (ms: number): number | null => (Number.isNaN(ms) ? null : Math.round(ms * 10) / 10)
