/** What lies between the processes of a town: links of which each goes wrong in ways of its own. */
import type { NetConnectOpts } from 'node:net'
import { type ForwarderOptions, openForwarder } from './forwarder.ts'
import { type Faulty, type LinkOptions, openLink } from './proxy.ts'
import { seedOf } from './seeds.ts'

type Terms<Options> = Omit<Options, 'targets' | 'port' | 'seed'>

/**
 * How often, and for how long: to a database far more is said than to a bank. Whatever is held back
 * reaches a bank within its cut-off, together with how late the bank itself may be. A database may
 * be silent for longer than anybody waits for it.
 */
const LINKS = {
  'driver and API': { rate: 0.03, hold_ms: 15_000 },
  'bank and API': { rate: 0.03, hold_ms: 8_000 },
  'worker and bank': { rate: 0.03, hold_ms: 6_000 },
  'API and Postgres': { rate: 0.0015, commitRate: 0.01, hold_ms: 20_000 },
  'worker and Postgres': { rate: 0.0015, commitRate: 0.01, hold_ms: 20_000 },
  Redis: { rate: 0.002, hold_ms: 6_000 },
} as const satisfies Readonly<Record<string, Terms<LinkOptions>>>

const FORWARDERS = {
  'driver and API': { rate: 0.03, faults: ['duplicate'] },
  'bank and API': { rate: 0.06 },
} as const satisfies Readonly<Record<string, Terms<ForwarderOptions>>>

export interface Network extends Faulty {
  /** @returns the port here that leads to each of them in turn. */
  readonly link: (
    between: keyof typeof LINKS,
    targets: readonly NetConnectOpts[],
    /** Where there are several of a kind: which one. */
    which?: string,
  ) => Promise<number>
  /** The same for requests, to ports here. */
  readonly forwarder: (
    between: keyof typeof FORWARDERS,
    targets: readonly number[],
  ) => Promise<number>
}

export function openNetwork(seed: number): Network {
  const all: { readonly between: string; readonly one: Faulty }[] = []
  const kept = (between: string, one: Faulty & { readonly port: number }) => {
    all.push({ between, one })
    return one.port
  }
  const named = new Set<string>()
  /** By its name: which one is opened first is a matter of chance of another kind. */
  const seedOfOne = (name: string) => {
    if (named.has(name)) throw new Error(`there is a ${name} already`)
    named.add(name)
    return seedOf(seed, name)
  }
  return {
    async link(between, targets, which = '') {
      const options = { targets, seed: seedOfOne(`link ${between} ${which}`), ...LINKS[between] }
      return kept(between, await openLink(options))
    },
    async forwarder(between, targets) {
      const options = { targets, seed: seedOfOne(`forwarder ${between}`), ...FORWARDERS[between] }
      return kept(between, await openForwarder(options))
    },
    counts() {
      const counts: Record<string, number> = {}
      for (const { between, one } of all) {
        for (const [fault, count] of Object.entries(one.counts())) {
          const name = `${between}: ${fault}`
          counts[name] = (counts[name] ?? 0) + count
        }
      }
      return counts
    },
    calm: () => all.forEach(({ one }) => one.calm()),
    close: async () => void (await Promise.all(all.map(({ one }) => one.close()))),
  }
}
