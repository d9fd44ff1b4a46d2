/** What a run of mocha says of a mistake: pure, so that it can be told made-up runs. */
import { z } from 'zod'

/** As mocha's JSON reporter writes it, of what is read here. */
const Report = z.object({
  stats: z.object({ passes: z.number() }),
  failures: z
    .array(z.object({ fullTitle: z.string(), err: z.object({ message: z.string().optional() }) }))
    .readonly(),
})

export type Outcome =
  | { readonly is: 'passed' }
  | { readonly is: 'failed'; readonly title: string; readonly message: string }
  /** No test ran: it proves nothing, though mocha may well end with 0. */
  | { readonly is: 'empty' }

/** @throws {Error} where mocha ended badly and names nothing that failed. */
export function outcomeOf(code: number | null, report: unknown): Outcome {
  const { stats, failures } = Report.parse(report)
  const [first] = failures
  if (first !== undefined) {
    return { is: 'failed', title: first.fullTitle, message: first.err.message ?? '' }
  }
  if (stats.passes === 0) return { is: 'empty' }
  if (code !== 0) throw new Error(`mocha ended with ${code}, and nothing has failed`)
  return { is: 'passed' }
}

/**
 * How the same is run without the mistake. Nothing bears the title of a hook, so that a search for
 * it finds no test: the whole file is run then.
 */
export const controlOf = (title: string): readonly string[] =>
  isHook(title) ? [] : ['--fail-zero', '--fgrep', title]

const isHook = (title: string) => /"(?:before|after) (?:all|each)" hook/.test(title)

/** Mocha's own words: a busy machine is late too, so that this alone notices nothing. */
const isTimeout = ({ message }: { readonly message: string }) => message.startsWith('Timeout of ')

/** A test file with the mistake, and what of it without. */
export interface Tried {
  readonly test: string
  readonly mutated: Outcome
  /** None where there was nothing to compare it with. */
  readonly control?: Outcome
}

export interface Verdict {
  readonly is: 'killed' | 'SURVIVED' | 'UNCLEAR'
  readonly by: string
}

/** Whether the mistake was noticed in a way that a test without it can be asked about. */
export const isNoticed = (outcome: Outcome) => outcome.is === 'failed' && !isTimeout(outcome)

/** Killed by the first test that fails with the mistake and passes without it. */
export function verdictOn(tried: readonly Tried[]): Verdict {
  const killer = tried.find(
    ({ mutated, control }) => isNoticed(mutated) && control?.is === 'passed',
  )
  if (killer !== undefined) return { is: 'killed', by: told(killer) }
  const unclear = tried.filter(({ mutated }) => mutated.is !== 'passed')
  if (unclear.length === 0) return { is: 'SURVIVED', by: 'nobody' }
  return { is: 'UNCLEAR', by: unclear.map((one) => `${told(one)} (${whyNot(one)})`).join('; ') }
}

const told = ({ test, mutated }: Tried) =>
  mutated.is === 'failed' ? `${test}: ${mutated.title}` : test

function whyNot({ mutated, control }: Tried): string {
  if (mutated.is === 'empty') return 'ran no test'
  if (!isNoticed(mutated)) return 'took too long'
  return control?.is === 'failed' ? 'fails anyway' : 'without the mistake it ran no test'
}
