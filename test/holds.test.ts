/** Money that is held first: authorised by the payer, captured or released by the merchant. */
import { expect } from 'chai'
import fc from 'fast-check'
import { priceOfMore } from '../services/payments/captures.ts'
import { uuidOf } from '../services/ids.ts'
import { modelPrice, simple } from './model/fees.ts'
import { expectProblem, quiet, statusesOf, times, unchanged } from './support/abuse.ts'
import { call, newKey } from './support/api.ts'
import { factsWith, modelFacts, modelTerms, pricedFrom, scheduleFrom } from './support/fees.ts'
import {
  authorize,
  balances,
  capture,
  eventsOf,
  expireAll,
  manualOrder,
  payOrder,
  takings,
} from './support/held.ts'
import { ended, linkedAccount, merchant, person } from './support/people.ts'
import { together } from './support/proposals.ts'
import { world } from './support/world.ts'

const DAY_S = 86_400

describe('an order that is captured manually', () => {
  it('is authorised by paying it: the money is there, and may not leave twice', async () => {
    const [ada, shop] = await Promise.all([person(10_000n), merchant()])
    const held = await authorize(ada, shop, '6000')
    expect(await balances(ada)).to.deep.equal({ posted: '10000', available: '4000' })
    expect(await takings(shop)).to.deep.equal({ posted: 0n, pending: 6_000n })
    const { captured, fee, tax, net, captures } = held
    expect([captured, fee, tax, net, captures]).to.deep.equal(['0', '0', '0', '0', []])
    const within_ms = Date.parse(held.capture_before) - Date.parse(held.created_at)
    expect(within_ms).to.equal(7 * DAY_S * 1000)
    expect(held.timeline.map(({ state }: { state: string }) => state)).to.deep.equal([
      ...['created', 'authorized'],
    ])
    const { body } = await call(shop, 'GET', `/v1/orders/${held.order}`)
    expect([body.state, body.payment]).to.deep.equal(['authorized', held.id])
    const tooMuch = await payOrder(ada, await manualOrder(shop, '4001'), '4001')
    expectProblem(tooMuch, 402, 'insufficient_funds')
    expectProblem(await payOrder(ada, held.order, '6000'), 409, 'order_already_paid')
  })

  it('is captured in parts, which cost together what one would have cost', async () => {
    const fees = { percent: '1.4', fixed: '25', tax_percent: '20' }
    const [ada, shop] = await Promise.all([person(10_000n), merchant(fees)])
    const held = await authorize(ada, shop, '6000')
    const terms = simple('1.4', 25n, '20')
    let before = { fee: 0n, tax: 0n, net: 0n }
    let sum = 0n
    for (const amount of [1_000n, 333n, 2_667n]) {
      sum += amount
      const { status, text, body } = await capture(shop, held.id, { amount: `${amount}` })
      expect(status, text).to.equal(200)
      const all = modelPrice(terms, factsWith({ amount: sum })) ?? before
      expect([body.captured, body.fee, body.tax, body.net]).to.deep.equal(
        [sum, all.fee, all.tax, all.net].map(String),
      )
      const last = body.captures.at(-1)
      expect([last.fee, last.tax]).to.deep.equal(
        [all.fee - before.fee, all.tax - before.tax].map(String),
      )
      const lines = body.fee_lines.map((line: { amount: string }) => BigInt(line.amount))
      expect(lines.reduce((a: bigint, b: bigint) => a + b)).to.equal(all.fee + all.tax)
      expect(body.state).to.equal('authorized')
      before = all
    }
    const { body } = await capture(shop, held.id, { amount: '1000', final: true })
    expect([body.state, body.captured]).to.deep.equal(['completed', '5000'])
    expect(body.fee).to.equal('95')
    expect(await takings(shop)).to.deep.equal({ posted: BigInt(body.net), pending: 0n })
    expect(await balances(ada)).to.deep.equal({ posted: '5000', available: '5000' })
    expect(body.timeline.map(({ state }: { state: string }) => state)).to.deep.equal([
      ...['created', 'authorized', 'captured', 'captured', 'captured', 'captured', 'completed'],
    ])
    expect((await call(ada, 'GET', `/v1/payments/${held.id}`)).body).to.deep.equal(body)
    expect(await eventsOf(held.id)).to.deep.equal([
      ...['payment.authorized', ...times(4, () => 'payment.captured'), 'payment.completed'],
    ])
  })

  it('is captured in full by saying nothing, and then no more', async () => {
    const [ada, shop] = await Promise.all([person(6_000n), merchant()])
    const held = await authorize(ada, shop, '6000', { partial_captures: 'none' })
    const { body } = await capture(shop, held.id)
    expect([body.state, body.captured, body.fee]).to.deep.equal(['completed', '6000', '109'])
    await unchanged(async () => {
      expectProblem(await capture(shop, held.id), 409, 'payment_not_authorized')
      const path = `/v1/payments/${held.id}/void`
      expectProblem(await call(shop, 'POST', path), 409, 'payment_not_authorized')
    })
  })

  it('is captured as the order allows: in full, once, or several times', async () => {
    const [ada, shop] = await Promise.all([person(18_000n), merchant()])
    const whole = await authorize(ada, shop, '6000', { partial_captures: 'none' })
    const part = { amount: '5999' }
    expectProblem(await capture(shop, whole.id, part), 422, 'partial_capture_not_allowed')
    const one = await authorize(ada, shop, '6000', { partial_captures: 'one' })
    const taken = await capture(shop, one.id, part)
    expect([taken.body.state, taken.body.captured]).to.deep.equal(['completed', '5999'])
    const several = await authorize(ada, shop, '6000')
    for (const state of ['authorized', 'completed']) {
      const { body } = await capture(shop, several.id, { amount: '3000' })
      expect(body.state).to.equal(state)
    }
  })

  it('is not captured beyond what is left, nor below what it costs', async () => {
    const [ada, shop] = await Promise.all([person(6_000n), merchant()])
    const held = await authorize(ada, shop, '6000')
    await capture(shop, held.id, { amount: '4000' })
    const work = async () => {
      expectProblem(await capture(shop, held.id, { amount: '2001' }), 422, 'amount_exceeds_hold')
    }
    await unchanged(work, { except: ['claims'] })
    const small = await authorize(await person(6_000n), shop, '6000')
    const dear = () => capture(shop, small.id, { amount: '20' })
    expectProblem(await unchanged(dear), 422, 'fee_exceeds_amount')
  })

  it('goes back to the payer when the merchant lets go, all or what is left', async () => {
    const [ada, shop] = await Promise.all([person(12_000n), merchant()])
    const [whole, part] = [await authorize(ada, shop, '6000'), await authorize(ada, shop, '6000')]
    const canceled = await call(shop, 'POST', `/v1/payments/${whole.id}/void`)
    expect([canceled.status, canceled.body.state]).to.deep.equal([200, 'canceled'])
    await capture(shop, part.id, { amount: '1000' })
    const kept = await together(`/v1/payments/${part.id}/void`, {})
    expect([kept.body.state, kept.body.captured]).to.deep.equal(['completed', '1000'])
    expect(await balances(ada)).to.deep.equal({ posted: '11000', available: '11000' })
    expect(await eventsOf(whole.id)).to.deep.equal(['payment.authorized', 'payment.canceled'])
    const again = await payOrder(ada, whole.order, '6000')
    expect([again.status, again.body.state]).to.deep.equal([201, 'authorized'])
  })

  it('may be paid from a bank account: held once the bank has paid', async () => {
    const [ada, shop] = await Promise.all([person(), merchant()])
    const source = await linkedAccount(ada)
    const asked = await payOrder(ada, await manualOrder(shop, '6000'), '6000', { source })
    expect([asked.status, asked.body.captured]).to.deep.equal([202, '0'])
    const held = await ended(ada, `/v1/payments/${asked.body.id}`)
    expect(held.state, held.failure).to.equal('authorized')
    expect(await balances(ada)).to.deep.equal({ posted: '6000', available: '0' })
    const { body } = await capture(shop, held.id, { amount: '2500', final: true })
    expect(body.state).to.equal('completed')
    expect(await balances(ada)).to.deep.equal({ posted: '3500', available: '3500' })
    expect(body.timeline.map(({ state }: { state: string }) => state)).to.deep.equal([
      ...['created', 'processing', 'authorized', 'captured', 'completed'],
    ])
    await quiet()
  })

  it('is settled for what was captured, whatever may still be', async () => {
    const [ada, shop] = await Promise.all([person(20_000n), merchant()])
    await linkedAccount(shop)
    const [part, open] = [await authorize(ada, shop, '6000'), await authorize(ada, shop, '6000')]
    await capture(shop, part.id, { amount: '4000', final: true })
    await capture(shop, open.id, { amount: '1000' })
    const asked = await call(shop, 'POST', '/v1/settlements', { body: { currency: 'EUR' } })
    const { payments, gross, fee, net } = asked.body
    expect([payments, gross, fee, net]).to.deep.equal([2, '5000', '120', '4880'])
    expect((await ended(shop, `/v1/settlements/${asked.body.id}`)).state).to.equal('settled')
    await quiet()
  })
})

describe('a hold', () => {
  it('runs out: what is left is the payer’s again, and the order can be paid anew', async () => {
    const [ada, shop] = await Promise.all([person(12_000n), merchant()])
    const short = { capture_within_s: 1 }
    const whole = await authorize(ada, shop, '6000', short)
    const part = await authorize(ada, shop, '6000', { capture_within_s: 2 })
    await capture(shop, part.id, { amount: '1000' })
    await new Promise((resolve) => setTimeout(resolve, 2_100))
    expectProblem(await capture(shop, whole.id), 409, 'hold_expired')
    await expireAll()
    const states = await Promise.all(
      [whole, part].map(async ({ id }) => (await call(shop, 'GET', `/v1/payments/${id}`)).body),
    )
    expect(states.map(({ state }) => state)).to.deep.equal(['expired', 'completed'])
    expect(states[1].captured).to.equal('1000')
    expect(await balances(ada)).to.deep.equal({ posted: '11000', available: '11000' })
    expect(await eventsOf(whole.id)).to.deep.equal(['payment.authorized', 'payment.expired'])
    expect((await payOrder(ada, whole.order, '6000')).status).to.equal(201)
  })

  it('leaves the list when it was captured or released before, and changes nothing', async () => {
    const [ada, shop] = await Promise.all([person(12_000n), merchant()])
    const [one, other] = [await authorize(ada, shop, '6000'), await authorize(ada, shop, '6000')]
    await capture(shop, one.id)
    await call(shop, 'POST', `/v1/payments/${other.id}/void`)
    const { owner } = await world()
    const listed = () =>
      owner('hold_expiries').whereIn('reference', [uuidOf(one.id), uuidOf(other.id)])
    expect(await listed()).to.have.length(2)
    await expireAll(8 * DAY_S)
    expect(await listed()).to.have.length(0)
    const { body } = await call(shop, 'GET', `/v1/payments/${one.id}`)
    expect(body.state).to.equal('completed')
  })

  it('runs out once, however many workers look', async () => {
    const [ada, shop] = await Promise.all([person(60_000n), merchant()])
    const held = await Promise.all(times(10, () => authorize(ada, shop, '6000')))
    await Promise.all(times(8, () => expireAll(8 * DAY_S)))
    for (const { id } of held) {
      expect(await eventsOf(id)).to.deep.equal(['payment.authorized', 'payment.expired'])
    }
    expect(await balances(ada)).to.deep.equal({ posted: '60000', available: '60000' })
  })

  it('is captured or runs out, never both', async () => {
    const [ada, shop] = await Promise.all([person(60_000n), merchant()])
    const held = await Promise.all(times(10, () => authorize(ada, shop, '6000')))
    const [answers] = await Promise.all([
      Promise.all(held.map(({ id }) => capture(shop, id))),
      ...times(4, () => expireAll(8 * DAY_S)),
    ])
    const taken = answers.filter(({ status }) => status === 200).length
    for (const { status, text } of answers) expect([200, 409], text).to.include(status)
    expect((await takings(shop)).posted).to.equal(BigInt(taken) * 5_891n)
    const left = `${60_000 - taken * 6_000}`
    expect(await balances(ada)).to.deep.equal({ posted: left, available: left })
  })
})

describe('captures', () => {
  it('by a crowd never take more than is held', async () => {
    const [ada, shop] = await Promise.all([person(6_000n), merchant({ fixed: '0' })])
    const { id } = await authorize(ada, shop, '1000')
    const answers = await Promise.all(times(25, () => capture(shop, id, { amount: '100' })))
    const [taken, late] = [200, 409].map((one) => answers.filter(({ status }) => status === one))
    expect([taken?.length, late?.length]).to.deep.equal([10, 15])
    const { body } = await call(shop, 'GET', `/v1/payments/${id}`)
    expect([body.state, body.captured, body.captures.length]).to.deep.equal([
      ...['completed', '1000', 10],
    ])
    expect(await balances(ada)).to.deep.equal({ posted: '5000', available: '5000' })
  })

  it('are made once, however often one key comes, and only of the payment they name', async () => {
    const [ada, shop] = await Promise.all([person(12_000n), merchant()])
    const [one, other] = [await authorize(ada, shop, '6000'), await authorize(ada, shop, '6000')]
    const key = newKey()
    const some = { amount: '1000' }
    const answers = await Promise.all(times(10, () => capture(shop, one.id, some, key)))
    expect(new Set(statusesOf(answers))).to.deep.equal(new Set([200]))
    expect(new Set(answers.map(({ text }) => text)).size).to.equal(1)
    expect((await capture(shop, one.id, some, key)).text).to.equal(answers[0]?.text)
    const reused = await capture(shop, other.id, some, key)
    expectProblem(reused, 422, 'idempotency_key_reused')
    expect((await call(shop, 'GET', `/v1/payments/${one.id}`)).body.captured).to.equal('1000')
  })

  it('cost together what one of all would, and never give back a fee', () => {
    const seen = { captures: 0, free: 0, dearer: 0 }
    const parts = fc.array(fc.bigInt(1n, 5_000n), { minLength: 1, maxLength: 12 })
    const property = fc.property(modelTerms, modelFacts, parts, (terms, facts, amounts) => {
      const [schedule, { amount: _, ...by }] = [scheduleFrom(terms), pricedFrom(facts)]
      const own = { ...terms, surcharge_rails: [] }
      const all = { captured: 0n, fee: 0n, tax: 0n }
      let dearest = 0n
      for (const part of amounts) {
        const expected = modelPrice(own, { ...facts, amount: all.captured + part })
        if (expected === undefined) {
          expect(() => priceOfMore(schedule, by, all, part)).to.throw('fee_exceeds_amount')
          return
        }
        const { lines, fee, tax, net } = priceOfMore(schedule, by, { ...all }, part)
        expect(fee >= 0n && tax >= 0n).to.equal(true)
        expect(net).to.equal(part - fee - tax)
        expect(lines.reduce((sum, line) => sum + line.amount, 0n)).to.equal(fee + tax)
        expect(lines.every((line) => line.amount !== 0n)).to.equal(true)
        all.captured += part
        all.fee += fee
        all.tax += tax
        if (expected.fee > dearest) dearest = expected.fee
        // Where the terms never make more cheaper, that is what one capture of all costs.
        expect(all.fee).to.equal(dearest)
        const flat = { ...simple('0', dearest, terms.tax_percent), rounding: terms.rounding }
        const taxed = modelPrice(flat, factsWith({ amount: 10n ** 15n }))
        expect(all.tax).to.equal(taxed?.tax)
        seen.captures += 1
        if (fee === 0n) seen.free += 1
        if (dearest > expected.fee) seen.dearer += 1
      }
    })
    fc.assert(property, { numRuns: Number(process.env['RUNS'] ?? 5_000) })
    expect(Math.min(...Object.values(seen)), JSON.stringify(seen)).to.be.greaterThan(20)
  }).timeout(600_000)
})
