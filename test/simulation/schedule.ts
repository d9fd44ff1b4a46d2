/**
 * Virtual time, and tasks that stop and die. Time stands still until everything that is under way
 * has ended or waits for a later moment, and all of it shares one connection to the database.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { openTimeline, type Timeline } from '../model/timeline.ts'
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

interface State {
  readonly timeline: Timeline
  readonly tasks: AsyncLocalStorage<Task>
  readonly start_ms: number
  readonly story: string[]
  readonly failures: string[]
  now_ms: number
  deaths: number
  /** How many connections to the database are in use. */
  held: number
  freed: () => void
}

const isDead = (task: Task | undefined) => task !== undefined && task.steps >= task.diesAt

function note({ now_ms, start_ms, tasks, story }: State, what: string): void {
  const at = new Date(now_ms - start_ms).toISOString().slice(8, 19)
  story.push(`${at} ${tasks.getStore()?.name ?? ''} ${what}`)
}

function plan({ timeline, now_ms }: State, in_s: number, happen: () => void): void {
  timeline.add(now_ms + Math.round(in_s * 1000), happen)
}

const sleep = (state: State, seconds: number) =>
  new Promise<void>((resolve) => plan(state, seconds, resolve))

async function live(state: State, task: Task, work: () => Promise<unknown>): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (isDead(task)) return
    const failed = error instanceof Error ? (error.stack ?? error.message) : String(error)
    note(state, `fails: ${failed}`)
    state.failures.push(`${task.name}: ${failed}`)
  }
}

function step(state: State): void {
  const task = state.tasks.getStore()
  if (task === undefined) return
  task.steps += 1
  if (!isDead(task)) return
  if (task.steps === task.diesAt) {
    state.deaths += 1
    note(state, `dies at step ${task.steps}`)
  }
  throw new Died()
}

async function quiet(state: State): Promise<void> {
  for (let turns = 0; turns < QUIET_TURNS; turns += 1) {
    await turn()
    if (state.held === 0) continue
    await new Promise<void>((resolve) => (state.freed = resolve))
    turns = -1
  }
}

async function run(state: State, until: Date): Promise<void> {
  const end = { isReached: false }
  state.timeline.add(until.getTime(), () => (end.isReached = true))
  while (!end.isReached) {
    const next = state.timeline.take()
    if (next === undefined) return
    state.now_ms = Math.max(state.now_ms, next.at)
    next.happen(next.at)
    await quiet(state)
  }
}

export function openSchedule({ start, diesAt, stopsFor }: ScheduleOptions): Schedule {
  const start_ms = start.getTime()
  const state: State = {
    ...{ timeline: openTimeline(), tasks: new AsyncLocalStorage<Task>(), start_ms },
    ...{ story: [], failures: [], now_ms: start_ms, deaths: 0, held: 0, freed: () => {} },
  }
  const { tasks, story, failures } = state
  return {
    ...{ story, failures, deaths: () => state.deaths },
    now: () => new Date(state.now_ms),
    elapsed_ms: () => state.now_ms - start_ms,
    plan: (in_s, happen) => plan(state, in_s, happen),
    note: (what) => note(state, what),
    sleep: (seconds) => sleep(state, seconds),
    isDead: () => isDead(tasks.getStore()),
    step: () => step(state),
    start(in_s, name, work) {
      const task = { name, diesAt: diesAt(), steps: 0 }
      plan(state, in_s, () => void tasks.run(task, () => live(state, task, work)))
    },
    async mayStop() {
      const task = tasks.getStore()
      const seconds = task === undefined || isDead(task) ? 0 : stopsFor()
      if (seconds === 0) return
      note(state, `is stopped for ${Math.round(seconds)} s`)
      await sleep(state, seconds)
    },
    hold: () => void (state.held += 1),
    release() {
      state.held -= 1
      if (state.held === 0) state.freed()
    },
    run: (until) => run(state, until),
  }
}
