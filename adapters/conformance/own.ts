/** Somebody's own bank, made ready to be tried: its test system, as they describe it. */
import type { BankEvent } from '../adapter.ts'
import { type BankConfig, openBanks } from '../index.ts'
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

/** @throws {Error} for a configuration that cannot be meant, or a port that is taken. */
export async function openOwn(config: BankConfig, trial: Trial): Promise<Opened> {
  const { listen, patience_ms, ...told } = trial
  const adapter = adapterOf(config)
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
    nowhere: 'url' in config ? adapterOf({ ...config, url: await nowhere() }) : undefined,
  }
  return { bank, close: async () => listener?.stop() }
}

function adapterOf(config: BankConfig) {
  const adapter = openBanks([config]).get(config.name)
  if (adapter === undefined) throw new Error(`${config.name} did not open`)
  return adapter
}
