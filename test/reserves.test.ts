/** What is kept back from a merchant: how much, for how long, and what may be paid from it. */
import { expect } from 'chai'
import fc from 'fast-check'
import { keptOf, type ReserveRule, type ReserveTerms } from '../services/reserves/rules.ts'
import { expectProblem, times, unchanged } from './support/abuse.ts'
import { call, newKey } from './support/api.ts'
import { eventsOf } from './support/held.ts'
import { linkedAccount, merchant, OPERATOR, person, walletBalance } from './support/people.ts'
import { together } from './support/proposals.ts'
import { lendTo, paid, refund } from './support/refunds.ts'
import {
  DAY_MS,
  fixed,
  FREE,
  keep,
  money,
  releaseIn,
  reserveRule,
  reservesOf,
  rolling,
} from './support/reserves.ts'

describe('a rolling reserve', () => {
  it('keeps a share of what is paid from then on, once, and gives it back in time', async () => {
    const [ada, shop] = await Promise.all([person(100_000n), merchant(FREE)])
    await paid(ada, shop, '7000')
    await reserveRule(shop, rolling('10', 30))
    expect(await keep(shop)).to.equal(0n)
    for (const amount of ['10000', '20005']) await paid(ada, shop, amount)
    const kept = await Promise.all(times(5, () => keep(shop)))
    // 10 % of 300.05 is 30.005: to the even cent.
    expect(kept.filter((amount) => amount > 0n)).to.deep.equal([3_000n])
    expect(await money(shop)).to.deep.equal({ balance: 34_005n, reserve: 3_000n })
    const [one] = await reservesOf(shop)
    expect(one).to.include({ kind: 'rolling', amount: '3000', remaining: '3000' })
    await releaseIn(29)
    expect((await money(shop)).reserve).to.equal(3_000n)
    await Promise.all([releaseIn(32), releaseIn(32)])
    expect(await money(shop)).to.deep.equal({ balance: 37_005n, reserve: 0n })
    expect(await eventsOf(one?.id ?? '')).to.deep.equal(['reserve.held', 'reserve.released'])
    expect((await reservesOf(shop))[0]).to.include({ amount: '3000', remaining: '0' })
  })

  it('is seen by its merchant and by operators, and so are its rules', async () => {
    const [ada, shop, rival] = await Promise.all([person(9_000n), merchant(FREE), merchant(FREE)])
    const rule = await reserveRule(shop, rolling('12.5', 7))
    expect([rule.created_by, rule.approved_by]).to.deep.equal(['olga', 'otto'])
    await paid(ada, shop, '1000')
    await keep(shop)
    expect(await reservesOf(rival)).to.deep.equal([])
    const { body } = await call(OPERATOR, 'GET', '/v1/reserves')
    expect(body.data[0]).to.deep.equal((await reservesOf(shop))[0])
    for (const who of [shop, OPERATOR]) {
      const rules = await call(who, 'GET', `/v1/merchants/${shop.id}/reserve_rules`)
      expect(rules.body.data).to.deep.equal([rule])
    }
    const path = `/v1/merchants/${shop.id}/reserve_rules`
    expectProblem(await call(rival, 'GET', path), 404, 'not_found')
  })
})

describe('a fixed reserve', () => {
  it('is filled up to its amount, and what is too much goes back when it shrinks', async () => {
    const [ada, shop] = await Promise.all([person(100_000n), merchant(FREE)])
    await reserveRule(shop, fixed('5000'))
    for (const [amount, reserve] of [
      ['3000', 3_000n],
      ['3000', 5_000n],
      ['3000', 5_000n],
    ] as const) {
      await paid(ada, shop, amount)
      await keep(shop)
      expect((await money(shop)).reserve).to.equal(reserve)
    }
    await releaseIn(1_000)
    expect((await money(shop)).reserve).to.equal(5_000n)
    await reserveRule(shop, fixed('1200'))
    await releaseIn(0)
    expect(await money(shop)).to.deep.equal({ balance: 7_800n, reserve: 1_200n })
  })

  it('cannot have two rules from one moment, nor rules that are neither', async () => {
    const shop = await merchant(FREE)
    const path = `/v1/merchants/${shop.id}/reserve_rules`
    const from = { valid_from: new Date(Date.now() + 60_000).toISOString() }
    await reserveRule(shop, { ...fixed('1'), ...from })
    const body = { currency: 'EUR', ...fixed('2'), ...from }
    expectProblem(await together(path, { body }), 409, 'reserve_rule_exists')
    for (const wrong of [
      { ...fixed('2'), percent: '1' },
      { kind: 'rolling', percent: '1' },
      { kind: 'fixed' },
    ]) {
      const asked = { key: newKey(), body: { currency: 'EUR', ...wrong } }
      expectProblem(await call(OPERATOR, 'POST', path, asked), 400, 'invalid_request')
    }
  })
})

describe('what pays for a refund', () => {
  it('is the balance, then the reserve, then what the merchant may owe', async () => {
    const [ada, shop] = await Promise.all([person(50_000n), merchant(FREE)])
    await reserveRule(shop, rolling('20', 30))
    const id = await paid(ada, shop, '10000')
    await keep(shop)
    await linkedAccount(shop)
    expect(await money(shop)).to.deep.equal({ balance: 8_000n, reserve: 2_000n })
    const first = await refund(shop, id, { amount: '7000' })
    expect(first.body.paid_from).to.deep.equal({ balance: '7000', reserve: '0', limit: '0' })
    const second = await refund(shop, id, { amount: '1500' })
    expect(second.body.paid_from).to.deep.equal({ balance: '1000', reserve: '500', limit: '0' })
    // What is left for the third is 1500 of reserve; another payment was taken back in full.
    const other = await paid(ada, shop, '4000')
    const back = await refund(shop, other)
    expect(back.body.paid_from).to.deep.equal({ balance: '4000', reserve: '0', limit: '0' })
    expect(await money(shop)).to.deep.equal({ balance: 0n, reserve: 1_500n })
    const last = await refund(shop, id)
    expect(last.body.paid_from).to.deep.equal({ balance: '0', reserve: '1500', limit: '0' })
    expect(await money(shop)).to.deep.equal({ balance: 0n, reserve: 0n })
    expect(await walletBalance(ada)).to.equal(50_000n)
  })

  it('may be owed up to the limit and not beyond, and later payments make up for it', async () => {
    const [ada, shop] = await Promise.all([
      person(50_000n),
      merchant({ percent: '10', fixed: '0' }),
    ])
    const id = await paid(ada, shop, '10000')
    await unchanged(async () => expectProblem(await refund(shop, id), 402, 'insufficient_funds'), {
      except: ['claims'],
    })
    await lendTo(shop, '999')
    expectProblem(await refund(shop, id), 402, 'insufficient_funds')
    await lendTo(shop, '1000')
    const done = await refund(shop, id)
    expect(done.body.paid_from).to.deep.equal({ balance: '9000', reserve: '0', limit: '1000' })
    expect((await money(shop)).balance).to.equal(-1_000n)
    const path = `/v1/merchants/${shop.id}/refund_limit`
    const limit = { merchant: shop.id, currency: 'EUR', amount: '1000', used: '1000' }
    expect((await call(shop, 'GET', path)).body).to.deep.equal({ data: [limit] })
    const less = { body: { amount: '500', currency: 'EUR', reason: 'A test' } }
    expectProblem(await together(path, less), 402, 'insufficient_funds')
    await paid(ada, shop, '2000')
    expect((await money(shop)).balance).to.equal(800n)
    const { data } = (await call(OPERATOR, 'GET', path)).body
    expect(data).to.deep.equal([{ ...limit, used: '0' }])
    await lendTo(shop, '0')
  })
})

const terms: fc.Arbitrary<ReserveTerms> = fc.oneof(
  fc.record({ kind: fc.constant('fixed' as const), amount: fc.bigInt(0n, 3_000n) }),
  fc.record({
    kind: fc.constant('rolling' as const),
    percent: fc.constantFrom('0', '0.5', '5', '33.3333', '100'),
    days: fc.integer({ min: 1, max: 90 }),
  }),
)
const ruleAt = (id: string, from_ms: number, of: ReserveTerms): ReserveRule => ({
  ...{ id, merchant: 'm', currency: 'EUR', terms: of, validFrom: new Date(from_ms) },
  ...{ createdBy: 'olga', approvedBy: 'otto' },
})

describe('what is kept of a day', () => {
  it('is what the rules ask for, by a model that counts cent by cent', () => {
    const property = fc.property(
      fc.array(fc.tuple(fc.integer({ min: 0, max: 5 }), terms), { maxLength: 4 }),
      fc.array(fc.bigInt(1n, 4_000n), { minLength: 1, maxLength: 5 }),
      fc.bigInt(0n, 9_000n),
      fc.bigInt(0n, 3_500n),
      (rules, days, available, held) => {
        const book = rules.map(([day, of], n) => ruleAt(`${n}`, day * DAY_MS + n, of))
        const takings = days.map((paid, day) => ({
          ...{ paid, day: new Date(day * DAY_MS).toISOString().slice(0, 10) },
        }))
        const kept = keptOf(book, takings, { available, fixed: held })
        const got = kept.map(({ day, kind, amount }) => `${day} ${kind} ${amount}`)
        expect(got).to.deep.equal(modelKept(book, takings, available, held))
      },
    )
    fc.assert(property, { numRuns: Number(process.env['RUNS'] ?? 2_000) })
  })
})

/** The same, thought through a second time: each day by itself, halves of cents written out. */
function modelKept(
  rules: readonly ReserveRule[],
  takings: readonly { readonly day: string; readonly paid: bigint }[],
  available: bigint,
  held: bigint,
): string[] {
  const lines: string[] = []
  let [purse, pot] = [available, held]
  for (const { day, paid } of takings) {
    const inForce: Partial<Record<string, ReserveRule>> = {}
    const known = [...rules].sort((a, b) => a.validFrom.getTime() - b.validFrom.getTime())
    for (const rule of known) {
      const began = rule.validFrom.toISOString().slice(0, 10)
      if (began <= day) inForce[rule.terms.kind] = rule
    }
    for (const kind of ['rolling', 'fixed'] as const) {
      const of = inForce[kind]?.terms
      let wish = 0n
      if (of?.kind === 'rolling') {
        const [whole = '0', part = ''] = of.percent.split('.')
        const [over, under] = [paid * BigInt(whole + part), 100n * 10n ** BigInt(part.length)]
        wish = over / under
        const rest = 2n * (over % under)
        if (rest > under || (rest === under && wish % 2n === 1n)) wish += 1n
      }
      if (of?.kind === 'fixed') {
        wish = of.amount - pot
        if (wish > paid) wish = paid
      }
      if (wish > purse) wish = purse
      if (wish <= 0n) continue
      purse -= wish
      if (kind === 'fixed') pot += wish
      lines.push(`${day} ${kind} ${wish}`)
    }
  }
  return lines
}
