/** The files of docs/sdk, as a chat app uses them, against the API as it runs. */
import { readdirSync, readFileSync } from 'node:fs'
import { expect } from 'chai'
import * as sdk from '../docs/sdk/approval.js'
import { ACTIONS } from '../services/approvals/acts.ts'
import { call, newKey } from './support/api.ts'
import { linkedAccount, merchant, order, person, PIN, walletBalance } from './support/people.ts'
import { payBy, personId, phone } from './support/phones.ts'

const FOLDER = new URL('../docs/sdk/', import.meta.url)

describe('the client side of an approval', () => {
  it('is less than forty lines for each file, and needs no package', () => {
    const files = readdirSync(FOLDER).filter((name) => name.endsWith('.js'))
    expect(files).to.include.members(['act.js', 'approval.js', 'device.js', 'pin.js'])
    for (const file of files) {
      const text = readFileSync(new URL(file, FOLDER), 'utf8')
      expect(text.split('\n').length, file).to.be.lessThan(42)
      for (const [, from] of text.matchAll(/from '([^']+)'/g)) expect(from).to.match(/^\.\//)
      expect(text, file).not.to.match(/require\(|Buffer|process\./)
    }
  })

  it('writes the facts that we write, in our order', () => {
    expect(sdk.ACTIONS).to.deep.equal(ACTIONS)
    expect(Object.keys(sdk.ACTIONS)).to.deep.equal(Object.keys(ACTIONS))
  })

  for (const curve of ['P-256', 'Ed25519'] as const) {
    it(`binds a device with a key of ${curve} and pays with what it signs`, async () => {
      const [ada, ben] = [await person(10_000n), await person()]
      const paid = await payBy(ada, await phone(ada, { curve }), ben, '5000')
      expect(paid.status, paid.text).to.equal(201)
      expect(await walletBalance(ben)).to.equal(5_000n)
    })
  }

  it('pays with a PIN that is encrypted, to somebody known by an alias', async () => {
    const [ada, ben] = [await person(10_000n), await person()]
    const { body: jwks } = await call(undefined, 'GET', '/.well-known/jwks.json')
    const jwk = jwks.keys.find(({ use }: { use: string }) => use === 'enc')
    const { body: me } = await call(ada, 'GET', '/v1/me')
    const { body: payee } = await call(ada, 'GET', `/v1/payees/${ben.alias}`)
    expect([me.id, payee.id]).to.deep.equal([personId(ada), personId(ben)])
    const key = newKey()
    const money = { amount: '5000', currency: 'EUR' }
    const act = { action: 'payment', person: me.id, payee: payee.id, ...money, key }
    const approval = { pin_jwe: await sdk.encryptPin(jwk, PIN, await sdk.digestOf(act)) }
    const body = { payee: ben.alias, ...money, approval }
    const paid = await call(ada, 'POST', '/v1/payments', { key, body })
    expect(paid.status, paid.text).to.equal(201)
  })

  it('agrees to orders, top-ups, withdrawals and a higher limit', async () => {
    const [ada, shop] = [await person(20_000n), await merchant()]
    const { agree } = await phone(ada)
    const money = { amount: '5000', currency: 'EUR' }
    const source = await linkedAccount(ada)
    const bought = await order(shop, '5000')
    const own = { bank_account: source, ...money }
    const requests = [
      [
        ...(['POST', '/v1/payments', { order: bought, ...money }] as const),
        { action: 'payment', payee: shop.id, order: bought, ...money },
      ],
      ['POST', '/v1/top_ups', own, { action: 'top_up', source, ...money }],
      ['POST', '/v1/withdrawals', own, { action: 'withdrawal', source, ...money }],
      ['PUT', '/v1/me', { no_pin_limit: '1000' }, { action: 'no_pin_limit', limit: '1000' }],
    ] as const
    await call(ada, 'PUT', '/v1/me', { body: { no_pin_limit: '0' } })
    for (const [method, path, body, act] of requests) {
      const key = newKey()
      const approval = await agree(act, key)
      const done = await call(ada, method, path, { key, body: { ...body, approval } })
      expect(done.status, `${path} ${done.text}`).to.be.lessThan(300)
    }
  })
})
