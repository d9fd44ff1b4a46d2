/**
 * What every adapter must do, tried on one and its bank's sandbox. A row is a promise of the
 * contract; one that needs what the bank does not offer is not tried. The kit knows nothing but the
 * contract, so it can be pointed at any bank that can be provoked.
 */
import { type BankAdapter, type BankEvent, type Capability, type Headers } from '../adapter.ts'

/** What the bank can be made to do, by an amount in minor units. */
export type Provocation =
  | 'settled'
  | 'rejected'
  /** Done, but neither answered nor called back. */
  | 'silent'
  /** Done, but answered with an error, or with something that makes no sense. */
  | 'error'
  | 'garbage'
  | 'returned'
  /** Settled; recalled, its money comes back, or does not. */
  | 'recall_returned'
  | 'recall_refused'

export interface Callback {
  readonly headers: Headers
  readonly body: Buffer
}

/** A bank that may be tried: its sandbox, with an account that has money, and one that is not. */
export interface BankUnderTest {
  readonly adapter: BankAdapter
  /** The same adapter, where nobody listens; undefined where there is no address. */
  readonly nowhere?: BankAdapter | undefined
  readonly currency: string
  readonly rail: string
  readonly account: { readonly number: string; readonly holder: string }
  readonly nobody: { readonly number: string; readonly holder: string }
  /** As a stranger would write the holder, and as somebody in a hurry would. */
  readonly names: { readonly other: string; readonly similar: string }
  readonly amounts: Readonly<Partial<Record<Provocation, bigint>>>
  /** What the bank has told us so far, by whatever way it tells. */
  readonly heard: () => Promise<readonly BankEvent[]>
  /** The callbacks that came, as they came. */
  readonly callbacks: () => readonly Callback[]
  /** How long it may take until something is told; ten seconds unless it says so. */
  readonly patience_ms?: number
  /** Waits for whatever comes at its own time, such as the end of a day. */
  readonly endDay?: () => Promise<void>
}

export interface Verdict {
  readonly row: string
  readonly verdict: 'passed' | 'failed' | 'not offered'
  /** Why not, where it failed; what is missing, where it is not offered. */
  readonly reason: string
}

export interface Row {
  readonly name: string
  readonly needs: readonly Capability[]
  readonly provokes?: readonly Provocation[]
  /** Needs none of these: the row is about what is not offered. */
  readonly unless?: readonly Capability[]
  readonly needsAddress?: true
  /** @throws {Error} that says what was not as promised. */
  readonly try: (bank: BankUnderTest) => Promise<void>
}

/** Runs the rows one after another: each has references of its own. */
export async function certify(
  bank: BankUnderTest,
  rows: readonly Row[],
  onVerdict: (verdict: Verdict) => void = () => {},
): Promise<readonly Verdict[]> {
  const verdicts: Verdict[] = []
  for (const row of rows) {
    const verdict = await verdictOn(bank, row)
    verdicts.push(verdict)
    onVerdict(verdict)
  }
  return verdicts
}

async function verdictOn(bank: BankUnderTest, row: Row): Promise<Verdict> {
  const missing = missingOf(bank, row)
  if (missing !== undefined) return { row: row.name, verdict: 'not offered', reason: missing }
  try {
    await row.try(bank)
    return { row: row.name, verdict: 'passed', reason: '' }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    return { row: row.name, verdict: 'failed', reason }
  }
}

function missingOf(bank: BankUnderTest, row: Row): string | undefined {
  const { capabilities } = bank.adapter
  const needed = row.needs.find((one) => !capabilities.has(one))
  if (needed !== undefined) return needed
  const instead = row.unless?.find((one) => capabilities.has(one))
  if (instead !== undefined) return `it has ${instead}`
  if (row.needsAddress === true && bank.nowhere === undefined) return 'an address'
  return row.provokes?.find((one) => bank.amounts[one] === undefined)
}

/** A table that is read in a terminal. */
export function tableOf(verdicts: readonly Verdict[]): string {
  const width = Math.max(...verdicts.map(({ row }) => row.length))
  return verdicts
    .map(({ row, verdict, reason }) => `  ${row.padEnd(width)}  ${verdict.padEnd(11)}  ${reason}`)
    .map((line) => line.trimEnd())
    .join('\n')
}
