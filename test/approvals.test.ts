/** An approval is good for what it approves, for the one who gave it, once, and not for long. */
import { expect } from 'chai'
import { uuidOf } from '../services/ids.ts'
import { isSignedBy, readJws } from '../services/approvals/jws.ts'
import { expectProblem, once, quiet, send, times, unchanged } from './support/abuse.ts'
import { type SecondApi, withSecondApi } from './support/abuse-issuer.ts'
import { call, newKey } from './support/api.ts'
import {
  linkedAccount,
  type Merchant,
  merchant,
  order,
  payment,
  type Person,
  person,
  PIN,
  walletBalance,
} from './support/people.ts'
import {
  digestBy,
  encrypted,
  type Facts,
  forge,
  paymentOf,
  phone,
  type Phone,
} from './support/phones.ts'
import { world } from './support/world.ts'

let ada: Person
let ben: Person
let eve: Person
let shop: Merchant
let phones: Record<'P-256' | 'Ed25519', Phone>
let second: SecondApi

const setTheStage = once(async () => {
  ;[ada, ben, eve] = await Promise.all([person(1_000_000n), person(), person(1_000_000n)])
  shop = await merchant()
  const both = [await phone(ada), await phone(ada, { curve: 'Ed25519' })] as const
  phones = { 'P-256': both[0], Ed25519: both[1] }
  // Whoever is paid for the first time gets a wallet; that is not what is tested here.
  for (const payee of [ben, eve]) {
    await call(ada, 'POST', '/v1/payments', { body: payment(payee, '1') })
  }
  await call(eve, 'POST', '/v1/payments', { body: payment(ben, '1') })
  await quiet()
})

/** The ways in which Ada agrees to something that nobody may change. */
const WAYS: Readonly<Record<string, (act: Facts, key: string) => Promise<object>>> = {
  'what a device signed with P-256': (act, key) => phones['P-256'].agree(act, key),
  'what a device signed with Ed25519': (act, key) => phones.Ed25519.agree(act, key),
  'an encrypted PIN': (act, key) => encrypted(ada, act, key),
}

describe('an approval', () => {
  before(setTheStage)
  withSecondApi((api) => (second = api))

  for (const [name, agree] of Object.entries(WAYS)) {
    it(`is good for what it approves and for nothing else: ${name} (abuse 14)`, async () => {
      const key = newKey()
      const approval = await agree(paymentOf(ben, '5000'), key)
      const body = { payee: ben.alias, amount: '5000', currency: 'EUR', approval }
      const bought = await order(shop, '5000')
      const source = await linkedAccount(ada)
      const { amount, currency } = body
      const others = [
        ['/v1/payments', key, { ...body, amount: '5001' }],
        ['/v1/payments', key, { ...body, payee: eve.alias }],
        ['/v1/payments', key, { ...body, currency: 'USD' }],
        ['/v1/payments', key, { ...body, source }],
        ['/v1/payments', key, { order: bought, amount, currency, approval }],
        ['/v1/payments', newKey(), body],
        ['/v1/withdrawals', key, { bank_account: source, amount, currency, approval }],
      ] as const
      await unchanged(async () => {
        for (const [path, other, changed] of others) {
          const answer = await call(ada, 'POST', path, { key: other, body: changed })
          expectProblem(answer, 422, 'approval_mismatch')
        }
      })
      const paid = await call(ada, 'POST', '/v1/payments', { key, body })
      expect(paid.status, paid.text).to.equal(201)
      const again = await call(ada, 'POST', '/v1/payments', { key: newKey(), body })
      expectProblem(again, 422, 'approval_mismatch')
    })

    it(`pays once when it is used a hundred times at once: ${name}`, async () => {
      const before = await walletBalance(ben)
      const key = newKey()
      const approval = await agree(paymentOf(ben, '5000'), key)
      const body = { payee: ben.alias, amount: '5000', currency: 'EUR', approval }
      const options = { bytes: JSON.stringify(body), headers: { 'idempotency-key': key } }
      const { apiUrl } = await world()
      const answers = await Promise.all(
        times(100, (index) =>
          send(ada, 'POST', '/v1/payments', {
            ...options,
            apiUrl: index % 2 === 0 ? apiUrl : second.apiUrl,
          }),
        ),
      )
      const paid = answers.filter(({ status }) => status === 201)
      expect(new Set(paid.map(({ text }) => text)).size).to.equal(1)
      // A nonce is used up by one process while the other has not heard of the payment yet.
      for (const answer of answers.filter(({ status }) => status !== 201)) {
        expectProblem(answer, 409, 'approval_used')
      }
      if (name !== 'an encrypted PIN') expect(paid.length).to.equal(100)
      expect((await walletBalance(ben)) - before).to.equal(5_000n)
    })
  }

  it('is nobody else’s (abuse 14)', async () => {
    const key = newKey()
    const act = paymentOf(ben, '5000')
    const body = { payee: ben.alias, amount: '5000', currency: 'EUR' }
    const uses = [
      [await phones['P-256'].agree(act, key), 401, 'approval_refused'],
      [await encrypted(ada, act, key), 422, 'approval_mismatch'],
      // Signed by Ada's phone, for Eve to pay.
      [
        await forge(phones.Ed25519, { digest: await digestBy(eve, act, key) }),
        ...([401, 'approval_refused'] as const),
      ],
    ] as const
    await unchanged(async () => {
      for (const [approval, status, code] of uses) {
        const answer = await call(eve, 'POST', '/v1/payments', { key, body: { ...body, approval } })
        expectProblem(answer, status, code)
      }
    })
  })

  it('is good for two minutes, by a clock that is ten seconds ahead at most', async () => {
    const now = Math.floor(Date.now() / 1000)
    const ages = [
      [-121, 'approval_expired'],
      [-3_600, 'approval_expired'],
      [14, 'approval_expired'],
      [-115, undefined],
      [8, undefined],
    ] as const
    for (const [offset, refusal] of ages) {
      const key = newKey()
      const act = paymentOf(ben, '5000')
      const digest = await digestBy(ada, act, key)
      const approval = await forge(phones['P-256'], { digest, payload: { iat: now + offset } })
      const body = { payee: ben.alias, amount: '5000', currency: 'EUR', approval }
      const answer = await call(ada, 'POST', '/v1/payments', { key, body })
      if (refusal === undefined) expect(answer.status, answer.text).to.equal(201)
      else expectProblem(answer, 401, refusal)
      // It is not final: whoever agrees again may go on under the same key.
      const fresh = { ...body, approval: await phones['P-256'].agree(act, key) }
      const paid = await call(ada, 'POST', '/v1/payments', { key, body: fresh })
      expect(paid.status, `${offset} ${paid.text}`).to.equal(201)
    }
  })

  it('is exactly one of a PIN, an encrypted one and a signature', async () => {
    const key = newKey()
    const { device } = await phones['P-256'].agree(paymentOf(ben, '5000'), key)
    const shapes = [
      ...[{}, { totp: '123456' }, { pin: PIN, device }, { device: null }, { device: {} }],
      ...[{ device: `${device}.` }, { device: device.slice(0, device.lastIndexOf('.') + 1) }],
      ...[{ pin_jwe: device }, { device, kid: 'x' }, { pin: PIN, pin_jwe: 'a..b.c.d' }],
    ]
    for (const approval of shapes) {
      const body = payment(ben, '5000', { approval })
      expectProblem(
        await call(ada, 'POST', '/v1/payments', { key, body }),
        ...([400, 'invalid_request'] as const),
      )
    }
  })
})

describe('what a device signed', () => {
  before(setTheStage)

  /** Refused, all of them, with one answer. */
  const FORGERIES: Readonly<Record<string, (by: Phone, digest: string) => Promise<object>>> = {
    'by nobody': (by, digest) => forge(by, { digest, header: { alg: 'none' } }),
    'by HMAC': (by, digest) => forge(by, { digest, header: { alg: 'HS256' } }),
    'under the other algorithm': (by, digest) => forge(by, { digest, header: { alg: 'EdDSA' } }),
    'for another purpose': (by, digest) => forge(by, { digest, header: { typ: 'JWT' } }),
    'to be bound': (by, digest) => forge(by, { digest, header: { typ: 'florin-possession+jws' } }),
    'with a key of its own': (by, digest) =>
      forge(by, { digest, header: { jwk: { kty: 'OKP', crv: 'Ed25519', x: 'x' } } }),
    'with what must be understood': (by, digest) => forge(by, { digest, header: { crit: ['a'] } }),
    'with the address of a key': (by, digest) => forge(by, { digest, header: { jku: 'http://x' } }),
    unencoded: (by, digest) => forge(by, { digest, header: { b64: false } }),
    'with more in it': (by, digest) => forge(by, { digest, payload: { exp: 9_999_999_999 } }),
    'without a time': (by, digest) => forge(by, { digest, payload: { iat: undefined } }),
    'at no time': (by, digest) => forge(by, { digest, payload: { iat: -1 } }),
    'by a device that is not there': (by, digest) =>
      forge(by, { digest, header: { kid: `dev_0${'0'.repeat(25)}` } }),
    'by what is no device': (by, digest) => forge(by, { digest, header: { kid: '../../x' } }),
    'in the name of another device': (by, digest) =>
      forge(by, { digest, header: { kid: phones.Ed25519.id, alg: 'EdDSA' } }),
    'in the name of a device of the same kind': async (_by, digest) => {
      const other = await phone(eve)
      return forge(other, { digest, header: { kid: phones['P-256'].id } })
    },
    'by somebody else': async (_by, digest) => forge(await phone(eve), { digest }),
  }
  for (const [name, make] of Object.entries(FORGERIES)) {
    it(`is refused when it was signed ${name}`, async () => {
      const key = newKey()
      const digest = await digestBy(ada, paymentOf(ben, '5000'), key)
      const approval = await make(phones['P-256'], digest)
      const body = { payee: ben.alias, amount: '5000', currency: 'EUR', approval }
      await unchanged(async () => {
        const answer = await call(ada, 'POST', '/v1/payments', { key, body })
        expectProblem(answer, 401, 'approval_refused')
        expect(answer.body.detail).to.equal(undefined)
      })
    })
  }

  it('is refused with any letter of it changed', async () => {
    const key = newKey()
    const { device } = await phones['P-256'].agree(paymentOf(ben, '5000'), key)
    const body = { payee: ben.alias, amount: '5000', currency: 'EUR' }
    await unchanged(async () => {
      for (let at = 3; at < device.length; at += 11) {
        const other = device[at] === 'A' ? 'B' : 'A'
        if (device[at] === '.') continue
        const approval = { device: device.slice(0, at) + other + device.slice(at + 1) }
        const answer = await call(ada, 'POST', '/v1/payments', { key, body: { ...body, approval } })
        expectProblem(answer, 401, 'approval_refused')
      }
    })
  })

  it('is kept with the payment: who, with what, when, and the signature', async () => {
    const { owner } = await world()
    const key = newKey()
    const { device } = await phones['P-256'].agree(paymentOf(ben, '5000'), key)
    const body = { payee: ben.alias, amount: '5000', currency: 'EUR', approval: { device } }
    await call(ada, 'POST', '/v1/payments', { key, body })
    const row = await owner('payments').where({ idempotency_key: key }).first()
    const digest = await digestBy(ada, paymentOf(ben, '5000'), key)
    expect(row.approval_digest.toString('hex')).to.equal(digest)
    expect(row).to.include({ approval: 'device', approval_key: phones['P-256'].id })
    expect(row.approval_proof).to.equal(device)
    expect(Math.abs(row.approved_at.getTime() - Date.now())).to.be.lessThan(10_000)
  })

  it('is checked well within a millisecond', async () => {
    const { api } = await world()
    for (const [curve, by] of Object.entries(phones)) {
      const { device: jws } = await by.agree(paymentOf(ben, '5000'), newKey())
      const bound = await api.devices(uuidOf(by.id))
      if (bound === undefined) throw new Error('the phone is not bound')
      const check = async () => {
        const signed = readJws(jws, 'florin-approval+jws')
        expect(signed !== undefined && (await isSignedBy(bound.key, signed))).to.equal(true)
      }
      const took: number[] = []
      for (let nth = 0; nth < 500; nth++) {
        const started = performance.now()
        await check()
        took.push(performance.now() - started)
      }
      const median_us = Math.round((took.sort((a, b) => a - b)[250] ?? 0) * 1_000)
      process.stdout.write(`      ${curve}: ${median_us} µs each, one after another\n`)
      expect(median_us).to.be.lessThan(1_000)
    }
  })
})
