/** What is kept of a day: one reserve by each rule, however often the day is looked at. */
import { expect } from 'chai'
import { newId } from '../ledger/index.ts'
import { expectProblem, times, unchanged } from './support/abuse.ts'
import { call, newKey } from './support/api.ts'
import { dispute } from './support/disputes.ts'
import { authorize, capture, eventsOf, payOrder } from './support/held.ts'
import { merchant, type Merchant, person } from './support/people.ts'
import { lendTo, paid, refund } from './support/refunds.ts'
import {
  DAY_MS,
  fixed,
  FREE,
  keep,
  keepOfDays,
  money,
  releaseIn,
  reserveRule,
  reservesOf,
  rolling,
} from './support/reserves.ts'
import { batchesOf, stall } from './support/stall.ts'
import { world } from './support/world.ts'

/** A unit moves two hundred. */
const FIXED = 205

describe('a reserve of a day', () => {
  it('is one, however often the day is looked at', async () => {
    const [ada, shop] = await Promise.all([person(100_000n), merchant(FREE)])
    await reserveRule(shop, rolling('10', 30))
    await reserveRule(shop, fixed('100000'))
    const sales: string[] = []
    for (const amount of ['1000', '1000', '1000']) {
      sales.push(await paid(ada, shop, amount))
      await keep(shop)
    }
    const all = await reservesOf(shop)
    expect(all.map(({ kind, amount }) => [kind, amount])).to.have.deep.members([
      ['rolling', '300'],
      ['fixed', '2700'],
    ])
    const [one] = all
    expect(await eventsOf(one?.id ?? '')).to.deep.equal(times(3, () => 'reserve.held'))
    const back = await refund(shop, sales[0]!)
    expect(back.body.paid_from).to.deep.equal({ balance: '0', reserve: '1000', limit: '0' })
    await paid(ada, shop, '500')
    await keep(shop)
    const left = (await reservesOf(shop)).map(({ amount, remaining }) => [amount, remaining])
    expect(left).to.have.deep.members([
      ['350', '350'],
      ['3150', '2150'],
    ])
  })

  it('is kept by a rule that begins later in it, and not given back before', async () => {
    const [ada, shop] = await Promise.all([person(100_000n), merchant(FREE)])
    const end = Math.floor(Date.now() / DAY_MS + 1) * DAY_MS
    const valid_from = new Date(Math.min(Date.now() + 3_600_000, end - 1)).toISOString()
    await reserveRule(shop, { ...fixed('5000'), valid_from })
    await paid(ada, shop, '3000')
    await keep(shop)
    await releaseIn(0)
    expect(await money(shop)).to.deep.equal({ balance: 0n, reserve: 3_000n })
  })

  it('goes back in time beside more fixed ones than one unit can move', async () => {
    const one = await stall()
    const { owner } = await world()
    await reserveRule(one.shop, rolling('10', 1))
    await reserveRule(one.shop, fixed('1'))
    const rule = await owner('reserve_rules').orderBy('id', 'desc').first()
    const add = (amount: number, from: number) =>
      owner('reserve_rules').insert({
        ...{ ...rule, id: newId(), amount: `${amount}` },
        valid_from: new Date(rule.valid_from.getTime() + from),
      })
    for (const nth of times(FIXED, (index) => index + 1)) {
      await add(10 * nth, nth)
      await one.move(['payment', 100n])
      await keep(one.shop)
    }
    const kept = await money(one.shop)
    expect(kept.reserve).to.equal(BigInt(FIXED * 20))
    await releaseIn(3)
    expect((await money(one.shop)).reserve).to.equal(BigInt(FIXED * 10))
    await add(50, FIXED + 1)
    await releaseIn(0)
    await releaseIn(0)
    expect((await money(one.shop)).reserve).to.equal(50n)
  })

  it('is of what is shared too: of its own part each keeps', async () => {
    const [ada, market, farmer] = await Promise.all([
      person(100_000n),
      merchant(FREE),
      merchant(FREE),
    ])
    for (const who of [market, farmer]) await reserveRule(who, rolling('10', 30))
    const splits = { beneficiaries: [{ merchant: farmer.id, percent: '90' }] }
    const body = { reference: newKey(), description: 'A thing', amount: '10000', currency: 'EUR' }
    const made = await call(market, 'POST', '/v1/orders', { body: { ...body, splits } })
    expect((await payOrder(ada, made.body.id, '10000')).status).to.equal(201)
    expect([await keep(farmer), await keep(market)]).to.deep.equal([900n, 100n])
    expect(await money(farmer)).to.deep.equal({ balance: 8_100n, reserve: 900n })
  })

  it('is kept of all that a batch pays out, whoever pays meanwhile', async () => {
    const one = await stall()
    await reserveRule(one.shop, rolling('10', 30))
    const sale = { isOn: true }
    const sold = (async () => {
      while (sale.isOn) await one.move(['payment', 1_000n])
    })()
    const body = { currency: 'EUR' }
    for (let asked = 0; asked < 10; asked += 1) {
      await call(one.shop, 'POST', '/v1/settlements', { body, key: newKey() })
    }
    sale.isOn = false
    await sold
    const batches = await batchesOf(one)
    expect(batches.length).to.be.greaterThan(1)
    const kept = batches.map(({ gross, reserves }) => [gross, `${Number(reserves) * -10}`])
    expect(kept).to.deep.equal(batches.map(({ gross }) => [gross, gross]))
  })
})

/** A payment of 100.00, of which each of these has its part, in cents; the shop has the rest. */
async function sharedWith(parts: readonly (readonly [Merchant, string])[]) {
  const [payer, shop] = await Promise.all([person(10_000n), merchant(FREE)])
  const beneficiaries = parts.map(([{ id }, amount]) => ({ merchant: id, amount }))
  const { id } = await authorize(payer, shop, '10000', { splits: { beneficiaries } })
  expect((await capture(shop, id)).status).to.equal(200)
  return { shop, id }
}

describe('what one unit takes of reserves', () => {
  it('is all that a beneficiary has to give back, however many others there are', async () => {
    const [baker, ...others] = await Promise.all(times(20, () => merchant(FREE)))
    const small = others.map((one) => [one, '1'] as const)
    const { shop, id } = await sharedWith([[baker!, '2000'], ...small])
    await keepOfDays(baker!, 12, 150n)
    expect(await money(baker!)).to.deep.equal({ balance: 200n, reserve: 1_800n })
    // The shop has 79.81 left: what the baker owes it cannot pay as well.
    const back = await refund(shop, id)
    expect([back.status, back.body.shares_returned], back.text).to.deep.equal([201, '2019'])
    for (const one of [shop, baker!, ...others]) {
      expect(await money(one)).to.deep.equal({ balance: 0n, reserve: 0n })
    }
  })

  it('is refused where it would be more than there is room for, and nobody else pays', async () => {
    const [baker, farmer] = await Promise.all([merchant(FREE), merchant(FREE)])
    const { shop, id } = await sharedWith([
      [baker, '1000'],
      [farmer, '1000'],
    ])
    for (const one of [baker, farmer]) await keepOfDays(one, 100, 10n)
    const asked = newKey()
    await unchanged(async () =>
      expectProblem(await refund(shop, id, {}, asked), 409, 'too_many_reserves'),
    )
    const part = await refund(shop, id, { amount: '2000' })
    expect([part.status, part.body.shares_returned], part.text).to.deep.equal([201, '400'])
    // It was not final: for what is left there is room.
    const rest = await refund(shop, id, {}, asked)
    expect([rest.status, rest.body.shares_returned], rest.text).to.deep.equal([201, '1600'])
    for (const one of [shop, baker, farmer]) {
      expect(await money(one)).to.deep.equal({ balance: 0n, reserve: 0n })
    }
  })

  it('is refused of one who has more reserves too, for a dispute as well', async () => {
    const [payer, shop] = await Promise.all([person(1_900n), merchant(FREE)])
    const id = await paid(payer, shop, '1900')
    await keepOfDays(shop, 190, 10n)
    await lendTo(shop, '1900')
    // The first dispute of all opens an account of ours.
    expectProblem(await dispute(payer, id), 409, 'too_many_reserves')
    await unchanged(async () => {
      expectProblem(await refund(shop, id), 409, 'too_many_reserves')
      expectProblem(await dispute(payer, id), 409, 'too_many_reserves')
    })
    const opened = await dispute(payer, id, { amount: '1800' })
    expect(opened.status, opened.text).to.equal(201)
    expect(await money(shop)).to.deep.equal({ balance: 0n, reserve: 100n })
  })
})
