/** The door of the kit: who may be tried, and the trial. */
import type { BankConfig } from '../index.ts'
import { type Opened, OURS } from './banks.ts'
import { certify, tableOf, type Verdict } from './kit.ts'
import { type OpenAdapter, openKnown, openOwn, type Trial } from './own.ts'
import { ROWS } from './rows.ts'

export { type OpenAdapter, tableOf }

export const CERTIFIABLE = Object.keys(OURS) as (keyof typeof OURS)[]

/** Tries the adapter that a configuration names on the bank's test system. */
export async function certifyOwn(
  config: BankConfig,
  trial: Trial,
  onVerdict: (verdict: Verdict) => void,
): Promise<readonly Verdict[]> {
  return tried(await openOwn(openKnown, config, trial), onVerdict)
}

/** The same with an adapter that is not among ours. */
export async function certifyElse(
  open: OpenAdapter,
  config: object,
  trial: Trial,
  onVerdict: (verdict: Verdict) => void,
): Promise<readonly Verdict[]> {
  return tried(await openOwn(open, config, trial), onVerdict)
}

/** Starts the protocol's own sandbox bank, tries its adapter on it, and stops it. */
export async function certifyOurs(
  protocol: keyof typeof OURS,
  onVerdict: (verdict: Verdict) => void,
): Promise<readonly Verdict[]> {
  return tried(await OURS[protocol](), onVerdict)
}

async function tried({ bank, close }: Opened, onVerdict: (verdict: Verdict) => void) {
  try {
    return await certify(bank, ROWS, onVerdict)
  } finally {
    await close()
  }
}
