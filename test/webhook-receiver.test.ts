/** The receiver's side as docs/sdk has it, against real deliveries. */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { expect } from 'chai'
import { receiver } from '../docs/sdk/receiver/koa.js'
import { verifyWebhook, type WebhookEvent } from '../docs/sdk/receiver/webhook.js'
import { signedHeaders } from '../services/webhooks/signature.ts'
import { until } from './support/abuse.ts'
import { call } from './support/api.ts'
import { merchant } from './support/people.ts'
import { openReceiver } from './support/receiver.ts'
import {
  deliveriesOf,
  happens,
  newEndpoint,
  removeEndpoint,
  startDelivering,
} from './support/webhooks.ts'
import { world } from './support/world.ts'

const KEYS = [1, 2].map((byte) => Buffer.alloc(32, byte))
const SECRETS = KEYS.map((key) => `whsec_${key.toString('base64')}`)
const BODY = JSON.stringify({ id: 'evt_1', data: 'ö' })
const NOW = new Date('2026-11-28T12:00:00Z')
const NOW_S = NOW.getTime() / 1000

describe('a receiver of webhooks', () => {
  it('believes what one of its secrets has signed, just now, and nothing else', async () => {
    const headers = signedHeaders(KEYS, 'evt_1', NOW, BODY)
    const verify = (
      { body = BODY, secrets = SECRETS, late_s = 0 },
      more: Partial<typeof headers> = {},
    ) =>
      verifyWebhook(body, { ...headers, ...more }, secrets, NOW_S + late_s).then(
        (event) => event.id,
        (error: Error) => error.message,
      )
    expect(await verify({})).to.equal('evt_1')
    for (const secret of SECRETS) expect(await verify({ secrets: [secret] })).to.equal('evt_1')
    expect(await verify({ late_s: 299 })).to.equal('evt_1')
    for (const late_s of [301, -301]) expect(await verify({ late_s })).to.contain('too old')
    const stranger = `whsec_${Buffer.alloc(32, 3).toString('base64')}`
    const wrong = [
      verify({ body: BODY.replace('evt_1', 'evt_2') }),
      verify({ secrets: [stranger] }),
      verify({}, { 'webhook-id': 'evt_2' }),
      verify({}, { 'webhook-timestamp': `${NOW_S + 1}` }),
      verify({}, { 'webhook-signature': headers['webhook-signature'].replaceAll('v1,', 'v2,') }),
      verify({}, { 'webhook-signature': '' }),
    ]
    expect(new Set(await Promise.all(wrong))).to.deep.equal(new Set(['the signature is wrong']))
    expect(await verify({}, { 'webhook-timestamp': 'now' })).to.equal('not a webhook')
  })

  it('with Koa gets each event once, though one is delivered twice, and no forgery', async () => {
    const [handled, seen, secrets]: [WebhookEvent[], Set<string>, string[]] = [[], new Set(), []]
    const app = receiver(secrets, async (event) => void handled.push(event), {
      add: async (id) => !seen.has(id) && Boolean(seen.add(id)),
    })
    const server = app.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
    const delivering = await startDelivering()
    const shop = await merchant()
    const endpoint = await newEndpoint(shop, url)
    secrets.push(endpoint.secret)
    const object = await happens(shop)
    await until(async () => handled.length === 1)
    expect(handled[0]).to.deep.include({ object, version: 1 })
    await until(async () => (await deliveriesOf(shop, endpoint))[0].state === 'delivered')
    const [{ id }] = await deliveriesOf(shop, endpoint)
    const path = `/v1/webhook_endpoints/${endpoint.id}/deliveries/${id}/redeliver`
    await call(shop, 'POST', path)
    await until(async () => (await deliveriesOf(shop, endpoint))[0].attempts.length === 2)
    const [{ attempts }] = await deliveriesOf(shop, endpoint)
    expect(attempts.map(({ status }: { status: number }) => status)).to.deep.equal([204, 204])
    expect(handled).to.have.length(1)
    const forged = await fetch(url, { method: 'POST', body: BODY })
    expect(forged.status).to.equal(401)
    await removeEndpoint(shop, endpoint)
    await delivering.stop()
    server.close()
    server.closeAllConnections()
  })

  it('gets a test, a replay of what it asks for, and nothing once it says 410', async () => {
    const delivering = await startDelivering()
    const shop = await merchant()
    const first = await happens(shop)
    await happens(shop, 'recall.manual')
    // What nobody has looked at yet would still be told to who asks now.
    await until(isAllLookedAt)
    let status = 204
    const stub = await openReceiver((response) => response.writeHead(status).end())
    const endpoint = await newEndpoint(shop, stub.url, ['settlement.*'])
    const post = (what: string, body?: object) =>
      call(shop, 'POST', `/v1/webhook_endpoints/${endpoint.id}/${what}`, body && { body })
    expect((await post('ping')).status).to.equal(202)
    await stub.until((got) => got.length === 1)
    expect(stub.got[0]!.type).to.equal('webhook_endpoint.ping')
    const from = new Date(Date.now() - 60_000).toISOString()
    expect((await post('replay', { from })).status).to.equal(202)
    await stub.until((got) => got.length === 2)
    expect(stub.got[1]!.object).to.equal(first)
    status = 410
    await happens(shop)
    const shown = async () => (await call(shop, 'GET', `/v1/webhook_endpoints/${endpoint.id}`)).body
    await until(async () => (await shown()).state === 'disabled')
    expect(await shown()).to.deep.include({ disabled_reason: 'gone' })
    const { body } = await call(shop, 'GET', '/v1/events')
    expect(body.data[0]).to.deep.include({ type: 'webhook_endpoint.disabled', object: endpoint.id })
    expect((await post('ping')).body.code).to.equal('webhook_endpoint_disabled')
    await happens(shop)
    const enabled = { body: { state: 'enabled' } }
    status = 204
    await call(shop, 'PUT', `/v1/webhook_endpoints/${endpoint.id}`, enabled)
    await happens(shop)
    await until(async () => (await shown()).failing_since === null)
    await removeEndpoint(shop, endpoint)
    await delivering.stop()
    await stub.close()
  })
})

async function isAllLookedAt(): Promise<boolean> {
  const { owner } = await world()
  const order = ['transaction_id', 'id'].map((column) => ({ column, order: 'desc' }))
  const newest = await owner('events').orderBy(order).first('id')
  return (await owner('webhook_progress').first()).event_id === newest.id
}
