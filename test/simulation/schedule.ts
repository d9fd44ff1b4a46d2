/**
 * Virtual time, and tasks that die. One task runs at a time, until it ends or waits for the bank;
 * so with one seed everything happens in one order, whatever the machine is doing.
 */
import { openTimeline } from '../model/timeline.ts'

class Died extends Error {}

interface Task {
  readonly name: string
  /** After so many steps: statements of the database, and what the bank does. */
  readonly diesAt: number
  steps: number
}

export interface Schedule {
  readonly now: () => Date
  /** Plans what takes no time. */
  readonly plan: (in_s: number, happen: () => void) => void
  /** Plans a task. @param diesAt `Infinity` where it lives. */
  readonly start: (in_s: number, name: string, work: () => Promise<unknown>) => void
  /** Lets time pass within a task. */
  readonly sleep: (seconds: number) => Promise<void>
  /** The running task has done something; it may be its last. */
  readonly step: () => void
  readonly note: (what: string) => void
  /** Until that moment, or until nothing is planned. */
  readonly run: (until: Date) => Promise<void>
  readonly story: readonly string[]
  /** What tasks failed with. */
  readonly failures: readonly string[]
  /** How many tasks died. */
  readonly deaths: () => number
}

export interface ScheduleOptions {
  readonly start: Date
  /** After how many steps the next task dies. */
  readonly diesAt: () => number
}

export function openSchedule({ start, diesAt }: ScheduleOptions): Schedule {
  const timeline = openTimeline()
  const [story, failures]: string[][] = [[], []]
  let [now_ms, active, deaths] = [start.getTime(), 0, 0]
  let current: Task | undefined
  let idle = () => {}
  const note = (what: string) => {
    const at = new Date(now_ms - start.getTime()).toISOString().slice(8, 19)
    story?.push(`${at} ${current?.name ?? ''} ${what}`)
  }
  const plan = (in_s: number, happen: () => void) =>
    timeline.add(now_ms + Math.round(in_s * 1000), happen)

  function pause(): void {
    active -= 1
    current = undefined
    if (active === 0) idle()
  }

  async function live(task: Task, work: () => Promise<unknown>): Promise<void> {
    active += 1
    current = task
    try {
      await work()
    } catch (error) {
      if (task.steps < task.diesAt) {
        const failed = error instanceof Error ? error.message : String(error)
        note(`fails: ${failed}`)
        failures?.push(`${task.name}: ${failed}`)
      }
    }
    if (task.steps >= task.diesAt) {
      note(`died after step ${task.diesAt}`)
      deaths += 1
    }
    pause()
  }

  return {
    ...{ plan, note, story: story ?? [], failures: failures ?? [] },
    now: () => new Date(now_ms),
    deaths: () => deaths,
    start: (in_s, name, work) =>
      plan(in_s, () => void live({ name, diesAt: diesAt(), steps: 0 }, work)),
    async sleep(seconds) {
      const task = current
      await new Promise<void>((resolve) => {
        plan(seconds, () => {
          active += 1
          current = task
          resolve()
        })
        pause()
      })
    },
    step() {
      if (current === undefined) return
      current.steps += 1
      if (current.steps >= current.diesAt) throw new Died()
    },
    async run(until) {
      let isOver = false
      timeline.add(until.getTime(), () => (isOver = true))
      while (!isOver) {
        const next = timeline.take()
        if (next === undefined) return
        now_ms = Math.max(now_ms, next.at)
        const quiet = new Promise<void>((resolve) => (idle = resolve))
        next.happen(next.at)
        if (active > 0) await quiet
      }
    },
  }
}
