/**
 * Virtual time, and tasks that stop and die. Time stands still until everything that is under way
 * has ended or waits for a later moment, and all of it shares one connection to the database; so
 * with one seed everything happens in one order, whatever the machine is doing.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { openTimeline } from '../model/timeline.ts'
import { Died, type Mortality } from '../support/dying.ts'

interface Task {
  readonly name: string
  /** At which of its steps: statements of the database, and what the bank does. */
  readonly diesAt: number
  steps: number
}

export interface Schedule extends Mortality {
  readonly now: () => Date
  /** As `performance.now`, by the virtual clock. */
  readonly elapsed_ms: () => number
  /** Plans what takes no time. */
  readonly plan: (in_s: number, happen: () => void) => void
  readonly start: (in_s: number, name: string, work: () => Promise<unknown>) => void
  /** Lets time pass within a task. */
  readonly sleep: (seconds: number) => Promise<void>
  /** Where whoever runs may be stopped, as a machine stops a process, and goes on later. */
  readonly mayStop: () => Promise<void>
  /** From now on time stands still, until `release`. */
  readonly hold: () => void
  readonly release: () => void
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
  /** At which step the next task dies. */
  readonly diesAt: () => number
  /** For how many seconds whoever runs is stopped now. */
  readonly stopsFor: () => number
}

/** Promises of Node's own that nobody here counts have ended after so many turns. */
const QUIET_TURNS = 2
const turn = () => new Promise<void>((resolve) => void setImmediate(resolve))

export function openSchedule({ start, diesAt, stopsFor }: ScheduleOptions): Schedule {
  const timeline = openTimeline()
  const tasks = new AsyncLocalStorage<Task>()
  const story: string[] = []
  const failures: string[] = []
  const start_ms = start.getTime()
  let [now_ms, held, deaths] = [start_ms, 0, 0]
  let freed = () => {}
  const isDead = (task = tasks.getStore()) => task !== undefined && task.steps >= task.diesAt
  const plan = (in_s: number, happen: () => void) =>
    timeline.add(now_ms + Math.round(in_s * 1000), happen)
  const sleep = (seconds: number) => new Promise<void>((resolve) => plan(seconds, resolve))

  function note(what: string): void {
    const at = new Date(now_ms - start_ms).toISOString().slice(8, 19)
    story.push(`${at} ${tasks.getStore()?.name ?? ''} ${what}`)
  }

  async function live(task: Task, work: () => Promise<unknown>): Promise<void> {
    try {
      await work()
    } catch (error) {
      if (isDead(task)) return
      const failed = error instanceof Error ? (error.stack ?? error.message) : String(error)
      note(`fails: ${failed}`)
      failures.push(`${task.name}: ${failed}`)
    }
  }

  async function quiet(): Promise<void> {
    for (let turns = 0; turns < QUIET_TURNS; turns += 1) {
      await turn()
      if (held === 0) continue
      await new Promise<void>((resolve) => (freed = resolve))
      turns = -1
    }
  }

  return {
    ...{ plan, note, sleep, story, failures, isDead: () => isDead() },
    now: () => new Date(now_ms),
    elapsed_ms: () => now_ms - start_ms,
    deaths: () => deaths,
    start(in_s, name, work) {
      const task = { name, diesAt: diesAt(), steps: 0 }
      plan(in_s, () => void tasks.run(task, () => live(task, work)))
    },
    step() {
      const task = tasks.getStore()
      if (task === undefined) return
      task.steps += 1
      if (!isDead(task)) return
      if (task.steps === task.diesAt) {
        deaths += 1
        note(`dies at step ${task.steps}`)
      }
      throw new Died()
    },
    async mayStop() {
      const seconds = tasks.getStore() === undefined || isDead() ? 0 : stopsFor()
      if (seconds === 0) return
      note(`is stopped for ${Math.round(seconds)} s`)
      await sleep(seconds)
    },
    hold: () => void (held += 1),
    release() {
      held -= 1
      if (held === 0) freed()
    },
    async run(until) {
      let isOver = false
      timeline.add(until.getTime(), () => (isOver = true))
      while (!isOver) {
        const next = timeline.take()
        if (next === undefined) return
        now_ms = Math.max(now_ms, next.at)
        next.happen(next.at)
        await quiet()
      }
    },
  }
}
