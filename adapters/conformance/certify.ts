/** The door of the kit: who may be tried, and the trial. */
import { OURS } from './banks.ts'
import { certify, tableOf, type Verdict } from './kit.ts'
import { ROWS } from './rows.ts'

export { tableOf }

export const CERTIFIABLE = Object.keys(OURS) as (keyof typeof OURS)[]

/** Starts the protocol's own sandbox bank, tries its adapter on it, and stops it. */
export async function certifyOurs(
  protocol: keyof typeof OURS,
  onVerdict: (verdict: Verdict) => void,
): Promise<readonly Verdict[]> {
  const { bank, close } = await OURS[protocol]()
  try {
    return await certify(bank, ROWS, onVerdict)
  } finally {
    await close()
  }
}
