/** Paying people, over HTTP. */
import { expect } from 'chai'
import { call, newKey } from './support/api.ts'
import { payOrder } from './support/held.ts'
import { orderOf } from './support/onboarding.ts'
import { merchant, OPERATOR, payment, person, PIN, walletBalance } from './support/people.ts'
import { suspect, waiting } from './support/reviews.ts'

describe('a payment to a person', () => {
  it('moves the money and says so', async () => {
    const [ada, ben] = [await person(10_000n), await person()]
    const paid = await call(ada, 'POST', '/v1/payments', { body: payment(ben, '2500') })
    expect(paid.status, paid.text).to.equal(201)
    expect(paid.body.state).to.equal('completed')
    expect(await walletBalance(ada)).to.equal(7_500n)
    expect(await walletBalance(ben)).to.equal(2_500n)
    const seen = await call(ben, 'GET', `/v1/payments/${paid.body.id}`)
    expect(seen.body).to.deep.equal(paid.body)
  })

  it('cannot be spent twice by a crowd', async () => {
    const [ada, ben] = [await person(9_000n), await person()]
    const keys = Array.from({ length: 100 }, newKey)
    const pay = (key: string) =>
      call(ada, 'POST', '/v1/payments', { key, body: payment(ben, '9000') })
    const first = await Promise.all(keys.map(pay))
    const busy = keys.filter((_, index) => first[index]?.status === 503)
    const again = await Promise.all(busy.map(pay))
    const statuses = [...first.filter(({ status }) => status !== 503), ...again].map(
      (a) => a.status,
    )
    expect(statuses.filter((status) => status === 201)).to.have.length(1)
    const refused = statuses.filter((status) => status === 402).length
    const stillBusy = statuses.filter((status) => status === 503).length
    expect(refused + stillBusy).to.equal(99)
    expect(await walletBalance(ada)).to.equal(0n)
    expect(await walletBalance(ben)).to.equal(9_000n)
  }).timeout(60_000)

  it('is made once, however often one key comes at the same time', async () => {
    const [ada, ben] = [await person(9_000n), await person()]
    const key = newKey()
    const body = payment(ben, '1000', { approval: { pin: PIN } })
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => call(ada, 'POST', '/v1/payments', { key, body })),
    )
    expect(new Set(answers.map((answer) => answer.text)).size).to.equal(1)
    expect(new Set(answers.map((answer) => answer.status))).to.deep.equal(new Set([201]))
    const replays = answers.filter((answer) => answer.headers.get('idempotent-replayed') === 'true')
    expect(replays).to.have.length(49)
    expect(await walletBalance(ada)).to.equal(8_000n)
  })
})

describe('the payments of an order', () => {
  it('are all there are, by page, but for the merchant those a review hides', async () => {
    const [shop, ada, eve] = await Promise.all([merchant(), person(5_000n), suspect(5_000n)])
    const wall = await orderOf(shop, { currency: 'EUR', usage: 'reusable' })
    const other = await orderOf(shop, { currency: 'EUR', usage: 'reusable' })
    const made = []
    for (const amount of ['500', '600', '700']) {
      made.unshift((await payOrder(ada, wall.id, amount)).body)
    }
    await payOrder(ada, other.id, '800')
    const { payment: hidden } = await waiting(eve, '900', { order: wall.id })
    const path = `/v1/orders/${wall.id}/payments`
    const first = (await call(shop, 'GET', `${path}?limit=2`)).body
    expect(first.data).to.deep.equal(made.slice(0, 2))
    const next = await call(shop, 'GET', `${path}?limit=2&cursor=${first.next_cursor}`)
    expect(next.body).to.deep.equal({ data: made.slice(2), next_cursor: null })
    const all = (await call(OPERATOR, 'GET', path)).body.data
    expect(all.map(({ id }: { id: string }) => id)).to.deep.equal([
      ...[hidden.id, ...made.map(({ id }) => id)],
    ])
  })
})
