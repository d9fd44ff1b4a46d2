/**
 * The banks as we know them: over which rails each moves money, where to, how much, and when. The
 * registry is configuration, and a rail in it has dates, so what changes next month stands there
 * today.
 */
import type { Capability, Direction, NameCheck } from '../../adapters/adapter.ts'
import type { Config } from '../config.ts'

type BankConfig = Config['BANKS'][number]

/** A way in which a bank moves money. */
export interface Rail {
  readonly rail: string
  readonly directions: readonly Direction[]
  readonly currencies: readonly string[]
  /** Where accounts may be: at these banks of ours, or in these countries. */
  readonly reaches: { readonly banks: readonly string[]; readonly countries: readonly string[] }
  /** Minor units by currency; without a limit where a currency is not named. */
  readonly amountMin: Readonly<Record<string, bigint>>
  readonly amountMax: Readonly<Record<string, bigint>>
  /** Null: always. */
  readonly hours: Hours | null
  /** The lowest is chosen. */
  readonly priority: number
  /** Which answers about an account's owner are enough before it is paid for the first time. */
  readonly nameCheck: readonly NameCheck[]
  readonly validFrom: Date | null
  readonly validTo: Date | null
}

/** When a rail is open, by the clock of a place. */
export interface Hours {
  readonly timeZone: string
  /** 1 is Monday, 7 Sunday. */
  readonly days: readonly number[]
  /** `HH:MM`; from and until, within a day. */
  readonly opens: string
  readonly closes: string
}

export interface Period {
  readonly from: Date
  readonly to: Date
}

export interface RegisteredBank {
  readonly name: string
  readonly title: string
  readonly country: string | null
  readonly currencies: readonly string[]
  readonly capabilities: ReadonlySet<Capability>
  readonly priority: number
  readonly rails: readonly Rail[]
  /** When it has said that it will not work. */
  readonly maintenance: readonly Period[]
  /** Minor units by currency: how much may be on its way out through it, its outcome not known. */
  readonly exposureMax: Readonly<Record<string, bigint>>
}

/** Of an account at the bank itself. */
const INTERNAL = 'internal'
const PRIORITY = 100
const ANY_OWNER: readonly NameCheck[] = ['match', 'close_match', 'not_possible']

/** What the bank's entry says, with what goes without saying. */
export function registeredBank(
  config: BankConfig,
  capabilities: ReadonlySet<Capability>,
): RegisteredBank {
  const { name, currencies, title = name, country = null, priority = PRIORITY } = config
  const rails = config.rails ?? [{ rail: INTERNAL, directions: ['debit', 'credit'] }]
  return {
    ...{ name, title, country, currencies, capabilities, priority },
    rails: rails.map((rail) => railOf(config, rail)),
    maintenance: config.maintenance?.map(periodOf) ?? [],
    exposureMax: amountsOf(config.exposure_max),
  }
}

type RailConfig = NonNullable<BankConfig['rails']>[number]

function railOf({ name, currencies, priority = PRIORITY }: BankConfig, config: RailConfig): Rail {
  const { rail, directions, hours, banks = [], countries = [] } = config
  return {
    ...{ rail, directions, currencies: config.currencies ?? currencies },
    reaches: { banks: rail === INTERNAL ? [name] : banks, countries },
    amountMin: amountsOf(config.amount_min),
    amountMax: amountsOf(config.amount_max),
    hours: hours === undefined ? null : { timeZone: hours.time_zone, ...hours },
    priority: config.priority ?? priority,
    nameCheck: config.name_check ?? ANY_OWNER,
    validFrom: dateOf(config.valid_from),
    validTo: dateOf(config.valid_to),
  }
}

const dateOf = (text: string | undefined) => (text === undefined ? null : new Date(text))
const periodOf = ({ from, to }: { readonly from: string; readonly to: string }): Period => ({
  ...{ from: new Date(from), to: new Date(to) },
})
const amountsOf = (amounts: Readonly<Record<string, string>> = {}) =>
  Object.fromEntries(Object.entries(amounts).map(([currency, text]) => [currency, BigInt(text)]))
