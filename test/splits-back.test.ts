/** Shares of what is captured in parts, and what beneficiaries give back when it is refunded. */
import { expect } from 'chai'
import fc from 'fast-check'
import { newId } from '../ledger/index.ts'
import { merchantAccountOf } from '../services/books/chart.ts'
import { sharesBack } from '../services/fees/splits.ts'
import { publicId, uuidOf } from '../services/ids.ts'
import { givenNow } from '../services/payments/shares.ts'
import { shareSourcesOf } from '../services/refunds/policy.ts'
import { modelCapture, type ModelShared, modelTakeBack } from './model/splits.ts'
import { expectProblem, statusesOf, times } from './support/abuse.ts'
import { call } from './support/api.ts'
import { authorize, capture } from './support/held.ts'
import {
  ended,
  linkedAccount,
  type Merchant,
  merchant,
  merchantBalance,
  OPERATOR,
  person,
  walletBalance,
} from './support/people.ts'
import { together } from './support/proposals.ts'
import { lendTo, paid, refund, sale } from './support/refunds.ts'
import { keep, money, reserveRule } from './support/reserves.ts'
import { world } from './support/world.ts'

const RUNS = Number(process.env['RUNS'] ?? 1_000)

const purse = fc.record({
  ...{ balance: fc.bigInt(-50n, 3_000n), reserve: fc.bigInt(0n, 200n) },
  ...{ credit: fc.bigInt(50n, 400n), weight: fc.bigInt(0n, 40n) },
})
/** A part in thousandths of what is there, and what is charged for it. */
const step = fc.record({
  ...{ isRefund: fc.boolean(), part: fc.bigInt(1n, 1_000n), fee: fc.bigInt(0n, 60n) },
})

const seen = { captures: 0, refunds: 0, limits: 0, payees: 0, emptied: 0 }

/** The model, and what the product's own functions come to, side by side. */
function begin(
  whole: bigint,
  all: readonly (typeof purse extends fc.Arbitrary<infer P> ? P : never)[],
) {
  const others = all.map(({ weight, ...one }) => ({
    ...{ ...one, promised: (whole * weight) / 240n, given: 0n, returned: 0n },
  }))
  const model: ModelShared = { whole, captured: 0n, net: 0n, refunded: 0n, others }
  const ours = others.map((one, line) => ({
    ...{ line, merchant: newId(), amount: one.promised, given: 0n, returned: 0n },
    ...{ balance: one.balance, reserve: one.reserve, credit: one.credit },
  }))
  return { whole, model, ours, taken: 0n, before: 0n, refunded: 0n }
}
type Both = ReturnType<typeof begin>

function takeBack(both: Both, amount: bigint): void {
  const { model, ours, taken, refunded } = both
  const held = ours.map((one) => one.given - one.returned)
  const dues = sharesBack(amount, taken - refunded, held)
  const told = modelTakeBack(model, amount)
  for (const [at, one] of ours.entries()) {
    const [due = 0n, has] = [dues[at], one.balance > 0n ? one.balance : 0n]
    const credit = one.credit + one.balance - has
    const sources = shareSourcesOf(due, { balance: one.balance, reserve: one.reserve, credit })
    expect({ due, ...sources }).to.deep.equal(told[at])
    one.returned += due
    one.balance -= sources.balance + sources.limit
    one.reserve -= sources.reserve
    const other = model.others[at]
    expect([one.balance, one.reserve]).to.deep.equal([other?.balance, other?.reserve])
    expect(one.balance >= -one.credit && one.returned <= one.given).to.equal(true)
    seen.limits += sources.limit > 0n ? 1 : 0
    seen.payees += sources.payee > 0n ? 1 : 0
  }
  both.refunded += amount
  seen.refunds += 1
}

function take(both: Both, amount: bigint, now: bigint): void {
  const { whole, before, model, ours } = both
  const told = modelCapture(model, amount, now)
  const given = givenNow(ours, { whole, before, now })
  for (const [at, one] of ours.entries()) {
    const got = given.find(({ line }) => line === at)?.amount ?? 0n
    expect(got).to.equal(told[at])
    one.given += got
    one.balance += got
    expect(one.given <= one.amount).to.equal(true)
  }
  both.taken += amount
  both.before += now
  seen.captures += 1
}

function payOut({ ours, model }: Both): void {
  for (const one of [...ours, ...model.others]) if (one.balance > 0n) one.balance = 0n
}

describe('shares of captures and refunds in any order', () => {
  it('are what an independent model says, and sum exactly', () => {
    const purses = fc.array(purse, { minLength: 1, maxLength: 6 })
    const steps = fc.array(step, { maxLength: 10 })
    const property = fc.property(fc.bigInt(40n, 5_000n), purses, steps, (net, all, asked) => {
      const both = begin(net, all)
      for (const { isRefund, part, fee } of asked) {
        const there = isRefund ? both.taken - both.refunded : net - both.before
        const amount = (there * part + 999n) / 1_000n
        if (there <= 0n) continue
        if (isRefund) takeBack(both, amount)
        else take(both, amount + fee, amount)
        if (fee % 3n === 0n) payOut(both)
      }
      if (both.before < net) take(both, net - both.before, net - both.before)
      const { ours } = both
      expect(ours.map((one) => one.given)).to.deep.equal(ours.map((one) => one.amount))
      if (both.taken > both.refunded) takeBack(both, both.taken - both.refunded)
      expect(ours.map((one) => one.returned)).to.deep.equal(ours.map((one) => one.given))
      seen.emptied += 1
    })
    fc.assert(property, { numRuns: RUNS })
    expect(Math.min(...Object.values(seen)), JSON.stringify(seen)).to.be.greaterThan(RUNS / 20)
  }).timeout(600_000)
})

const town = () => Promise.all([merchant({ percent: '1', fixed: '0' }), merchant(), merchant()])
async function settle(shop: Merchant): Promise<void> {
  await linkedAccount(shop)
  const asked = await call(shop, 'POST', '/v1/settlements', { body: { currency: 'EUR' } })
  expect(asked.status, asked.text).to.equal(202)
}
const balancesOf = (...shops: Merchant[]) => Promise.all(shops.map(merchantBalance))

describe('an order with beneficiaries that is captured in parts', () => {
  it('gives each part its share, and is given back by all, to the last cent', async () => {
    const [ada, [market, baker, farmer]] = await Promise.all([person(20_000n), town()])
    const splits = {
      beneficiaries: [
        { merchant: baker.id, percent: '33.3333' },
        { merchant: farmer.id, amount: '500' },
      ],
    }
    const { id } = await authorize(ada, market, '10001', { splits })
    expect(await balancesOf(market, baker, farmer)).to.deep.equal([0n, 0n, 0n])
    for (const amount of ['3333', '1', '3333']) {
      expect((await capture(market, id, { amount })).status).to.equal(200)
    }
    const part = await balancesOf(market, baker, farmer)
    expect(part.reduce((sum, one) => sum + one)).to.equal(6_667n - 67n)
    expect((await refund(market, id, { amount: '667' })).status).to.equal(201)
    expect((await capture(market, id)).status).to.equal(200)
    const { body } = await call(OPERATOR, 'GET', `/v1/payments/${id}/splits`)
    // As if it had been paid at once: 100.01 less 1.00 less 5.00 is 94.01, a third of it 31.34.
    expect(body.data.map(({ amount }: { amount: string }) => amount)).to.deep.equal(['3134', '500'])
    // The fee stays with us.
    await lendTo(market, '100')
    const last = await refund(market, id)
    expect(last.status, last.text).to.equal(201)
    expect(await balancesOf(baker, farmer)).to.deep.equal([0n, 0n])
    const after = await call(OPERATOR, 'GET', `/v1/payments/${id}/splits`)
    for (const { amount, returned } of after.body.data) expect(returned).to.equal(amount)
    const hidden = await call(ada, 'GET', `/v1/refunds/${last.body.id}`)
    expect([hidden.body.shares_returned, hidden.body.paid_from]).to.deep.equal([null, null])
  })

  it('is reversed with the shares of all its captures', async () => {
    const [ada, [market, baker]] = await Promise.all([person(20_000n), town()])
    const splits = { beneficiaries: [{ merchant: baker.id, percent: '50' }] }
    const { id } = await authorize(ada, market, '2000', { splits })
    for (const amount of ['500', '1500']) await capture(market, id, { amount })
    expect(await balancesOf(market, baker)).to.deep.equal([990n, 990n])
    const back = { payment: id, reason: 'A mistake' }
    const reversed = await together('/v1/ledger/reversals', { body: back })
    expect(reversed.status, reversed.text).to.equal(201)
    expect(await balancesOf(market, baker)).to.deep.equal([0n, 0n])
  })

  it('is refunded by the merchant of the order where a beneficiary cannot', async () => {
    const [ada, [market, baker, farmer]] = await Promise.all([person(20_000n), town()])
    const splits = {
      beneficiaries: [
        { merchant: baker.id, percent: '20' },
        { merchant: farmer.id, percent: '20' },
      ],
    }
    const { id } = await authorize(ada, market, '10000', { splits })
    await capture(market, id)
    expect(await balancesOf(market, baker, farmer)).to.deep.equal([5_940n, 1_980n, 1_980n])
    // Both are settled, and one of them may owe 3.00.
    await Promise.all([settle(baker), settle(farmer), lendTo(farmer, '300')])
    const back = await refund(market, id, { amount: '5000' })
    expect(back.status, back.text).to.equal(201)
    expect(back.body.shares_returned).to.equal('300')
    expect(await balancesOf(baker, farmer)).to.deep.equal([0n, -300n])
    // What is left of the market's 59.40 once it has paid 47.00 is 12.40: not enough.
    expectProblem(await refund(market, id), 402, 'insufficient_funds')
    expect(await balancesOf(market, baker, farmer)).to.deep.equal([1_240n, 0n, -300n])
  })
})

/** A payment of 100.00 without fees, of which each of two others has 20.00. */
async function sharedSale() {
  const free = { percent: '0', fixed: '0' }
  const [ada, market, baker, farmer] = await Promise.all([
    ...[person(20_000n), merchant(free), merchant(free), merchant(free)],
  ] as const)
  const beneficiaries = [baker, farmer].map(({ id }) => ({ merchant: id, percent: '20' }))
  const { id } = await authorize(ada, market, '10000', { splits: { beneficiaries } })
  expect((await capture(market, id)).status).to.equal(200)
  return { market, baker, farmer, id }
}

async function freeze({ id }: Merchant, debits: boolean): Promise<void> {
  const { worker } = await world()
  const account = publicId('acc', await merchantAccountOf(worker, uuidOf(id), 'EUR'))
  const body = { debits, credits: false, reason: 'A test' }
  const path = `/v1/ledger/accounts/${account}/freeze`
  const done = await call(OPERATOR, 'POST', path, { body })
  expect(done.status, done.text).to.equal(200)
}

describe('what beneficiaries have', () => {
  it('stays where it is while their account is frozen: the other one pays', async () => {
    const { market, baker, farmer, id } = await sharedSale()
    await freeze(baker, true)
    const back = await refund(market, id, { amount: '5000' })
    expect(back.status, back.text).to.equal(201)
    expect(back.body.shares_returned).to.equal('1000')
    expect(await balancesOf(market, baker, farmer)).to.deep.equal([2_000n, 2_000n, 1_000n])
    // Nobody owes their share twice: what the market paid for the baker is no debt of the baker.
    await freeze(baker, false)
    const rest = await refund(market, id, { amount: '3000' })
    expect([rest.status, rest.body.shares_returned]).to.deep.equal([201, '1200'])
    expect(await balancesOf(market, baker, farmer)).to.deep.equal([200n, 1_400n, 400n])
  })

  it('is given back of their reserve, once their balance is gone', async () => {
    const { market, baker, farmer, id } = await sharedSale()
    await reserveRule(baker, { kind: 'fixed', amount: '1500' })
    // What was shared is no payment of theirs: they must sell something to have a reserve.
    const other = await person(1_500n)
    await paid(other, baker, '1500')
    expect(await keep(baker)).to.equal(1_500n)
    await settle(baker)
    expect(await money(baker)).to.deep.equal({ balance: 0n, reserve: 1_500n })
    const back = await refund(market, id, { amount: '5000' })
    expect([back.status, back.body.shares_returned]).to.deep.equal([201, '2000'])
    expect(await money(baker)).to.deep.equal({ balance: 0n, reserve: 500n })
    expect(await balancesOf(market, farmer)).to.deep.equal([3_000n, 1_000n])
  })

  it('is given back once by refunds that cross, and never more than all', async () => {
    const { market, baker, farmer, id } = await sharedSale()
    const answers = await Promise.all(times(5, () => refund(market, id, { amount: '3000' })))
    expect(statusesOf(answers)).to.deep.equal([201, 201, 201, 422, 422])
    const back = await balancesOf(market, baker, farmer)
    expect(back).to.deep.equal([600n, 200n, 200n])
    const { body } = await call(OPERATOR, 'GET', `/v1/payments/${id}/splits`)
    const returned = body.data.map((one: { returned: string }) => one.returned)
    expect(returned).to.deep.equal(['1800', '1800'])
  })
})

describe('a refund beside a payout', () => {
  it('is paid by what is left, or not at all: never by what is leaving', async () => {
    const shops = await Promise.all(times(4, () => sale('10000', { percent: '0', fixed: '0' })))
    for (const { shop } of shops) await linkedAccount(shop)
    const seen = await Promise.all(
      shops.map(async ({ shop, id, payer }) => {
        const asked = call(shop, 'POST', '/v1/settlements', { body: { currency: 'EUR' } })
        const [batch, back] = await Promise.all([asked, refund(shop, id, { amount: '4000' })])
        const payout = BigInt(batch.body.payout ?? 0)
        const given = back.status === 201 ? 4_000n : 0n
        if (given === 0n) expectProblem(back, 402, 'insufficient_funds')
        expect(await walletBalance(payer)).to.equal(given)
        expect(await merchantBalance(shop)).to.equal(10_000n - payout - given)
        return [batch.status, payout]
      }),
    )
    for (const one of seen) expect(one.join()).to.be.oneOf(['202,10000', '202,6000', '409,0'])
  })

  it('is a debt, where the merchant may owe, which the failed payout covers again', async () => {
    // Ends in 91: the bank refuses it.
    const { shop, id } = await sale('10091', { percent: '0', fixed: '0' })
    await Promise.all([linkedAccount(shop), lendTo(shop, '5000')])
    const asked = await call(shop, 'POST', '/v1/settlements', { body: { currency: 'EUR' } })
    expect([asked.status, asked.body.payout]).to.deep.equal([202, '10091'])
    const back = await refund(shop, id, { amount: '4000' })
    expect(back.status, back.text).to.equal(201)
    const { state } = await ended(shop, `/v1/settlements/${asked.body.id}`)
    expect(state).to.equal('failed')
    expect(await merchantBalance(shop)).to.equal(6_091n)
    const again = await call(shop, 'POST', '/v1/settlements', { body: { currency: 'EUR' } })
    expect([again.body.payout, again.body.carried_in]).to.deep.equal(['6091', '0'])
  })
})
