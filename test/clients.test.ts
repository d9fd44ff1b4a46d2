/** Staff and API keys: who may come in a merchant's or the chat app's name, and who may not. */
import { expect } from 'chai'
import { createHash } from 'node:crypto'
import { createApiKey, openApiKeys } from '../services/credentials/api_keys.ts'
import { publicId, uuidOf } from '../services/ids.ts'
import { newId } from '../ledger/index.ts'
import { expectProblem, quiet, send, statusesOf, times, unchanged, until } from './support/abuse.ts'
import { type Answer, call, newSubject, type Who } from './support/api.ts'
import { merchant, type Merchant, OPERATOR, person } from './support/people.ts'
import { approve } from './support/proposals.ts'
import { world } from './support/world.ts'

const VALUE = /^florin_[0-7][0-9a-hjkmnp-tv-z]{25}_[A-Za-z0-9_-]{43}$/
const DAY_MS = 86_400_000

const newOrder = () => ({
  ...{ reference: newSubject('r'), description: 'A thing', amount: '100', currency: 'EUR' },
})
const make = (who: Who, body: object): Promise<Answer> =>
  call(who, 'POST', '/v1/api_keys', { body: { name: 'Till', scopes: ['merchant'], ...body } })
const withKey = (key: string, method: string, path: string, body?: object) =>
  send(undefined, method, path, {
    headers: { authorization: `Bearer ${key}` },
    ...(body !== undefined && { bytes: JSON.stringify(body) }),
  })

describe('an API key', () => {
  let shop: Merchant
  before(async () => {
    shop = await merchant()
    await quiet()
  })

  it('is a merchant’s servers’ way in, as far as its scopes go', async () => {
    const [all, reader] = [await make(shop, {}), await make(shop, { scopes: ['merchant:read'] })]
    expect([all.status, reader.status]).to.deep.equal([201, 201])
    expect(all.body.key).to.match(VALUE)
    expect((await withKey(all.body.key, 'GET', '/v1/payments')).status).to.equal(200)
    expect((await withKey(all.body.key, 'POST', '/v1/orders', newOrder())).status).to.equal(201)
    expect((await withKey(reader.body.key, 'GET', '/v1/payments')).status).to.equal(200)
    const refused = await withKey(reader.body.key, 'POST', '/v1/orders', newOrder())
    expectProblem(refused, 403, 'forbidden')
    for (const path of ['/v1/ledger/proof', '/v1/exchanges', '/v1/fx_rates']) {
      expectProblem(await withKey(all.body.key, 'GET', path), 403, 'forbidden')
    }
  })

  it('of a merchant is made and rotated by the merchant, by no operator', async () => {
    const made = await make(shop, {})
    const rotate = `/v1/api_keys/${made.body.id}/rotate`
    await unchanged(async () => {
      expectProblem(await make(OPERATOR, { merchant: shop.id }), 403, 'forbidden')
      expectProblem(await make(OPERATOR, { scopes: ['chat'] }), 403, 'forbidden')
      expectProblem(await call(OPERATOR, 'POST', rotate), 403, 'forbidden')
    })
    const revoked = await call(OPERATOR, 'DELETE', `/v1/api_keys/${made.body.id}`)
    expect(revoked.status).to.equal(204)
  })

  it('is shown once; what is kept is a hash of it', async () => {
    const { owner } = await world()
    const made = await make(shop, {})
    const secret = made.body.key.slice(-43)
    const row = await owner('api_keys')
      .where({ id: uuidOf(made.body.id) })
      .first()
    expect(row.secret_hash).to.deep.equal(createHash('sha256').update(secret).digest())
    const { rows } = await owner.raw(
      'SELECT api_keys::text AS text FROM api_keys UNION ALL SELECT claims::text FROM claims',
    )
    for (const { text } of rows) expect(text).not.to.contain(secret)
    const listed = await call(shop, 'GET', '/v1/api_keys')
    expect(listed.text).not.to.contain(secret)
    expect(listed.body.data[0]).to.include({ id: made.body.id, name: 'Till' })
  })

  it('is good for a year, and not a second longer', async () => {
    const { api } = await world()
    const made = await make(shop, {})
    const { created_at, expires_at } = made.body
    expect(Date.parse(expires_at) - Date.parse(created_at)).to.equal(365 * DAY_MS)
    const keys = openApiKeys(api.db, () => {})
    const end = Date.parse(expires_at)
    const late = await keys.verify(made.body.key, new Date(end - 1_000))
    expect(late.merchant).to.equal(uuidOf(shop.id))
    const over = await keys.verify(made.body.key, new Date(end)).catch(({ code }) => code)
    expect(over).to.equal('invalid_token')
  })

  it('opens nothing when it is wrong, cut, of another, or revoked', async () => {
    const [one, other] = [(await make(shop, {})).body, (await make(shop, {})).body]
    const [head, secret] = [one.key.slice(0, -43), one.key.slice(-43)]
    const wrong = [
      ...[head, `${head}${'A'.repeat(43)}`, `${head}${secret.slice(1)}`, `${one.key}A`],
      ...[`${other.key.slice(0, -43)}${secret}`, `florin_${'0'.repeat(26)}_${secret}`, 'florin_'],
      `florin_${'z'.repeat(26)}_${secret}`,
    ]
    await unchanged(async () => {
      for (const key of wrong) {
        expectProblem(await withKey(key, 'GET', '/v1/payments'), 401, 'invalid_token')
      }
      const headers = { authorization: `DPoP ${one.key}` }
      const answer = await send(undefined, 'GET', '/v1/payments', { headers })
      expectProblem(answer, 401, 'invalid_token')
    })
    expect((await call(shop, 'DELETE', `/v1/api_keys/${one.id}`)).status).to.equal(204)
    expectProblem(await withKey(one.key, 'GET', '/v1/payments'), 401, 'invalid_token')
    expectProblem(await call(shop, 'DELETE', `/v1/api_keys/${one.id}`), 404, 'not_found')
    expect((await withKey(other.key, 'GET', '/v1/payments')).status).to.equal(200)
  })

  it('is not rotated by staff who may do less than it may', async () => {
    const writer = { sub: newSubject('m'), scope: 'merchant' }
    const body = { subject: writer.sub, rights: ['write'] }
    expect((await call(shop, 'POST', '/v1/staff', { body })).status).to.equal(201)
    const [all, write] = [await make(shop, {}), await make(shop, { scopes: ['merchant:write'] })]
    const rotate = (id: string) => call(writer, 'POST', `/v1/api_keys/${id}/rotate`)
    expectProblem(await rotate(all.body.id), 403, 'forbidden')
    expect((await rotate(write.body.id)).status).to.equal(200)
    expect((await withKey(all.body.key, 'GET', '/v1/payments')).status).to.equal(200)
  })

  it('is rotated: both secrets are good for a day, then the new one alone', async () => {
    const { owner, api } = await world()
    const made = (await make(shop, {})).body
    const before = Date.now()
    const rotated = await call(shop, 'POST', `/v1/api_keys/${made.id}/rotate`)
    expect(rotated.status, rotated.text).to.equal(200)
    for (const key of [made.key, rotated.body.key]) {
      expect((await withKey(key, 'GET', '/v1/payments')).status).to.equal(200)
    }
    const row = await owner('api_keys')
      .where({ id: uuidOf(made.id) })
      .first()
    const overlap_s = (row.previous_until.getTime() - before) / 1000
    expect(overlap_s).to.be.within(86_400, 86_405)
    const keys = openApiKeys(api.db, () => {})
    const after = new Date(row.previous_until.getTime() + 1)
    expect(await keys.verify(made.key, after).catch(({ code }) => code)).to.equal('invalid_token')
    expect((await keys.verify(rotated.body.key, after)).id).to.equal(uuidOf(made.id))
    const third = await call(shop, 'POST', `/v1/api_keys/${made.id}/rotate`)
    expectProblem(await withKey(made.key, 'GET', '/v1/payments'), 401, 'invalid_token')
    expect((await withKey(third.body.key, 'GET', '/v1/payments')).status).to.equal(200)
  })

  it('says when it was last used, written down once a minute at most', async () => {
    const { owner, api } = await world()
    const made = (await make(shop, {})).body
    const where = { id: uuidOf(made.id) }
    const usedAt = async () => (await owner('api_keys').where(where).first()).last_used_at
    await withKey(made.key, 'GET', '/v1/payments')
    await until(async () => (await usedAt()) !== null)
    const keys = openApiKeys(api.db, () => {})
    const noon = new Date('2026-03-01T12:00:00Z')
    for (const s of [0, 30, 59]) await keys.verify(made.key, new Date(noon.getTime() + s * 1000))
    await until(async () => (await usedAt()).getTime() === noon.getTime())
    await keys.verify(made.key, new Date(noon.getTime() + 60_000))
    await until(async () => (await usedAt()).getTime() === noon.getTime() + 60_000)
  })

  it('makes no key, lets nobody in, and keeps itself no longer alive', async () => {
    const { id, key } = (await make(shop, {})).body
    const calls = [
      ['POST', '/v1/api_keys', { name: 'x', scopes: ['merchant'] }],
      ['POST', `/v1/api_keys/${id}/rotate`],
      ['DELETE', `/v1/api_keys/${id}`],
      ['POST', '/v1/staff', { subject: newSubject('m') }],
      ['DELETE', `/v1/staff/${publicId('stf', newId())}`],
    ] as const
    for (const [method, path, body] of calls) {
      expectProblem(await withKey(key, method, path, body), 403, 'forbidden')
    }
  })

  it('can do no more than who made it', async () => {
    const writer = { sub: shop.sub, scope: 'merchant:write' }
    for (const scopes of [['merchant'], ['merchant:read'], ['merchant:write', 'merchant:read']]) {
      expectProblem(await make(writer, { scopes }), 403, 'forbidden')
    }
    expect((await make(writer, { scopes: ['merchant:write'] })).status).to.equal(201)
    expectProblem(await make(shop, { scopes: ['chat'] }), 400, 'invalid_request')
    const mixed = { name: 'x', scopes: ['merchant', 'chat'] }
    const refused = await call(OPERATOR, 'POST', '/v1/chat_keys', { body: mixed })
    expectProblem(refused, 400, 'invalid_request')
    const reader = { sub: 'reader', scope: 'operator:write' }
    const more = await call(reader, 'POST', '/v1/chat_keys', {
      body: { ...mixed, scopes: ['chat'] },
    })
    expectProblem(more, 403, 'forbidden')
    expectProblem(await make(shop, { scopes: ['operator'] }), 400, 'invalid_request')
  })

  it('of another merchant is not there', async () => {
    const [rival, made] = [await merchant(), (await make(shop, {})).body]
    const path = `/v1/api_keys/${made.id}`
    expectProblem(await call(rival, 'DELETE', path), 404, 'not_found')
    expectProblem(await call(rival, 'POST', `${path}/rotate`), 404, 'not_found')
    expectProblem(await make(rival, { merchant: shop.id }), 404, 'not_found')
    const list = await call(rival, 'GET', `/v1/api_keys?merchant=${shop.id}`)
    expectProblem(list, 404, 'not_found')
    expect((await call(rival, 'GET', '/v1/api_keys')).body.data).to.deep.equal([])
    expect((await withKey(made.key, 'GET', '/v1/payments')).status).to.equal(200)
  })

  it('is one of a hundred at most, however many are asked for at once', async () => {
    const { api } = await world()
    const full = await merchant()
    const [one, by] = [uuidOf(full.id), 'test']
    const key = { merchant: one, name: 'Till', scopes: ['merchant'] as const, by }
    for (let made = 0; made < 95; made += 5) {
      await Promise.all(times(5, () => createApiKey(api, key)))
    }
    const outcomes = await Promise.all(
      times(10, () =>
        createApiKey(api, key).then(
          () => 'made',
          ({ code }) => code,
        ),
      ),
    )
    expect(outcomes.filter((one) => one === 'made')).to.have.length(5)
    expect(outcomes.filter((one) => one === 'too_many_api_keys')).to.have.length(5)
  })
})

describe('a member of staff', () => {
  let shop: Merchant
  before(async () => {
    shop = await merchant()
  })

  const add = (who: Who, body: object) => call(who, 'POST', '/v1/staff', { body })

  it('has a name of whole letters, or would be somebody else', async () => {
    const body = { subject: `\ud800${newSubject('m')}` }
    const refused = await call(await merchant(), 'POST', '/v1/staff', { body })
    expectProblem(refused, 400, 'invalid_request')
  })

  it('is added by the merchant itself, or by two operators who say for whom', async () => {
    const [one, other] = [newSubject('m'), newSubject('m')]
    const added = await add(shop, { subject: one })
    expect(added.body).to.include({ merchant: shop.id, issuer: 'https://id.example' })
    const wanted = { merchant: shop.id, subject: other }
    const alone = await unchanged(() => add(OPERATOR, wanted), { except: ['claims', 'proposals'] })
    expect(alone.status, alone.text).to.equal(202)
    expect((await call({ sub: other, scope: 'merchant' }, 'GET', '/v1/payments')).status).to.equal(
      403,
    )
    expect((await approve(alone.body.id)).body.result.status).to.equal(201)
    const { body } = await call(OPERATOR, 'GET', `/v1/staff?merchant=${shop.id}`)
    const subjects = body.data.map(({ subject }: { subject: string }) => subject)
    expect(subjects).to.have.members([shop.sub, one, other])
    expectProblem(await add(OPERATOR, { subject: newSubject() }), 400, 'invalid_request')
    expectProblem(await call(OPERATOR, 'GET', '/v1/staff'), 400, 'invalid_request')
  })

  it('acts for one merchant, also when two take them on at once', async () => {
    const [rival, subject] = [await merchant(), newSubject('m')]
    const answers = await Promise.all([shop, rival].map((who) => add(who, { subject })))
    expect(statusesOf(answers)).to.deep.equal([201, 409])
    const taken = await add(rival, { subject: shop.sub })
    expectProblem(taken, 409, 'merchant_subject_exists')
  })

  it('gives away no more than they have', async () => {
    const reader = newSubject('m')
    await add(shop, { subject: reader, rights: ['write'] })
    const writer = { sub: reader, scope: 'merchant' }
    expectProblem(await add(writer, { subject: newSubject('m') }), 403, 'forbidden')
    const same = await add(writer, { subject: newSubject('m'), rights: ['write'] })
    expect(same.status, same.text).to.equal(201)
  })

  it('of another merchant is not there', async () => {
    const rival = await merchant()
    const { body } = await call(shop, 'GET', '/v1/staff')
    const [first] = body.data
    const gone = await call(rival, 'DELETE', `/v1/staff/${first.id}`)
    expectProblem(gone, 404, 'not_found')
    const add = { body: { merchant: shop.id, subject: newSubject('m') } }
    expectProblem(await call(rival, 'POST', '/v1/staff', add), 404, 'not_found')
    expectProblem(await call(await person(), 'GET', '/v1/staff'), 403, 'forbidden')
  })

  it('is vouched for by an issuer that we believe', async () => {
    const body = { subject: newSubject('m'), issuer: 'https://evil.example' }
    expectProblem(await add(shop, body), 422, 'issuer_unknown')
  })
})
