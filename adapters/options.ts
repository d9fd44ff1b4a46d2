/** What adapters are given beside the configuration of their bank. */
import { type Fetch, openFetch } from './fetch.ts'

export interface BankOptions {
  /** Until a connection is made. */
  connect_ms?: number
  /** For one call, from the first byte out to the last byte in. */
  timeout_ms?: number
  /** For a call that only asks, where that is less. */
  enquiryTimeout_ms?: number
  clock?: () => Date
}

export type Options = Required<Omit<BankOptions, 'connect_ms'>> & { readonly fetch: Fetch }

const CONNECT_MS = 2_000
const TIMEOUT_MS = 15_000
const ENQUIRY_TIMEOUT_MS = 10_000

/** What every adapter is given beside its configuration. */
export function bankOptions({ connect_ms = CONNECT_MS, ...given }: BankOptions = {}): Options {
  return {
    ...{ timeout_ms: TIMEOUT_MS, enquiryTimeout_ms: ENQUIRY_TIMEOUT_MS, clock: () => new Date() },
    ...{ fetch: openFetch(connect_ms), ...given },
  }
}
