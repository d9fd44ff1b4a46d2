/** Who plays in the sandbox. None of this exists anywhere else. */

export interface CastPerson {
  /** The subject of the person's tokens. */
  readonly sub: string
  readonly alias: string
  readonly name: string
  readonly pin: string
  readonly account: { readonly bank: string; readonly number: string; readonly holder: string }
}

export const PEOPLE = [
  {
    ...{ sub: 'alice', alias: 'alice', name: 'Alice Larsen', pin: '274951' },
    account: { bank: 'aurora', number: 'AU-2001', holder: 'Alice Larsen' },
  },
  {
    ...{ sub: 'bob', alias: 'bob', name: 'Bob Okafor', pin: '830462' },
    account: { bank: 'meridian', number: 'ME-3001', holder: 'Bob Okafor' },
  },
] as const satisfies readonly CastPerson[]

export const CAFE = {
  sub: 'cafe',
  alias: 'cafe',
  name: 'Café Sol',
  account: { bank: 'meridian', number: 'ME-7001', holder: 'Café Sol' },
  /** As its invoices have it. */
  profile: {
    ...{ legal_name: 'Café Sol S.L.', registration_number: 'M-123456', tax_id: 'ESB00000000' },
    ...{ category: '5814', country: 'ES' },
    ...{ street: 'Calle del Sol 1', postal_code: '28013', city: 'Madrid' },
  },
  /** What lies beyond ten euros costs less; a refund gives the percentages back. */
  fees: {
    currency: 'EUR',
    components: [
      {
        ...{ kind: 'tiers', of: 'payment', mode: 'graduated' },
        steps: [
          { up_to: '1000', percent: '1.4' },
          { up_to: null, percent: '0.9' },
        ],
      },
      { kind: 'fixed', amount: '25' },
    ],
    tax_percent: '20',
    refund_fees: 'pro_rata',
  },
} as const

/** Who issues the invoices here. */
export const ISSUER = {
  name: 'Florin Sandbox',
  address: ['1 Example Street', 'Dublin', 'Ireland'],
  tax_id: null,
} as const

export const OPERATOR = { sub: 'olga' } as const
/** Agrees to what the first proposes. */
export const SECOND_OPERATOR = { sub: 'otto' } as const

/** The banks, and what their customers have there at first: minor units. */
export const BANKS = [
  {
    name: 'aurora',
    customers: [{ ...PEOPLE[0].account, currency: 'EUR', balance: 10_000_000n }],
  },
  {
    name: 'meridian',
    customers: [
      { ...PEOPLE[1].account, currency: 'EUR', balance: 5_000_000n },
      { ...CAFE.account, currency: 'EUR', balance: 0n },
    ],
  },
] as const
