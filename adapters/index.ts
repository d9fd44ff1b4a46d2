/** The banks we know. Adding a protocol is a folder beside this file and a line in `PROTOCOLS`. */
import { isCurrency } from '../ledger/money.ts'
import type { BankAdapter } from './adapter.ts'
import { exampleAdapter, type ExampleConfig } from './example/adapter.ts'
import { iso20022Adapter } from './iso20022/adapter.ts'
import type { Iso20022Config } from './iso20022/config.ts'
import { type BankOptions, bankOptions, type Options } from './options.ts'
import { sandboxAdapter, type SandboxConfig } from './sandbox/adapter.ts'

export type { Accounts } from './iso20022/accounts.ts'
export { readCamt053, type StatementItem } from './iso20022/camt053.ts'
export { BadFile } from './iso20022/xml.ts'

/** By protocol; `name` is short and permanent, for it is stored with every instruction. */
export type BankConfig =
  | (SandboxConfig & {
      readonly protocol: 'sandbox'
      /** ISO 4217 codes of the accounts we hold there. */
      readonly currencies: readonly string[]
    })
  | (Iso20022Config & { readonly protocol: 'iso20022' })
  | (ExampleConfig & {
      readonly protocol: 'example'
      readonly currencies: readonly string[]
    })

const PROTOCOLS: {
  readonly [P in BankConfig['protocol']]: (
    config: Extract<BankConfig, { readonly protocol: P }>,
    options: Options,
  ) => BankAdapter
} = {
  sandbox: sandboxAdapter,
  iso20022: iso20022Adapter,
  example: exampleAdapter,
}

const open = <P extends BankConfig['protocol']>(
  protocol: P,
  config: Extract<BankConfig, { readonly protocol: P }>,
  options: Options,
) => PROTOCOLS[protocol](config, options)

/**
 * The adapters by the bank's name. Opens no connection.
 * @throws {Error} for a configuration that cannot be meant.
 */
export function openBanks(
  configs: readonly BankConfig[],
  options: BankOptions = {},
): ReadonlyMap<string, BankAdapter> {
  const all = bankOptions(options)
  const banks = new Map<string, BankAdapter>()
  for (const config of configs) {
    if (banks.has(config.name)) throw new Error(`two banks are called ${config.name}`)
    const unknown = config.currencies.filter((code) => !isCurrency(code))
    if (unknown.length > 0) throw new Error(`${config.name}: no currency: ${unknown.join(' ')}`)
    banks.set(config.name, open(config.protocol, config, all))
  }
  return banks
}
