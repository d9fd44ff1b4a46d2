/** The scenarios of load, as `run.ts` runs them: clean when no demand was missed. */
import { overload } from './overload.ts'
import type { Plan } from './place.ts'
import { soak } from './soak.ts'

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
    overload: async () => ran(await overload(plan(10, 30))),
  }
}
