/** The café's receiver in the sandbox: believes its endpoint's secret, and forgets nothing. */
import { expect } from 'chai'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type RunningShop, startShop } from '../services/sandbox/shop.ts'
import { signedHeaders } from '../services/webhooks/signature.ts'

const [KEY, OTHER] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)]
const secretOf = (key: Buffer) => `whsec_${key.toString('base64')}`
const EVENT = { id: 'evt_1', type: 'payment.completed', object: 'pay_1', version: 1 }
const BODY = JSON.stringify({ ...EVENT, data: { note: 'ö' }, created_at: 'now' })

describe('the café’s receiver', () => {
  let folder: string
  let shop: RunningShop
  const start = async () => {
    shop = await startShop({ host: '127.0.0.1', port: 0, file: join(folder, 'shop.json') })
  }
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'florin-shop-'))
    await start()
  })
  after(async () => {
    await shop.stop()
    await rm(folder, { recursive: true })
  })

  async function deliver(key: Buffer, body = BODY): Promise<number> {
    const headers = signedHeaders([key], EVENT.id, new Date(), BODY)
    const sent = await fetch(`${shop.url}/webhooks`, { method: 'POST', headers, body })
    return sent.status
  }
  const received = async () =>
    ((await (await fetch(`${shop.url}/received`)).json()) as { data: object[] }).data

  it('believes nobody before it has a secret, and then who signs the bytes with it', async () => {
    expect(await deliver(KEY)).to.equal(401)
    const body = JSON.stringify({ endpoint: 'whe_1', secret: secretOf(KEY) })
    expect((await fetch(`${shop.url}/endpoint`, { method: 'PUT', body })).status).to.equal(200)
    expect(await deliver(OTHER)).to.equal(401)
    expect(await deliver(KEY, BODY.replace('pay_1', 'pay_2'))).to.equal(401)
    // The same JSON in other bytes.
    expect(await deliver(KEY, BODY.replace('ö', '\\u00f6'))).to.equal(401)
    expect(await received()).to.deep.equal([])
    expect(await deliver(KEY)).to.equal(204)
    expect(await deliver(KEY), 'a second time').to.equal(204)
    expect(await received()).to.deep.equal([EVENT])
  })

  it('remembers both when it is started again', async () => {
    await shop.stop()
    await start()
    expect(await received()).to.deep.equal([EVENT])
    const shown = await fetch(`${shop.url}/endpoint`)
    expect(await shown.json()).to.deep.equal({ endpoint: 'whe_1' })
    expect(await deliver(KEY)).to.equal(204)
  })

  it('refuses what it is not told', async () => {
    const put = (body: string) => fetch(`${shop.url}/endpoint`, { method: 'PUT', body })
    expect((await put('{"endpoint":1}')).status).to.equal(400)
    expect((await fetch(`${shop.url}/else`)).status).to.equal(404)
  })
})
