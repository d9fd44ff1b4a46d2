/** What was used up of a limit, given back when the day of the payment is not that of the look. */
import { expect } from 'chai'
import { newId } from '../ledger/index.ts'
import { uuidOf } from '../services/ids.ts'
import { nextPeriod, openCalendar } from '../services/limits/calendar.ts'
import { voidHold } from '../services/payments/holds.ts'
import { pay } from '../services/payments/pay.ts'
import { call, newKey, newSubject } from './support/api.ts'
import { manualOrder } from './support/held.ts'
import { merchant, OPERATOR, person, PIN } from './support/people.ts'
import { world } from './support/world.ts'

describe('a limit at midnight', () => {
  it('comes back to the day it was used on, though it was cleared the day before', async () => {
    const { api, owner } = await world()
    const tier = newSubject('t')
    const [ada, shop] = [await person(10_000n), await merchant()]
    await owner('people').where({ id: ada.id }).update({ tier })
    const rule = { scope: 'payer', period: 'day', currency: 'EUR', tier, amount_max: '9000' }
    const ruled = await call(OPERATOR, 'POST', '/v1/limit_rules', { body: rule })
    expect(ruled.status, ruled.text).to.equal(201)
    // Days of a millisecond, and a clock by which each look is another day.
    const start_ms = Date.now()
    let looks = 0
    const numbered = (at: Date) => BigInt(at.getTime() - start_ms + 1_000_000)
    const context = {
      ...api,
      now: () => new Date(start_ms + (looks += 1)),
      calendar: (at: Date) => ({ day: numbered(at), week: numbered(at), month: numbered(at) }),
    }
    const order = uuidOf(await manualOrder(shop, '3000'))
    const request = { order, money: { amount: 3_000n, currency: 'EUR' }, approval: { pin: PIN } }
    const claim = () => ({ id: newId(), fingerprint: Buffer.alloc(16, 1) })
    const outcome = await pay(
      context,
      { id: ada.id, name: null, alias: null },
      { payee: undefined, source: undefined, note: undefined, ...request },
      { claim: claim(), key: newKey(), standing: undefined },
    )
    const made = JSON.parse(outcome.answer)
    expect(made.state).to.equal('authorized')
    const used = async () => {
      const { quotas } = await owner('payments').where({ payer_id: ada.id }).first('quotas')
      const row = await owner('quotas').where({ id: quotas[0] }).first()
      return [row.day_amount, row.day_count]
    }
    expect(await used()).to.deep.equal([3_000n, 1n])
    await voidHold(context, undefined, uuidOf(made.id), claim())
    expect(await used()).to.deep.equal([0n, 0n])
  })
})

describe('the calendar of limits', () => {
  it('changes its day, week and month at midnight of its zone', () => {
    const berlin = openCalendar('Europe/Berlin')
    const sunday = berlin(new Date('2026-05-31T21:59:59.999Z'))
    const monday = berlin(new Date('2026-05-31T22:00:00.000Z'))
    expect(monday.day - sunday.day).to.equal(1n)
    expect(monday.week - sunday.week).to.equal(1n)
    expect(monday.month - sunday.month).to.equal(1n)
    expect(berlin(new Date('2026-05-31T21:59:59.999Z'))).to.deep.equal(sunday)
    const utc = openCalendar('UTC')
    expect(utc(new Date('2026-05-31T22:00:00Z'))).to.deep.equal(sunday)
    expect(nextPeriod(sunday, 'day')).to.equal('2026-06-01')
    expect(nextPeriod(monday, 'week')).to.equal('2026-06-08')
    expect(nextPeriod(monday, 'month')).to.equal('2026-07-01')
    expect(nextPeriod(utc(new Date('2026-12-31T12:00:00Z')), 'month')).to.equal('2027-01-01')
  })

  it('keeps to it when the clocks change', () => {
    const york = openCalendar('America/New_York')
    // Clocks go back on 1 November 2026: that day has 25 hours.
    const start = york(new Date('2026-11-01T04:00:00Z'))
    expect(york(new Date('2026-11-02T04:59:59Z')).day).to.equal(start.day)
    expect(york(new Date('2026-11-02T05:00:00Z')).day).to.equal(start.day + 1n)
  })
})
