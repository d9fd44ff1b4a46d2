/**
 * The scenarios of load, as `run.ts` runs them: clean when no demand was missed. Where nothing
 * could be tried there is nothing clean either, and `installed` says so.
 */
import { failover } from './failover.ts'
import { overload } from './overload.ts'
import type { Mark, Plan } from './place.ts'
import { soak, type SoakFigures } from './soak.ts'
import { stop } from './stop.ts'
import type { Second } from './timeline.ts'

export interface LoadOptions extends Omit<Plan, 'seconds'> {
  readonly minutes: number
}

interface Drawn {
  readonly missed: readonly string[]
  readonly timeline: readonly Second[]
  readonly samples?: SoakFigures['samples']
  readonly marks: readonly Mark[]
}

/** Lists of seconds are drawn, and never shown. */
function ran<T extends Drawn>({ timeline, samples, marks, ...figures }: T) {
  const story = { timeline, marks, ...(samples && { samples }) }
  return { clean: figures.missed.length === 0, shown: figures, json: figures, story }
}

export const loadScenarios = (options: LoadOptions) => {
  const { quick } = options
  const plan = (quick_s: number, seconds: number) => ({
    ...options,
    seconds: quick ? quick_s : seconds,
  })
  return {
    soak: async () => ran(await soak(plan(40, options.minutes * 60))),
    async failover() {
      const figures = await failover(plan(0, 0))
      if (figures !== undefined) return ran(figures)
      options.say('failover: not installed: Postgres 15 or newer with its tools; nothing was tried')
      return { clean: false, installed: false, shown: {}, json: { installed: false } }
    },
    stop: async () => ran(await stop(plan(0, 0))),
    overload: async () => ran(await overload(plan(50, 90))),
  }
}
