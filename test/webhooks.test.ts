/** Webhooks: what happens reaches whoever asked, signed, once and again until it has arrived. */
import { expect } from 'chai'
import { Webhook } from 'standardwebhooks'
import { expectProblem, until } from './support/abuse.ts'
import { call } from './support/api.ts'
import { merchant, type Merchant, OPERATOR, order, person, PIN } from './support/people.ts'
import { openReceiver, type Receiver } from './support/receiver.ts'
import {
  CHAT,
  deliveriesOf,
  happens,
  letTimePass,
  newEndpoint,
  removeEndpoint,
  startDelivering,
} from './support/webhooks.ts'
import { world } from './support/world.ts'

describe('a webhook', () => {
  let shop: Merchant
  let other: Merchant
  let receiver: Receiver
  let delivering: Awaited<ReturnType<typeof startDelivering>>
  let answer: Parameters<typeof openReceiver>[0]
  before(async () => {
    ;[shop, other] = [await merchant(), await merchant()]
    delivering = await startDelivering()
  })
  beforeEach(async () => {
    answer = (response) => response.writeHead(204).end()
    receiver = await openReceiver((response, got) => answer?.(response, got))
  })
  afterEach(() => receiver.close())
  after(() => delivering.stop())

  it('tells a merchant of a payment as the API shows it, and can be verified', async () => {
    const endpoint = await newEndpoint(shop, receiver.url, ['payment.*'])
    const [ada, wanted] = [await person(10_000n), await order(shop, '1000')]
    const body = { payee: shop.id, order: wanted, amount: '1000', currency: 'EUR' }
    const paid = await call(ada, 'POST', '/v1/payments', {
      body: { ...body, approval: { pin: PIN } },
    })
    expect(paid.status, paid.text).to.equal(201)
    await receiver.until((got) => got.length === 1)
    const [first] = receiver.got
    const told = new Webhook(endpoint.secret).verify(first!.body, first!.headers as never)
    const shown = await call(shop, 'GET', '/v1/events')
    expect(told).to.deep.equal(shown.body.data[0])
    expect(told).to.deep.include({ type: 'payment.completed', object: paid.body.id, version: 1 })
    expect(first!.id).to.equal((told as { id: string }).id)
    await removeEndpoint(shop, endpoint)
  })

  it('goes to those who asked for its type, and to no other merchant', async () => {
    const [mine, chats] = [await openReceiver(), await openReceiver()]
    const others = await newEndpoint(other, receiver.url)
    const endpoint = await newEndpoint(shop, mine.url, ['settlement.settled'])
    const chat = await newEndpoint(CHAT, chats.url, ['settlement.*'])
    const failed = await happens(shop, 'settlement.failed')
    const settled = await happens(shop)
    await mine.until((got) => got.length === 1)
    await chats.until((got) => [failed, settled].every((one) => got.some((g) => g.object === one)))
    expect(mine.got.map(({ object }) => object)).to.deep.equal([settled])
    const theirs = await happens(other)
    await receiver.until((got) => got.length === 1)
    expect(receiver.got.map(({ object }) => object)).to.deep.equal([theirs])
    for (const one of [mine, chats]) await one.close()
    await removeEndpoint(other, others)
    await removeEndpoint(shop, endpoint)
    await removeEndpoint(CHAT, chat)
  })

  it('tells the chat app null of how a merchant stands, and the merchant everything', async () => {
    const chats = await openReceiver()
    const mine = await newEndpoint(shop, receiver.url, ['dispute.*'])
    const chat = await newEndpoint(CHAT, chats.url, ['dispute.*'])
    const inside = { paid_from: { balance: '1', reserve: '2', limit: '3' } }
    const object = await happens(shop, 'dispute.lost', inside)
    for (const one of [receiver, chats]) await one.until((got) => got.length === 1)
    const told = [receiver, chats].map(({ got }) => JSON.parse(got[0]!.body).data)
    expect(told).to.deep.equal([
      { id: object, ...inside },
      { id: object, paid_from: null },
    ])
    expect(new Set([receiver, chats].map(({ got }) => got[0]!.id)).size).to.equal(1)
    await chats.close()
    await removeEndpoint(shop, mine)
    await removeEndpoint(CHAT, chat)
  })

  it('that fails comes again with its id; the log has every attempt (abuse 32, 42)', async () => {
    const endpoint = await newEndpoint(shop, receiver.url)
    answer = (response) => response.writeHead(500).end('no\u0000 room')
    await happens(shop)
    await receiver.until((got) => got.length === 1)
    const [delivery] = await untilAttempts(endpoint, 1)
    expect(delivery).to.deep.include({ state: 'waiting', event: receiver.got[0]!.id })
    expect(delivery.attempts[0]).to.deep.include({
      ...{ status: 500, fault: 'refused', excerpt: null },
    })
    const log = await call(OPERATOR, 'GET', `/v1/webhook_endpoints/${endpoint.id}/deliveries`)
    expect(log.body.data[0].attempts[0].excerpt).to.equal('no  room')
    const after_ms = Date.parse(delivery.next_attempt_at) - Date.parse(delivery.attempts[0].at)
    expect(after_ms).to.be.within(4_500, 6_500)
    answer = (response) => response.writeHead(200).end('ok')
    await letTimePass(endpoint)
    await receiver.until((got) => got.length === 2)
    const [again] = await untilAttempts(endpoint, 2)
    expect(again.state).to.equal('delivered')
    expect(new Set(receiver.got.map(({ id }) => id)).size).to.equal(1)
    await removeEndpoint(shop, endpoint)
  })

  it('is given up after ten attempts, and can be sent again by hand (abuse 32)', async () => {
    const endpoint = await newEndpoint(shop, receiver.url)
    answer = (response) => response.writeHead(503).end()
    await happens(shop)
    for (let attempt = 1; attempt <= 10; attempt += 1) {
      await receiver.until((got) => got.length === attempt)
      await untilAttempts(endpoint, attempt)
      await letTimePass(endpoint)
    }
    const [given] = await deliveriesOf(shop, endpoint)
    expect(given).to.deep.include({ state: 'failed', next_attempt_at: null })
    answer = (response) => response.writeHead(200).end()
    const path = `/v1/webhook_endpoints/${endpoint.id}/deliveries/${given.id}/redeliver`
    expect((await call(shop, 'POST', path)).status).to.equal(202)
    expectProblem(await call(other, 'POST', path), 404, 'not_found')
    await receiver.until((got) => got.length === 11)
    const [arrived] = await untilAttempts(endpoint, 11)
    expect(arrived.state).to.equal('delivered')
    await removeEndpoint(shop, endpoint)
  })

  it('follows nobody who sends it on: a redirect has not arrived', async () => {
    const [endpoint, elsewhere] = [await newEndpoint(shop, receiver.url), await openReceiver()]
    const statuses = [301, 302, 303, 307, 308]
    answer = (response) => {
      const status = statuses[receiver.got.length - 1] ?? 204
      response.writeHead(status, { location: elsewhere.url }).end()
    }
    await happens(shop)
    await until(async () => {
      await letTimePass(endpoint)
      return (await deliveriesOf(shop, endpoint))[0]?.state === 'delivered'
    })
    const [{ attempts }] = await deliveriesOf(shop, endpoint)
    const got = attempts.map(({ status }: { status: number }) => status).toSorted()
    expect(got).to.deep.equal([204, ...statuses])
    expect(elsewhere.got).to.deep.equal([])
    await elsewhere.close()
    await removeEndpoint(shop, endpoint)
  })

  it('comes beside three others and no more, however much there is to tell', async () => {
    const endpoint = await newEndpoint(shop, receiver.url)
    answer = (response) => setTimeout(() => response.writeHead(204).end(), 40)
    const told = await Promise.all(Array.from({ length: 60 }, () => happens(shop)))
    await receiver.until((got) => got.length >= told.length)
    expect(receiver.atOnce()).to.equal(4)
    expect(receiver.got.map(({ object }) => object)).to.have.members(told)
    await removeEndpoint(shop, endpoint)
  })

  it('is signed by both secrets while one replaces the other', async () => {
    const endpoint = await newEndpoint(shop, receiver.url)
    const rotated = await call(shop, 'POST', `/v1/webhook_endpoints/${endpoint.id}/rotate`)
    expect(rotated.body.secret).not.to.equal(endpoint.secret)
    for (const { secret } of [endpoint, rotated.body]) {
      expect(Buffer.from(secret.replace('whsec_', ''), 'base64')).to.have.length(32)
    }
    await happens(shop)
    await receiver.until((got) => got.length === 1)
    const { owner } = await world()
    const past = { previous_until: new Date() }
    await owner('webhook_endpoints').where({ url: receiver.url }).update(past)
    await happens(shop)
    await receiver.until((got) => got.length === 2)
    const verified = receiver.got.map(({ body, headers }) =>
      [endpoint.secret, rotated.body.secret].map((secret) => {
        try {
          return Boolean(new Webhook(secret).verify(body, headers as never))
        } catch {
          return false
        }
      }),
    )
    expect(verified).to.deep.equal([
      [true, true],
      [false, true],
    ])
    await removeEndpoint(shop, endpoint)
  })

  async function untilAttempts(endpoint: { id: string; secret: string }, count: number) {
    for (let look = 0; look < 1_000; look += 1) {
      const found = await deliveriesOf(shop, endpoint)
      if (found[0]?.attempts.length === count) return found
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    throw new Error(`there are not ${count} attempts`)
  }
})
