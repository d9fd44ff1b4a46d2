/** `npm run torture -- --scenario input`: bad input against the API as it is deployed. */
import { connect } from '../../../ledger/index.ts'
import { BANKS, openTown, secretOf, type Town } from '../town.ts'
import { type InputFigures, sendBadInput } from './input.ts'

export interface ScenarioFigures extends Omit<InputFigures, 'offences'> {
  readonly offences: number
  /**
   * Of the API: the least after the warm-up, the least in the end, and the most ever. What is not
   * collected yet comes and goes by tens of megabytes; the least does not.
   */
  readonly rss_mb: readonly [warm: number, end: number, most: number]
  readonly restarts: number
}

/** What is learned once (statements, code, keys) is learned by then. */
const WARM_UP = 0.25
/** So often it is asked how large the API is, in each quarter of the requests. */
const LOOKS = 10
const GROWTH_MAX_MB = 50
const CONNECTIONS = 12

/** Requests are refused for what they are, and not for how many there are of them. */
const GENEROUS = {
  ...{ MERCHANT_REVIEW: 'off', NO_PIN_LIMIT: '0', LOG_LEVEL: 'error' },
  ...{ WEBHOOK_TARGETS: 'any' },
  ...{ RATE_LOOKUPS_PER_MINUTE: '0', RATE_SECURITY_PER_MINUTE: '0' },
  ...{ RATE_ANONYMOUS_PER_MINUTE: '0', SPRAY_FAILURES_PER_ADDRESS_HOUR: '0' },
  SPRAY_FAILURES_GLOBAL_MINUTE: '0',
}

export async function tortureInput(plan: {
  readonly seed: number
  readonly requests: number
  readonly say: (line: string) => void
}): Promise<ScenarioFigures> {
  const { requests, say } = plan
  const town = await openTown({ seed: plan.seed, faults: 0, isRough: false, settings: GENEROUS })
  const db = connect({ url: town.url, connectionsMax: 2, applicationName: 'torture' })
  const stage = {
    ...{ apiUrl: town.apiUrl, db, tokenOf: town.tokenOf },
    banks: BANKS.map((name) => ({ name, secret: secretOf(name) })),
    customers: [
      { number: 'T-0001', holder: 'Customer 1' },
      { number: 'T-0002', holder: 'Customer 2' },
    ] as const,
  }
  const sizes: number[] = []
  try {
    const { offences, ...figures } = await sendBadInput(stage, {
      ...{ ...plan, connections: CONNECTIONS },
      async between(sent) {
        if (sent > 0 && sent % 10_000 === 0) {
          say(`input: ${sent} sent, ${sizes.at(-1) ?? 0} MB`)
        }
        const looks = (sent / (requests * WARM_UP)) * LOOKS
        if (sizes.length < looks) sizes.push(await rssOf(town))
      },
    })
    const rss_mb = leastOf([...sizes, await rssOf(town)])
    const restarts = town.apis.flatMap((one) => one.starts().slice(1)).length
    const all = [...offences, ...ofProcess(town, rss_mb, restarts)]
    for (const offence of all) say(offence)
    return { ...figures, offences: all.length, rss_mb, restarts }
  } finally {
    await db.destroy()
    await town.close()
  }
}

/** Of the second quarter, of the last, and the most of all. */
export function leastOf(sizes: readonly number[]): ScenarioFigures['rss_mb'] {
  const quarter = Math.ceil(sizes.length / 4)
  const second = sizes.length < 4 ? sizes.slice(0, 1) : sizes.slice(quarter, 2 * quarter)
  const last = sizes.slice(-quarter)
  return [Math.min(...second), Math.min(...last), Math.max(...sizes)]
}

/** What no answer shows. */
function ofProcess(
  { apis: [api] }: Town,
  [warm, end]: ScenarioFigures['rss_mb'],
  restarts: number,
): string[] {
  const errors =
    api?.words().match(/^.*(?:unhandled rejection|internal error|uncaught).*$/gim) ?? []
  const grown = end - warm > GROWTH_MAX_MB ? [`  the API grew from ${warm} to ${end} MB`] : []
  return [
    ...errors.slice(0, ERRORS_SHOWN).map((line) => `  in the log of the API: ${line}`),
    ...grown,
    ...(restarts > 0 ? [`  the API ended ${restarts} times`] : []),
  ]
}

const ERRORS_SHOWN = 20

/** As the process says itself. */
async function rssOf({ apiUrl }: Town): Promise<number> {
  const text = await (await fetch(`${apiUrl}/metrics`)).text()
  const bytes = /^\w*process_resident_memory_bytes\S* (\S+)$/m.exec(text)?.[1]
  if (bytes === undefined) throw new Error('the process does not say how large it is')
  return Math.round(Number(bytes) / 2 ** 20)
}
