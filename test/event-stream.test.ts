/** The stream of events: what happens as it happens, and nothing is missing afterwards. */
import { expect } from 'chai'
import { publicId } from '../services/ids.ts'
import { newId } from '../ledger/index.ts'
import { expectProblem, send } from './support/abuse.ts'
import { tokenOf, type Who } from './support/api.ts'
import { withAnotherApi } from './support/another-api.ts'
import { merchant, type Merchant, OPERATOR } from './support/people.ts'
import { CHAT, happens } from './support/webhooks.ts'
import { world } from './support/world.ts'

const PATH = '/v1/events/stream'

interface Told {
  readonly id: string
  readonly object: string
  readonly version: number
  readonly type: string
  readonly data: object
}

async function open(
  who: Who,
  { last, query = '', url }: { last?: string; query?: string; url?: string } = {},
) {
  const ending = new AbortController()
  const response = await fetch(`${url ?? (await world()).apiUrl}${PATH}${query}`, {
    headers: {
      authorization: `Bearer ${await tokenOf(who)}`,
      ...(last !== undefined && { 'last-event-id': last }),
    },
    signal: ending.signal,
  })
  expect(response.status).to.equal(200)
  expect(response.headers.get('content-type')).to.match(/^text\/event-stream/)
  const [told, state]: [Told[], { last?: string; ended: boolean }] = [[], { ended: false }]
  const reading = (async () => {
    let text = ''
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
      text += chunk
      const messages = text.split('\n\n')
      text = messages.pop() ?? ''
      for (const message of messages) {
        const id = /^id: (.*)$/m.exec(message)?.[1]
        const data = /^data: (.*)$/m.exec(message)?.[1]
        if (id !== undefined) state.last = id
        if (data !== undefined) told.push(JSON.parse(data))
      }
    }
  })()
  const read = reading.catch(() => {}).finally(() => (state.ended = true))
  return {
    ...{ told, state, read },
    async until(done: () => boolean, wait_ms = 10_000) {
      const deadline = performance.now() + wait_ms
      while (!done()) {
        if (performance.now() > deadline) throw new Error(`${told.length} came`)
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
    },
    async close() {
      ending.abort()
      await read
    },
  }
}

describe('the stream of events', () => {
  let shop: Merchant
  let other: Merchant
  before(async () => {
    ;[shop, other] = [await merchant(), await merchant()]
  })

  it('tells a merchant what is theirs, and the chat app and operators everything', async () => {
    const streams = await Promise.all([shop, CHAT, OPERATOR].map((who) => open(who)))
    const [mine, theirs] = [await happens(shop), await happens(other)]
    const has = (one: number, object: string) => streams[one]!.told.some((e) => e.object === object)
    await streams[1]!.until(() => has(1, mine) && has(1, theirs))
    await streams[2]!.until(() => has(2, mine) && has(2, theirs))
    await streams[0]!.until(() => has(0, mine))
    expect(streams[0]!.told.map(({ object }) => object)).to.deep.equal([mine])
    for (const one of streams) await one.close()
  })

  it('tells the chat app null of how a merchant stands', async () => {
    const streams = await Promise.all([shop, OPERATOR, CHAT].map((who) => open(who)))
    const inside = { paid_from: { balance: '1', reserve: '2', limit: '3' }, shares_returned: '4' }
    const object = await happens(shop, 'refund.completed', inside)
    const told = ({ told: all }: (typeof streams)[number]) => all.find((e) => e.object === object)
    for (const one of streams) await one.until(() => told(one) !== undefined)
    const hidden = { paid_from: null, shares_returned: null }
    expect(streams.map((one) => told(one)?.data)).to.deep.equal([
      { id: object, ...inside },
      { id: object, ...inside },
      { id: object, ...hidden },
    ])
    for (const one of streams) await one.close()
  })

  it('tells only the types that were asked for', async () => {
    const stream = await open(shop, { query: '?types=recall.*,settlement.failed' })
    await happens(shop, 'settlement.settled')
    await happens(shop, 'settlement.failed')
    await happens(shop, 'recall.manual')
    await stream.until(() => stream.told.length === 2)
    expect(stream.told.map(({ type }) => type)).to.deep.equal([
      'settlement.failed',
      'recall.manual',
    ])
    await stream.close()
  })

  it('goes on after Last-Event-ID, and misses nothing when it is interrupted', async () => {
    const [told, got]: [string[], string[]] = [[], []]
    const first = await open(shop)
    await first.until(() => first.state.last !== undefined)
    await first.close()
    const over = new AbortController()
    // Several at a time: what commits later than what comes after it must not be missed.
    const telling = Promise.all(
      Array.from({ length: 4 }, async () => {
        for (let event = 0; event < 40; event += 1) told.push(await happens(shop))
      }),
    ).finally(() => over.abort())
    let { last } = first.state
    for (let turn = 0; !over.signal.aborted || told.some((one) => !got.includes(one)); turn += 1) {
      const stream = await open(shop, last === undefined ? {} : { last })
      await stream.until(() => stream.told.length > 0 || stream.state.last !== undefined)
      await new Promise((resolve) => setTimeout(resolve, 60 + (turn % 5) * 40))
      await stream.close()
      got.push(...stream.told.map(({ object }) => object))
      last = stream.state.last ?? last
      expect(turn).to.be.lessThan(100)
    }
    await telling
    expect(told.filter((one) => !got.includes(one))).to.deep.equal([])
    expect(told).to.have.length(160)
  }).timeout(60_000)

  it('does not hold back what a slow transaction keeps open, nor lose it', async () => {
    const { owner } = await world()
    const stream = await open(shop)
    const slow = await owner.transaction()
    await slow.raw('SELECT pg_current_xact_id()')
    const object = await happens(shop)
    await new Promise((resolve) => setTimeout(resolve, 600))
    expect(stream.told).to.have.length(0)
    await slow.commit()
    await stream.until(() => stream.told.length === 1)
    expect(stream.told[0]!.object).to.equal(object)
    await stream.close()
  })

  it('knows no last event that is none, or another merchant’s', async () => {
    const theirs = await open(other)
    await happens(other)
    await theirs.until(() => theirs.told.length === 1)
    const foreign = theirs.told[0]!.id
    await theirs.close()
    for (const last of [foreign, publicId('evt', newId()), 'nonsense']) {
      const refused = await send(shop, 'GET', PATH, { headers: { 'last-event-id': last } })
      expectProblem(refused, 404, 'not_found')
    }
    expectProblem(await send(shop, 'GET', `${PATH}?types=nothing`), 400, 'invalid_request')
  })

  it('is had so often at a time, and no more, and ends with the process', async () => {
    const settings = { EVENT_STREAMS_PER_CALLER: 2 }
    await withAnotherApi(settings, async ({ apiUrl, context }) => {
      const streams = [await open(shop, { url: apiUrl }), await open(shop, { url: apiUrl })]
      const headers = { authorization: `Bearer ${await tokenOf(shop)}` }
      const refused = await fetch(`${apiUrl}${PATH}`, { headers })
      expect(refused.status).to.equal(503)
      const others = await open(other, { url: apiUrl })
      context.tail.close()
      for (const one of [...streams, others]) await one.until(() => one.state.ended)
    })
  })

  it('ends when the token does', async () => {
    let late_ms = 0
    const now = () => new Date(Date.now() + late_ms)
    await withAnotherApi(
      {},
      async ({ apiUrl }) => {
        await tokenOf(shop)
        // A second and a half before the end of a token that is good for five minutes.
        const headers = { authorization: `Bearer ${await tokenOf(shop)}` }
        const [, claims = ''] = headers.authorization.split('.')
        const { exp } = JSON.parse(Buffer.from(claims, 'base64url').toString())
        late_ms = exp * 1000 - Date.now() - 1_500
        const stream = await open(shop, { url: apiUrl })
        const started = performance.now()
        await stream.until(() => stream.state.ended, 5_000)
        expect(performance.now() - started).to.be.within(500, 4_000)
      },
      now,
    )
  })
})
