/** Refunds against a model that is written independently, in memory and over the whole API. */
import { expect } from 'chai'
import fc from 'fast-check'
import type { RefundFees } from '../services/fees/terms.ts'
import { returnedBy, sourcesOf } from '../services/refunds/policy.ts'
import { call } from './support/api.ts'
import { type ModelMerchant, modelRefund, type ModelSale } from './model/refunds.ts'
import { merchant, person, walletBalance } from './support/people.ts'
import { lendTo, paid, refund } from './support/refunds.ts'
import { keep, money, reserveRule } from './support/reserves.ts'

const RUNS = Number(process.env['RUNS'] ?? 5_000)
const POLICIES = ['give_back', 'keep', 'pro_rata'] as const satisfies readonly RefundFees[]

const sale: fc.Arbitrary<ModelSale> = fc
  .record({
    paid: fc.bigInt(1n, 1_000_000n),
    shares: fc.tuple(fc.nat(1_000), fc.nat(1_000), fc.nat(1_000)),
    policy: fc.constantFrom(...POLICIES),
  })
  .map(({ paid: gross, shares: [one, two, three], policy }) => {
    // Fee and tax together are the payment at most, and the tax is on the fee.
    const fee = (gross * BigInt(one)) / 1_000n
    const most = gross - fee < fee ? gross - fee : fee
    const tax = (most * BigInt(two)) / 1_000n
    return { paid: gross, fee, tax, fixed: (fee * BigInt(three)) / 1_000n, policy, refunded: 0n }
  })

const start = fc.record({
  ...{ balance: fc.bigInt(-10_000n, 1_500_000n), reserve: fc.bigInt(0n, 300_000n) },
  credit: fc.bigInt(10_000n, 100_000n),
})

describe('refunds in any order', () => {
  it('return of the fee, and take from each purse, what an independent model says', () => {
    const property = fc.property(
      sale,
      start,
      fc.array(fc.bigInt(1n, 400_000n), { minLength: 1, maxLength: 8 }),
      (of, first, parts) => {
        const model: ModelMerchant = { ...first }
        let [balance, reserve, refunded] = [first.balance, first.reserve, 0n]
        for (const part of [...parts, of.paid]) {
          const amount = part < of.paid - refunded ? part : of.paid - refunded
          if (amount === 0n) break
          const expected = modelRefund(model, of, amount)
          const charged = { captured: of.paid, fee: of.fee, fixed: of.fixed, tax: of.tax }
          const before = returnedBy(of.policy, charged, refunded)
          const after = returnedBy(of.policy, charged, refunded + amount)
          const [fee, tax] = [after.fee - before.fee, after.tax - before.tax]
          const need = amount - fee - tax > 0n ? amount - fee - tax : 0n
          const sources = sourcesOf(need, {
            balance: balance + (need - amount + fee + tax),
            reserve,
          })
          const left = balance + fee + tax + sources.reserve - amount
          if (sources.limit > 0n && left < -first.credit) {
            expect(expected).to.equal('insufficient_funds')
            continue
          }
          expect(expected).to.deep.equal({ fee, tax, ...sources })
          ;[balance, reserve, refunded] = [left, reserve - sources.reserve, refunded + amount]
          expect([model.balance, model.reserve]).to.deep.equal([balance, reserve])
        }
        expect(of.refunded).to.equal(refunded)
      },
    )
    fc.assert(property, { numRuns: RUNS })
  })

  it('together return exactly what one of all would, and nothing is ever charged again', () => {
    const parts = fc.array(fc.bigInt(1n, 400_000n), { maxLength: 12 })
    const property = fc.property(sale, parts, (of, amounts) => {
      const charged = { captured: of.paid, fee: of.fee, fixed: of.fixed, tax: of.tax }
      let [refunded, fee, tax] = [0n, 0n, 0n]
      for (const amount of [...amounts, of.paid]) {
        refunded = refunded + amount < of.paid ? refunded + amount : of.paid
        const now = returnedBy(of.policy, charged, refunded)
        expect(now.fee >= fee && now.tax >= tax).to.equal(true)
        ;[fee, tax] = [now.fee, now.tax]
      }
      if (of.policy === 'give_back') expect([fee, tax]).to.deep.equal([of.fee, of.tax])
      if (of.policy === 'keep') expect([fee, tax]).to.deep.equal([0n, 0n])
      if (of.policy === 'pro_rata') expect(fee).to.equal(of.fee - of.fixed)
    })
    fc.assert(property, { numRuns: RUNS })
  })

  for (const policy of POLICIES) {
    it(`leave the books as the model has them, over the API: ${policy}`, async () => {
      const fees = { percent: '3.7', fixed: '31', tax_percent: '19', refund_fees: policy }
      const [payer, shop] = await Promise.all([person(1_000_000n), merchant(fees)])
      await reserveRule(shop, { kind: 'rolling', percent: '15', days: 30 })
      await lendTo(shop, '1200')
      const [seed] = fc.sample(fc.integer(), 1)
      const amounts = fc.sample(fc.bigInt(1n, 9_000n), { numRuns: 24, seed: seed ?? 0 })
      const sales: { id: string; of: ModelSale }[] = []
      for (const amount of ['10007', '8853', '4999']) {
        const id = await paid(payer, shop, amount)
        const { body } = await call(shop, 'GET', `/v1/payments/${id}`)
        const [fee, tax] = [BigInt(body.fee), BigInt(body.tax)]
        const of = { paid: BigInt(amount), fee, tax, fixed: 31n, policy, refunded: 0n }
        sales.push({ id, of })
      }
      await keep(shop)
      const model: ModelMerchant = { ...(await money(shop)), credit: 1_200n }
      for (const [turn, amount] of amounts.entries()) {
        const { id, of } = sales[turn % 3]!
        const expected = modelRefund(model, of, amount)
        const { status, body } = await refund(shop, id, { amount: `${amount}` })
        const got = status === 201 ? shownOf(body) : body.code
        expect(got, `seed ${seed}, refund ${turn}`).to.deep.equal(expected)
        const { balance, reserve } = model
        expect(await money(shop), `seed ${seed}, refund ${turn}`).to.deep.equal({
          balance,
          reserve,
        })
      }
      const back = sales.reduce((sum, { of }) => sum + of.refunded, 0n)
      expect(await walletBalance(payer)).to.equal(1_000_000n - 23_859n + back)
    })
  }
})

const shownOf = (body: {
  readonly fee_returned: string
  readonly tax_returned: string
  readonly paid_from: Readonly<Record<'balance' | 'reserve' | 'limit', string>>
}) => ({
  ...{ fee: BigInt(body.fee_returned), tax: BigInt(body.tax_returned) },
  ...{ balance: BigInt(body.paid_from.balance), reserve: BigInt(body.paid_from.reserve) },
  limit: BigInt(body.paid_from.limit),
})
