/** The banks we know. Adding a protocol is a folder beside this file and a line in `PROTOCOLS`. */
import { isCurrency } from '../ledger/money.ts'
import type { BankAdapter } from './adapter.ts'
import { sandboxAdapter } from './sandbox/adapter.ts'

export { readCamt053, type StatementItem } from './iso20022/camt053.ts'
export { BadFile } from './iso20022/xml.ts'

export interface BankConfig {
  /** Short and permanent: it is stored with every instruction. */
  name: string
  protocol: 'sandbox'
  url: string
  /** `whsec_<base64>`: signs our requests and the bank's callbacks. */
  secret: string
  /** The secret before this one: callbacks may still carry it while the bank changes over. */
  previousSecret?: string | undefined
  /** ISO 4217 codes of the accounts we hold there. */
  currencies: readonly string[]
}

export interface BankOptions {
  /** For one call, from the first byte out to the last byte in. */
  timeout_ms?: number
  clock?: () => Date
}

type OpenBank = (config: BankConfig, options: Required<BankOptions>) => BankAdapter

const PROTOCOLS = {
  sandbox: sandboxAdapter,
} as const satisfies Record<BankConfig['protocol'], OpenBank>

const TIMEOUT_MS = 15_000

/**
 * The adapters by the bank's name. Opens no connection.
 * @throws {Error} for a configuration that cannot be meant.
 */
export function openBanks(
  configs: readonly BankConfig[],
  options: BankOptions = {},
): ReadonlyMap<string, BankAdapter> {
  const defaults = { timeout_ms: TIMEOUT_MS, clock: () => new Date(), ...options }
  const banks = new Map<string, BankAdapter>()
  for (const config of configs) {
    if (banks.has(config.name)) throw new Error(`two banks are called ${config.name}`)
    if (!URL.canParse(config.url)) throw new Error(`${config.name}: ${config.url} is not a URL`)
    const unknown = config.currencies.filter((code) => !isCurrency(code))
    if (unknown.length > 0) throw new Error(`${config.name}: no currency: ${unknown.join(' ')}`)
    banks.set(config.name, PROTOCOLS[config.protocol](config, defaults))
  }
  return banks
}
