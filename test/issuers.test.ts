/** Several issuers: each speaks for its own, with the algorithms and in the roles it was given. */
import { expect } from 'chai'
import { exportJWK, generateKeyPair } from 'jose'
import { setTimeout as pause } from 'node:timers/promises'
import { expectProblem, quiet, send, unchanged } from './support/abuse.ts'
import { type Issuer, type Minted, startApi, startIssuer } from './support/abuse-issuer.ts'
import { call, newSubject } from './support/api.ts'
import { merchant, OPERATOR, person } from './support/people.ts'
import { newRate } from './support/exchange.ts'
import { world } from './support/world.ts'

const OTHER = 'https://other.example'

describe('several issuers', () => {
  let other: Issuer
  let api: Awaited<ReturnType<typeof startApi>>
  before(quiet)
  before(async () => {
    other = await startIssuer(OTHER, 'florin-other')
    api = await startApi(({ TOKEN_ISSUERS: [first] }) => ({
      TOKEN_ISSUERS: [
        first,
        {
          ...{ ...other.settings, algorithms: ['ES256'] },
          scopes: ['person', 'merchant', 'operator'],
        },
      ],
    }))
  })
  after(async () => {
    await api.stop()
    await other.stop()
  })

  const ask = async (minted: Minted, method = 'GET', path = '/v1/accounts', body?: object) =>
    send(undefined, method, path, {
      apiUrl: api.apiUrl,
      headers: { authorization: `Bearer ${await other.mint(minted)}` },
      ...(body !== undefined && { bytes: JSON.stringify(body) }),
    })

  it('know two people under one subject', async () => {
    const ada = await person(500n)
    const answer = await ask({ claims: { sub: ada.sub } })
    expect(answer.status, answer.text).to.equal(200)
    expect(JSON.parse(answer.text).data).to.deep.equal([])
    const { owner } = await world()
    expect(await owner('people').where({ subject: ada.sub })).to.have.length(2)
  })

  it('cannot act for a merchant whose staff another vouches for', async () => {
    const shop = await merchant()
    const claims = { sub: shop.sub, scope: 'merchant' }
    await unchanged(async () => {
      for (const path of ['/v1/payments', '/v1/accounts', '/v1/staff', '/v1/events']) {
        expectProblem(await ask({ claims }, 'GET', path), 403, 'forbidden')
      }
    })
    expect((await call(shop, 'GET', '/v1/payments')).status).to.equal(200)
  })

  it('cannot act for a merchant of before there were several', async () => {
    const { owner } = await world()
    const shop = await merchant()
    await owner('merchant_staff').where({ subject: shop.sub }).update({ issuer: '' })
    const claims = { sub: shop.sub, scope: 'merchant' }
    expectProblem(await ask({ claims }, 'GET', '/v1/payments'), 403, 'forbidden')
    expect((await call(shop, 'GET', '/v1/payments')).status).to.equal(200)
    const body = { merchant: shop.id, subject: shop.sub }
    const again = await call(OPERATOR, 'POST', '/v1/staff', { body })
    expectProblem(again, 409, 'merchant_subject_exists')
  })

  it('may each have a merchant under the same subject', async () => {
    const shop = await merchant()
    const fees = { percent: '1', fixed: '0', currency: 'EUR' }
    const body = { name: 'Twin', alias: newSubject('m'), subject: shop.sub, issuer: OTHER, fees }
    const made = await ask({ claims: { scope: 'operator' } }, 'POST', '/v1/merchants', body)
    expect(made.status, made.text).to.equal(201)
    const claims = { sub: shop.sub, scope: 'merchant' }
    const staff = JSON.parse((await ask({ claims }, 'GET', '/v1/staff')).text).data
    expect(staff).to.have.length(1)
    expect(staff[0]).to.include({ merchant: JSON.parse(made.text).id, issuer: OTHER })
    const added = await ask({ claims }, 'POST', '/v1/staff', { subject: newSubject('m') })
    expect(JSON.parse(added.text)).to.include({ created_by: `${OTHER} ${shop.sub}` })
  })

  it('are named beside the subject where something is written down', async () => {
    const claims = { sub: OPERATOR.sub, scope: 'operator' }
    const rate = newRate('EUR', 'UGX', '4000')
    const posted = await ask({ claims }, 'POST', '/v1/fx_rates', rate)
    expect(JSON.parse(posted.text).posted_by).to.equal(`${OTHER} ${OPERATOR.sub}`)
  })

  it('give no role that they may not give, and speak for no other', async () => {
    expectProblem(await ask({ claims: { scope: 'chat' } }, 'GET', '/v1/events'), 403, 'forbidden')
    const wrong = [{ iss: 'https://id.example' }, { aud: 'florin' }, { iss: `${OTHER}/` }]
    for (const claims of wrong) expectProblem(await ask({ claims }), 401, 'invalid_token')
  })

  it('take no algorithm that was not asked for', async () => {
    const rsa = await startIssuer('https://rsa.example', 'florin', { alg: 'RS256' })
    const withAlgorithms = (algorithms: ('RS256' | 'ES256')[]) =>
      startApi(() => ({
        TOKEN_ISSUERS: [
          { ...rsa.settings, algorithms, scopes: ['person', 'merchant', 'operator', 'chat'] },
        ],
      }))
    const [without, withIt] = [await withAlgorithms(['ES256']), await withAlgorithms(['RS256'])]
    const headers = { authorization: `Bearer ${await rsa.mint()}` }
    const [refused, taken] = await Promise.all(
      [without, withIt].map(({ apiUrl }) =>
        send(undefined, 'GET', '/v1/accounts', { headers, apiUrl }),
      ),
    )
    await Promise.all([without, withIt, rsa].map((one) => one.stop()))
    expect([refused?.status, taken?.status]).to.deep.equal([401, 200])
  })
})

describe('the keys of an issuer', () => {
  let issuer: Issuer
  let api: Awaited<ReturnType<typeof startApi>>
  beforeEach(async () => {
    issuer = await startIssuer(OTHER, 'florin')
    api = await startApi(() => ({
      ...{ JWKS_CACHE_S: 2, JWKS_COOLDOWN_S: 1 },
      TOKEN_ISSUERS: [{ ...issuer.settings, algorithms: ['ES256'], scopes: ['person'] }],
    }))
  })
  afterEach(async () => {
    await api.stop()
    await issuer.stop()
  })

  const statusOf = async (token: string) => {
    const headers = { authorization: `Bearer ${token}` }
    const options = { headers, apiUrl: api.apiUrl }
    return (await send(undefined, 'GET', '/v1/accounts', options)).status
  }

  it('may rotate: a new one works without a restart', async () => {
    expect(await statusOf(await issuer.mint())).to.equal(200)
    const next = await generateKeyPair('ES256')
    const token = await issuer.mint({ header: { kid: 'next' } }, next.privateKey)
    expect(await statusOf(token)).to.equal(401)
    const jwk = { ...(await exportJWK(next.publicKey)), kid: 'next', alg: 'ES256' }
    issuer.published.keys.push(jwk)
    await pause(1_100)
    expect(await statusOf(token)).to.equal(200)
  })

  it('stop working when they are withdrawn and the cache ends, known tokens too', async () => {
    const token = await issuer.mint()
    expect(await statusOf(token)).to.equal(200)
    issuer.published.keys = []
    expect(await statusOf(token)).to.equal(200)
    await pause(2_100)
    expect(await statusOf(token)).to.equal(401)
  })

  it('are not read again while they are fresh, whatever key a token names', async () => {
    expect(await statusOf(await issuer.mint())).to.equal(200)
    const asked = issuer.published.asked
    for (const kid of ['a', 'b', '../../dev/null', 'http://127.0.0.1:1/']) {
      expect(await statusOf(await issuer.mint({ header: { kid } }))).to.equal(401)
    }
    expect(issuer.published.asked).to.equal(asked)
  })

  it('that cannot be read keep everybody out, and say so', async () => {
    issuer.published.isDown = true
    expect(await statusOf(await issuer.mint())).to.equal(503)
    issuer.published.isDown = false
    expect(await statusOf(await issuer.mint())).to.equal(200)
  })
})
