/** A PIN that only we can read: for one act, once, for two minutes. */
import { generateKeyPairSync } from 'node:crypto'
import { expect } from 'chai'
import { CompactEncrypt, importJWK } from 'jose'
import { encryptPin } from '../docs/sdk/approval.js'
import { purgeNonces } from '../services/approvals/nonces.ts'
import { openPinKeys } from '../services/approvals/pin_keys.ts'
import { expectProblem, once, quiet, statusesOf, times, unchanged } from './support/abuse.ts'
import { call, newKey } from './support/api.ts'
import { payment, type Person, person, PIN } from './support/people.ts'
import { digestBy, encrypted, paymentOf, pinKey } from './support/phones.ts'
import { world } from './support/world.ts'

let ada: Person
let ben: Person
const setTheStage = once(async () => {
  ;[ada, ben] = await Promise.all([person(1_000_000n), person()])
  await call(ada, 'POST', '/v1/payments', { body: payment(ben, '1') })
  await quiet()
})

const failedOf = async ({ id }: Person): Promise<number> => {
  const { owner } = await world()
  return (await owner('pins').where({ person_id: id }).first('failed')).failed
}

describe('an encrypted PIN', () => {
  before(setTheStage)

  const pay = (who: Person, key: string, approval: object) =>
    call(who, 'POST', '/v1/payments', {
      key,
      body: { payee: ben.alias, amount: '5000', currency: 'EUR', approval },
    })

  it('counts as an attempt when it is wrong, and only once', async () => {
    const dan = await person(100_000n)
    const key = newKey()
    const wrong = await encrypted(dan, paymentOf(ben, '5000'), key, '999999')
    expectProblem(await pay(dan, key, wrong), 401, 'approval_refused')
    expect(await failedOf(dan)).to.equal(1)
    const again = await Promise.all(times(8, () => pay(dan, key, wrong)))
    expect(statusesOf(again)).to.deep.equal(times(8, () => 409))
    for (const answer of again) expectProblem(answer, 409, 'approval_used')
    expect(await failedOf(dan)).to.equal(1)
    const right = await pay(dan, key, await encrypted(dan, paymentOf(ben, '5000'), key))
    expect(right.status, right.text).to.equal(201)
  })

  it('is not tried at all when it is for something else', async () => {
    const dan = await person(100_000n)
    const wrong = await encrypted(dan, paymentOf(ben, '5001'), newKey(), '999999')
    expectProblem(await pay(dan, newKey(), wrong), 422, 'approval_mismatch')
    expect(await failedOf(dan)).to.equal(0)
  })

  it('is opened only when it was made as we say', async () => {
    const key = newKey()
    const digest = await digestBy(ada, paymentOf(ben, '5000'), key)
    const { kid, ...jwk } = await pinKey()
    const iat = Math.floor(Date.now() / 1000)
    const honest = { pin: PIN, digest, nonce: 'n'.repeat(16), iat }
    const header = { alg: 'ECDH-ES', enc: 'A256GCM', kid, typ: 'florin-pin+jwe' }
    const make = async (said: object, changed: object) =>
      new CompactEncrypt(Buffer.from(JSON.stringify({ ...honest, ...said })))
        .setProtectedHeader({ ...header, ...changed })
        .encrypt(await importJWK({ ...jwk, alg: 'ECDH-ES' }, 'ECDH-ES'))
    const changes = [
      ...[{ kid: 'x' }, { kid: undefined }, { typ: 'JWT' }, { enc: 'A128GCM' }, { cty: 'x' }],
      ...[{ enc: 'A256CBC-HS512' }, { apu: 'eA' }],
    ]
    await unchanged(async () => {
      for (const changed of changes) {
        const jwe = await make({}, changed)
        expectProblem(await pay(ada, key, { pin_jwe: jwe }), 401, 'approval_refused')
      }
      const payloads = [
        ...[{ nonce: 'short' }, { nonce: undefined }, { iat: 1.5 }, { more: 1 }, { pin: 274951 }],
      ]
      for (const said of payloads) {
        const jwe = await make(said, {})
        expectProblem(await pay(ada, key, { pin_jwe: jwe }), 401, 'approval_refused')
      }
      const old = await make({ iat: iat - 130 }, {})
      expectProblem(await pay(ada, key, { pin_jwe: old }), 401, 'approval_expired')
    })
    const paid = await pay(ada, key, { pin_jwe: await make({}, {}) })
    expect(paid.status, paid.text).to.equal(201)
  })

  it('is opened by the key before, which is published no more', async () => {
    const [before, now] = [1, 2].map(() => generateKeyPairSync('ec', { namedCurve: 'P-256' }))
    if (before === undefined || now === undefined) throw new Error('no keys')
    const [earlier] = await openPinKeys(before.privateKey, []).published()
    const keys = openPinKeys(now.privateKey, [before.privateKey])
    const published = await keys.published()
    expect(published.map(({ kid }) => kid)).not.to.include(earlier?.kid)
    expect(Object.keys(published[0] ?? {}).sort()).to.deep.equal([
      ...['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y'],
    ])
    const jwe = await encryptPin(earlier as never, PIN, 'ab'.repeat(32))
    expect((await keys.open(jwe))?.pin).to.equal(PIN)
    expect(await openPinKeys(now.privateKey, []).open(jwe)).to.equal(undefined)
  })

  it('is remembered for as long as it could be used again', async () => {
    const { owner, worker } = await world()
    const key = newKey()
    await pay(ada, key, await encrypted(ada, paymentOf(ben, '5000'), key))
    const soon = await owner('used_nonces').where('expires_at', '>', new Date())
    expect(soon.length).to.be.greaterThan(0)
    const hash = Buffer.alloc(32, 9)
    await owner('used_nonces').insert({ hash, expires_at: new Date(Date.now() - 1) })
    expect(await purgeNonces(worker)).to.be.greaterThan(0)
    expect(await owner('used_nonces').where({ hash })).to.deep.equal([])
    const left = await owner('used_nonces').where('expires_at', '>', new Date())
    expect(left.length).to.be.at.least(soon.length)
  })
})
