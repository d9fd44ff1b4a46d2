/** Things that happen at their times, on a virtual clock: a binary heap and a loop. */
export interface Timeline {
  readonly add: (at: number, happen: (now: number) => void) => void
  /** What comes next, which is then no longer planned. */
  readonly take: () => Pick<Planned, 'at' | 'happen'> | undefined
  /** Until nothing is left to happen. */
  readonly run: () => void
}

interface Planned {
  readonly at: number
  /** Of two at the same time the one planned first comes first. */
  readonly turn: number
  readonly happen: (now: number) => void
}

type Heap = Planned[]

export function openTimeline(): Timeline {
  const heap: Heap = []
  let turns = 0
  return {
    add(at, happen) {
      heap.push({ at, turn: (turns += 1), happen })
      rise(heap)
    },
    take: () => take(heap),
    run() {
      for (let one = take(heap); one !== undefined; one = take(heap)) one.happen(one.at)
    },
  }
}

/** What is not there comes last. */
function isBefore(heap: Heap, a: number, b: number): boolean {
  const [one, other] = [heap[a], heap[b]]
  if (one === undefined || other === undefined) return one !== undefined
  return one.at < other.at || (one.at === other.at && one.turn < other.turn)
}

function swap(heap: Heap, a: number, b: number): void {
  const [one, other] = [heap[a], heap[b]]
  if (one === undefined || other === undefined) throw new Error('nothing is there')
  heap[a] = other
  heap[b] = one
}

function rise(heap: Heap): void {
  let index = heap.length - 1
  while (index > 0 && isBefore(heap, index, (index - 1) >> 1)) {
    swap(heap, index, (index - 1) >> 1)
    index = (index - 1) >> 1
  }
}

function sink(heap: Heap): void {
  let index = 0
  for (;;) {
    const [left, right] = [2 * index + 1, 2 * index + 2]
    const child = isBefore(heap, right, left) ? right : left
    if (!isBefore(heap, child, index)) return
    swap(heap, index, child)
    index = child
  }
}

function take(heap: Heap): Planned | undefined {
  const first = heap[0]
  const last = heap.pop()
  if (last === undefined || heap.length === 0) return first
  heap[0] = last
  sink(heap)
  return first
}
