/** The scenarios of load, as `run.ts` runs them: clean when no demand was missed. */
import { failover } from './failover.ts'
import { overload } from './overload.ts'
import type { Plan } from './place.ts'
import { soak } from './soak.ts'
import { stop } from './stop.ts'

export interface LoadOptions extends Omit<Plan, 'seconds'> {
  readonly minutes: number
}

/** What is shown is what is no list of seconds. */
function ran<T extends { readonly missed: readonly string[] }>(figures: T) {
  const lists = ['timeline', 'samples', 'marks']
  const shown = Object.fromEntries(
    Object.entries(figures).filter(([name]) => !lists.includes(name)),
  )
  return { clean: figures.missed.length === 0, shown, json: figures }
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
      return { clean: true, shown: {}, json: { installed: false } }
    },
    stop: async () => ran(await stop(plan(0, 0))),
    overload: async () => ran(await overload(plan(12, 30))),
  }
}
