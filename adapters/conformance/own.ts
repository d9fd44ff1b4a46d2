/** Somebody's own bank, made ready to be tried: its test system, as they describe it. */
import { type BankAdapter, type BankEvent, UNSUPPORTED } from '../adapter.ts'
import { type BankConfig, openBanks } from '../index.ts'
import { bankOptions, type Options } from '../options.ts'
import { eventsIn, nowhere, type Opened, startListener } from './banks.ts'
import type { BankUnderTest } from './kit.ts'

/** What the kit needs to know of the bank's test system. */
export interface Trial extends Pick<
  BankUnderTest,
  'currency' | 'rail' | 'account' | 'nobody' | 'names' | 'amounts'
> {
  readonly patience_ms?: number | undefined
  /** Where we hear the bank's callbacks, as the bank is told; nowhere where it has none. */
  readonly listen?: { readonly host: string; readonly port: number } | undefined
}

/** Opens the adapter of a bank as it is configured. */
export type OpenAdapter<Config extends object = object> = (
  config: Config,
  options: Options,
) => BankAdapter

/** @throws {Error} for a configuration that cannot be meant, or a port that is taken. */
export async function openOwn<Config extends object>(
  open: OpenAdapter<Config>,
  config: Config,
  trial: Trial,
): Promise<Opened> {
  const { listen, patience_ms, ...told } = trial
  const options = bankOptions()
  const adapter = whole(open(config, options))
  const elsewhere = 'url' in config && whole(open({ ...config, url: await nowhere() }, options))
  const listener = listen && (await startListener(listen))
  const collected: BankEvent[] = []
  const heard = async () => {
    if (adapter.capabilities.has('collect')) {
      for await (const file of adapter.collect()) {
        collected.push(...file.events)
        await file.accept()
      }
    }
    return [...collected, ...eventsIn(adapter, listener?.callbacks ?? [])]
  }
  const bank: BankUnderTest = {
    ...(patience_ms !== undefined && { patience_ms }),
    ...{ ...told, adapter, heard, callbacks: () => listener?.callbacks ?? [] },
    nowhere: elsewhere || undefined,
  }
  return { bank, close: async () => listener?.stop() }
}

/** One of the protocols that are here. */
export const openKnown: OpenAdapter<BankConfig> = (config, options) => {
  const adapter = openBanks([config], options).get(config.name)
  if (adapter === undefined) throw new Error(`${config.name} did not open`)
  return adapter
}

/** What somebody else wrote may lack what no compiler looked for. */
function whole(adapter: BankAdapter): BankAdapter {
  const given: Partial<BankAdapter> = adapter ?? {}
  const methods = Object.keys(UNSUPPORTED) as (keyof typeof UNSUPPORTED)[]
  const missing: string[] = methods.filter((method) => typeof given[method] !== 'function')
  if (typeof given.name !== 'string') missing.push('name')
  if (!(given.capabilities instanceof Set)) missing.push('capabilities, a Set')
  if (missing.length > 0) throw new Error(`the adapter has no ${missing.join(', ')}`)
  return adapter
}
