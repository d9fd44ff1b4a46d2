/**
 * Stories for fast-check: what is wanted of the books, in abstract. Accounts are positions in the
 * cast and earlier units are counted back from the newest, so that a story still makes sense after
 * shrinking.
 */
import fc from 'fast-check'

/** Everybody who appears: of every type and temper, with a floor and without, in two currencies. */
export const CAST = [
  { type: 'wallet', currency: 'EUR', floor: 0n },
  { type: 'wallet', currency: 'EUR', floor: 0n },
  { type: 'merchant', currency: 'EUR', floor: -50n },
  { type: 'merchant', currency: 'EUR', floor: 0n },
  { type: 'merchant', currency: 'EUR', floor: 0n },
  { type: 'reserve', currency: 'EUR', floor: 0n },
  { type: 'transit', currency: 'EUR', floor: 0n },
  { type: 'bank', currency: 'EUR', floor: null },
  { type: 'bank', currency: 'EUR', floor: null },
  { type: 'fees', currency: 'EUR', floor: null },
  { type: 'tax', currency: 'EUR', floor: null },
  { type: 'suspense', currency: 'EUR', floor: null },
  { type: 'loss', currency: 'EUR', floor: null },
  { type: 'fx', currency: 'EUR', floor: null },
  { type: 'rounding', currency: 'EUR', floor: null },
  { type: 'fx', currency: 'USD', floor: null },
  { type: 'wallet', currency: 'USD', floor: 0n },
  { type: 'bank', currency: 'USD', floor: null },
] as const

/** A position that nobody has. */
const NOBODY = CAST.length
const somebody = fc.nat(NOBODY)

/** Most of what is wanted makes sense: a payer, a payee, by their places in the cast. */
const SENSIBLE = [
  ...[7, 0, 7, 0, 7, 0, 7, 1, 7, 2, 17, 16, 7, 8, 0, 1, 1, 0, 0, 2, 0, 3, 0, 3, 1, 4, 2, 3],
  ...[3, 9, 3, 10, 3, 5, 5, 3, 4, 6, 6, 7, 6, 4, 0, 6, 3, 0, 11, 0, 12, 0, 13, 14, 8, 0],
]
const payment = fc.nat(SENSIBLE.length / 2 - 1).map((n) => SENSIBLE.slice(2 * n, 2 * n + 2))
const pair = fc.oneof(
  { weight: 12, arbitrary: payment },
  { weight: 1, arbitrary: fc.tuple(somebody, somebody) },
)

const amount = fc.oneof(
  { weight: 80, arbitrary: fc.bigInt(1n, 120n) },
  { weight: 1, arbitrary: fc.constantFrom(0n, -1n) },
  { weight: 2, arbitrary: fc.constantFrom(9n * 10n ** 18n, 2n ** 62n, 2n ** 63n - 1n) },
)
/** Milliseconds from the moment of asking to when it happened; seldom said, seldom later. */
const happened = fc.oneof(
  { weight: 6, arbitrary: fc.constant(null) },
  { weight: 1, arbitrary: fc.constantFrom<number[]>(-5_000, -1_500, -200, -1, 0, 1) },
)
const expiry = fc.option(fc.constantFrom<number[]>(0, 50, 400, 3_000, 9_000), { freq: 2 })

const movement = fc.record({
  wish: fc.constant('move' as const),
  kind: fc.constantFrom('single' as const, 'single' as const, 'pending' as const),
  between: pair,
  amount,
  /** The payer's currency, unless it is another. */
  isForeign: fc.nat(60).map((n) => n === 60),
  expiry,
  happened,
})
const resolution = fc.record({
  wish: fc.constant('resolve' as const),
  kind: fc.constantFrom('post' as const, 'post' as const, 'void' as const),
  /** Which of the holds wanted so far, from the newest. */
  back: fc.nat(4),
  amount: fc.option(fc.oneof({ weight: 30, arbitrary: fc.bigInt(1n, 90n) }, amount), { freq: 2 }),
  isFinal: fc.boolean(),
  happened,
})
const reversal = fc.record({
  wish: fc.constant('reverse' as const),
  /** Which of the units wanted so far, from the newest. */
  back: fc.nat(4),
  happened,
})

const wishes = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: movement },
    { weight: 4, arbitrary: resolution },
    { weight: 2, arbitrary: reversal },
  ),
  { minLength: 1, maxLength: 3 },
)
/** One payer reserves for several payees; now and then in two currencies. */
const hold = fc
  .tuple(
    fc.array(fc.tuple(fc.constantFrom(0, 1, 3), fc.constantFrom(2, 4, 9, 10), amount), {
      ...{ minLength: 1, maxLength: 4 },
    }),
    fc.nat(12),
    expiry,
  )
  .map(([legs, foreign, expires]): Wish[] => [
    ...legs.map(([payer, payee, money]) =>
      wanted({ between: [payer, payee], amount: money, expires }),
    ),
    ...(foreign === 0 ? [wanted({ between: [17, 16], amount: 10n, expires })] : []),
  ])
/** From one currency into another, all or nothing. */
const exchange = fc
  .tuple(fc.constantFrom(0, 1, 2), amount, amount)
  .map(([payer, sold, bought]): Wish[] => [
    { ...wanted({ between: [payer, 13], amount: sold }), kind: 'single' },
    { ...wanted({ between: [15, 16], amount: bought }), kind: 'single' },
  ])
/** One hold completed bit by bit, all at once. */
const crumbs = fc
  .tuple(fc.nat(2), fc.array(fc.bigInt(1n, 12n), { minLength: 2, maxLength: 4 }))
  .map(([back, amounts]): Wish[] =>
    amounts.map((bit) => ({
      ...{ wish: 'resolve', kind: 'post', back, amount: bit, isFinal: false, happened: null },
    })),
  )
/** As many transfers as a unit may hold, or one too many. */
const crowd = fc.constantFrom(255, 256, 257).map((size): Wish[] =>
  Array.from({ length: size }, () => ({
    ...wanted({ between: [7, 0], amount: 1n }),
    kind: 'single' as const,
  })),
)

function wanted(move: {
  readonly between: readonly [number, number]
  readonly amount: bigint
  readonly expires?: number | null
}): Made<typeof movement> {
  const { between, amount: money, expires = null } = move
  return {
    ...{ wish: 'move', kind: 'pending', between: [...between], amount: money, isForeign: false },
    ...{ expiry: expires, happened: null },
  }
}

const condition = fc.record({
  account: somebody,
  availableAtLeast: fc.option(fc.bigInt(-60n, 200n), { freq: 3 }),
  /** How far from the true number of the newest entry. */
  entriesMissed: fc.option(fc.constantFrom(0, 0, 0, 1, -1), { freq: 2 }),
})

const unit = fc.record({
  wishes: fc.oneof(
    { weight: 300, arbitrary: wishes },
    { weight: 80, arbitrary: hold },
    { weight: 40, arbitrary: exchange },
    { weight: 20, arbitrary: crumbs },
    { weight: 1, arbitrary: crowd },
  ),
  conditions: fc.oneof(
    { weight: 8, arbitrary: fc.constant<Made<typeof condition>[]>([]) },
    { weight: 1, arbitrary: fc.array(condition, { minLength: 1, maxLength: 2 }) },
  ),
  /** The clocks of those who ask differ, by milliseconds. */
  clock: fc.integer({ min: -3, max: 3 }),
})

/** Often the very moment at which something is said to have happened. */
const ago = fc.oneof(fc.nat(2_000), fc.constantFrom(0, 1, 200, 1_500))

const order = fc.record({
  account: fc.nat(NOBODY - 1),
  what: fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        ...{ kind: fc.constant('freeze' as const), debits: fc.boolean(), credits: fc.boolean() },
      }),
    },
    {
      weight: 4,
      arbitrary: fc.constant({ kind: 'freeze' as const, debits: false, credits: false }),
    },
    { weight: 1, arbitrary: fc.constant({ kind: 'close' as const }) },
    {
      weight: 5,
      arbitrary: fc.record({ kind: fc.constant('close_period' as const), ago }),
    },
  ),
})

/** Units that are decided together, or what happens between them. */
const step = fc.oneof(
  { weight: 6, arbitrary: fc.array(unit, { minLength: 1, maxLength: 5 }) },
  { weight: 1, arbitrary: order },
  { weight: 1, arbitrary: fc.nat(1_500).map((pass) => ({ pass })) },
)

type Made<A> = A extends fc.Arbitrary<infer T> ? T : never
export type Wish = Made<typeof movement> | Made<typeof resolution> | Made<typeof reversal>
export type UnitWish = Made<typeof unit>
export type OrderWish = Made<typeof order>
export type Step = Made<typeof step>

/** Somebody must have money before anybody can spend it. */
const OPENING: Step = [
  {
    wishes: [0, 1, 3, 4, 16].map((place) => ({
      ...wanted({ between: [place === 16 ? 17 : 7, place], amount: 600n }),
      kind: 'single' as const,
    })),
    ...{ conditions: [], clock: 0 },
  },
]

export const story = (stepsMax: number): fc.Arbitrary<Step[]> =>
  fc
    .tuple(fc.nat(9), fc.array(step, { minLength: 1, maxLength: stepsMax, size: 'max' }))
    .map(([poor, steps]) => (poor === 9 ? steps : [OPENING, ...steps]))
