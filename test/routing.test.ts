/** Which bank an instruction goes through: by sentences, and against another way of thinking. */
import { expect } from 'chai'
import fc from 'fast-check'
import type { RegisteredBank, Rail } from '../services/banks/registry.ts'
import { type BankNow, isOpenAt, route, type RouteRequest } from '../services/banks/routing.ts'
import { chosenByElimination } from './model/routing.ts'

const AT = new Date('2026-11-25T12:00:00Z')

const rail = (name: string, change: Partial<Rail> = {}): Rail => ({
  ...{ rail: name, directions: ['debit', 'credit'], currencies: ['EUR'] },
  reaches: { banks: ['aurora'], countries: [] },
  ...{ amountMin: {}, amountMax: {}, hours: null, priority: 100 },
  nameCheck: ['match', 'close_match', 'not_possible'],
  ...{ validFrom: null, validTo: null, ...change },
})

const bank = (name: string, rails: readonly Rail[], now: Partial<BankNow> = {}): BankNow => ({
  bank: {
    ...{ name, title: name, country: null, currencies: ['EUR'], priority: 100, rails },
    ...{ capabilities: new Set(['debit', 'credit'] as const), maintenance: [], exposureMax: {} },
  },
  ...{ outages: [], isFailing: false, exposure: 0n, ...now },
})

const asked = (change: Partial<RouteRequest> = {}): RouteRequest => ({
  ...{ direction: 'credit', money: { amount: 1_000n, currency: 'EUR' }, at: AT },
  account: { bank: 'aurora', country: 'NL', nameCheck: 'match', isConfirmed: false, isPaid: false },
  ...change,
})

const verdictsOf = (request: RouteRequest, banks: readonly BankNow[]) =>
  route(request, banks).considered.map(({ bank: name, verdict }) => `${name} ${verdict}`)

const during = (from: string, to: string) => ({ from: new Date(from), to: new Date(to) })
const TODAY = during('2026-11-25T00:00:00Z', '2026-11-26T00:00:00Z')
const withBank = (now: BankNow, change: Partial<RegisteredBank>): BankNow => ({
  ...now,
  bank: { ...now.bank, ...change },
})

describe('an instruction', () => {
  const aurora = bank('aurora', [rail('internal', { priority: 10 })])
  const meridian = bank('meridian', [
    rail('sepa', { reaches: { banks: [], countries: ['NL', 'DE'] } }),
  ])

  it('goes through the open rail that comes first, and each says in a sentence why', () => {
    const { chosen, considered } = route(asked(), [meridian, aurora])
    expect(chosen).to.deep.equal({ bank: 'aurora', rail: 'internal' })
    expect(considered.map(({ verdict }) => verdict)).to.deep.equal(['chosen', 'possible'])
    for (const { sentence } of considered) expect(sentence).to.match(/^[A-Z].{10,}$/)
  })

  it('goes through another bank that reaches the account while the first is closed', () => {
    const closed = { ...aurora, outages: [{ ...TODAY, rail: null }] }
    expect(route(asked(), [closed, meridian]).chosen).to.deep.equal({
      bank: 'meridian',
      rail: 'sepa',
    })
    const failing = { ...aurora, isFailing: true }
    expect(verdictsOf(asked(), [failing, meridian])).to.deep.equal([
      ...['aurora failing', 'meridian chosen'],
    ])
  })

  const only = (change: Partial<Rail>, now: Partial<BankNow> = {}) => [
    bank('aurora', [rail('one', change)], now),
  ]
  const hours = {
    timeZone: 'Europe/Amsterdam',
    days: [1, 2, 3, 4, 5],
    opens: '08:00',
    closes: '12:00',
  }
  const CASES: readonly (readonly [string, RouteRequest, readonly BankNow[], string, boolean])[] = [
    ['no longer in force', asked(), only({ validTo: AT }), 'not_valid', false],
    [
      'not yet in force',
      asked(),
      only({ validFrom: new Date(AT.getTime() + 1) }),
      'not_valid',
      false,
    ],
    ['of the other direction', asked(), only({ directions: ['debit'] }), 'direction', false],
    ['of another currency', asked(), only({ currencies: ['SEK'] }), 'currency', false],
    [
      'that reaches others',
      asked(),
      only({ reaches: { banks: ['meridian'], countries: ['DE'] } }),
      ...(['not_reached', false] as const),
    ],
    ['for more', asked(), only({ amountMin: { EUR: 1_001n } }), 'amount', false],
    ['for less', asked(), only({ amountMax: { EUR: 999n } }), 'amount', false],
    [
      'that is strict',
      asked({ account: { ...asked().account, nameCheck: 'close_match' } }),
      only({ nameCheck: ['match'] }),
      'owner_not_checked',
      false,
    ],
    [
      'whose owner has yet to say that a close match is them',
      asked({ account: { ...asked().account, nameCheck: 'close_match' } }),
      ...([only({}), 'owner_not_confirmed', false] as const),
    ],
    ['that is closed at noon', asked(), only({ hours }), 'closed', true],
    [
      'under maintenance',
      asked(),
      only({}).map((one) => withBank(one, { maintenance: [TODAY] })),
      'maintenance',
      true,
    ],
    [
      'closed by operators',
      asked(),
      only({}, { outages: [{ ...TODAY, rail: 'one' }] }),
      'outage',
      true,
    ],
    ['that fails', asked(), only({}, { isFailing: true }), 'failing', true],
    [
      'through which enough is on its way',
      asked(),
      only({}, { exposure: 1n }).map((one) => withBank(one, { exposureMax: { EUR: 1_000n } })),
      'exposure',
      true,
    ],
    [
      'for more than may ever be on its way',
      asked(),
      only({}).map((one) => withBank(one, { exposureMax: { EUR: 999n } })),
      ...(['amount', false] as const),
    ],
    [
      'of a bank that cannot',
      asked(),
      only({}).map((one) => withBank(one, { capabilities: new Set(['debit'] as const) })),
      'direction',
      false,
    ],
  ]
  for (const [what, request, banks, verdict, isPassing] of CASES) {
    it(`does not go over a rail ${what}: ${verdict}`, () => {
      const found = route(request, banks)
      expect(found.chosen).to.equal(undefined)
      expect(found.considered[0]?.verdict).to.equal(verdict)
      expect(found.isPassing).to.equal(isPassing)
    })
  }

  it('goes over a strict rail to whom it paid before, and past the outage of another', () => {
    const known = { ...asked().account, nameCheck: 'close_match', isPaid: true } as const
    expect(route(asked({ account: known }), only({ nameCheck: ['match'] })).chosen).to.include({
      rail: 'one',
    })
    expect(route(asked(), only({}, { outages: [{ ...TODAY, rail: 'two' }] })).chosen).to.include({
      rail: 'one',
    })
  })
})

describe('the hours of a rail', () => {
  const hours = {
    timeZone: 'Europe/Amsterdam',
    days: [1, 2, 3, 4, 5, 7],
    opens: '02:30',
    closes: '24:00',
  }
  const CASES = [
    ['2026-11-25T01:30:00Z', true, 'it opens'],
    ['2026-11-25T01:29:59Z', false, 'a second before'],
    ['2026-11-25T23:00:00Z', false, 'midnight there is another day’s beginning'],
    ['2026-11-28T12:00:00Z', false, 'a Saturday'],
    ['2026-03-29T01:00:00Z', true, 'the hour that begins at 03:00, because 02:30 was left out'],
    ['2026-10-25T00:30:00Z', true, 'the first 02:30 of that night'],
    ['2026-10-25T01:30:00Z', true, 'and the second'],
    ['2026-10-25T01:15:00Z', false, '02:15 for the second time'],
  ] as const
  for (const [at, isOpen, when] of CASES) {
    it(`are ${isOpen ? 'on' : 'over'} when ${when}`, () => {
      expect(isOpenAt(hours, new Date(at))).to.equal(isOpen)
    })
  }
})

describe('the choice of a bank', () => {
  const name = fc.constantFrom('aurora', 'meridian', 'polar')
  const names = fc.uniqueArray(name, { maxLength: 3 })
  const amounts = fc.record({ EUR: fc.bigInt(0n, 2_000n) }, { requiredKeys: [] }) as fc.Arbitrary<
    Record<string, bigint>
  >
  const moment = fc.option(fc.constantFrom(-1, 0, 1).map((ms) => new Date(AT.getTime() + ms)))
  const anyRail = fc.record({
    rail: fc.constantFrom('internal', 'sepa', 'instant'),
    directions: fc.uniqueArray(fc.constantFrom('debit', 'credit'), { maxLength: 2 }),
    currencies: fc.uniqueArray(fc.constantFrom('EUR', 'SEK'), { maxLength: 2 }),
    reaches: fc.record({ banks: names, countries: fc.uniqueArray(fc.constantFrom('NL', 'DE')) }),
    ...{ amountMin: amounts, amountMax: amounts, hours: fc.constant(null) },
    priority: fc.integer({ min: 1, max: 3 }),
    nameCheck: fc.uniqueArray(fc.constantFrom('match', 'close_match', 'not_possible')),
    ...{ validFrom: moment, validTo: moment },
  }) as fc.Arbitrary<Rail>
  const anyBank = fc
    .tuple(
      name,
      fc.uniqueArray(anyRail, { selector: (one) => one.rail, maxLength: 3 }),
      fc.boolean(),
      fc.bigInt(0n, 10n),
    )
    .map(([of, rails, isFailing, exposure]) => bank(of, rails, { isFailing, exposure }))
  const anyRequest = fc
    .record({
      direction: fc.constantFrom('debit', 'credit'),
      amount: fc.bigInt(1n, 2_000n),
      account: fc.record({
        bank: name,
        country: fc.constantFrom('NL', 'DE', null),
        nameCheck: fc.constantFrom('match', 'close_match', 'no_match', 'not_possible'),
        isConfirmed: fc.boolean(),
        isPaid: fc.boolean(),
      }),
    })
    .map(({ amount, ...rest }) => asked({ ...rest, money: { amount, currency: 'EUR' } }))

  it('is the same as by crossing out, and does not depend on the order of the banks', () => {
    const banks = fc.uniqueArray(anyBank, { selector: (one) => one.bank.name, maxLength: 3 })
    fc.assert(
      fc.property(anyRequest, banks, (request, all) => {
        const { chosen } = route(request, all)
        expect(chosen).to.deep.equal(chosenByElimination(request, all))
        expect(route(request, all.toReversed()).chosen).to.deep.equal(chosen)
      }),
      { numRuns: Number(process.env['RUNS'] ?? 500) },
    )
  })
})
