/** Tokens that were not issued to the caller, for us, now. */
import { expect } from 'chai'
import { CompactSign, exportSPKI, generateKeyPair, SignJWT } from 'jose'
import { expectProblem, quiet, send, unchanged } from './support/abuse.ts'
import { inSeconds, type Minted, type SecondApi, withSecondApi } from './support/abuse-issuer.ts'
import { call, newSubject } from './support/api.ts'
import { merchant, OPERATOR, payment, person } from './support/people.ts'
import { startSite } from './support/sandbox-bank.ts'
import { world } from './support/world.ts'

let second: SecondApi

const base64 = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
const ask = (authorization: string | undefined, path = '/v1/accounts') =>
  send(undefined, 'GET', path, {
    apiUrl: second.apiUrl,
    ...(authorization !== undefined && { headers: { authorization } }),
  })

/** Tokens whose key is ours and right, and something else is wrong. */
const BAD_TOKENS: Readonly<Record<string, () => Minted>> = {
  'expired six seconds ago': () => ({ claims: { exp: inSeconds(-6), iat: inSeconds(-300) } }),
  'expired long ago': () => ({ claims: { exp: 1, iat: 0 } }),
  'without an end': () => ({ claims: { exp: undefined } }),
  'with an end that is text': () => ({ claims: { exp: '9999999999' } }),
  'without a beginning': () => ({ claims: { iat: undefined } }),
  'issued a minute from now': () => ({ claims: { iat: inSeconds(61) } }),
  'not valid before a minute from now': () => ({ claims: { nbf: inSeconds(61) } }),
  'issued eleven seconds from now': () => ({ claims: { iat: inSeconds(12) } }),
  'not valid before eleven seconds from now': () => ({ claims: { nbf: inSeconds(12) } }),
  'that lives longer than five minutes': () => ({ claims: { exp: inSeconds(301) } }),
  'without an id': () => ({ claims: { jti: undefined } }),
  'with an empty id': () => ({ claims: { jti: '' } }),
  'without a client': () => ({ claims: { client_id: undefined } }),
  'bound to nothing that is a key': () => ({ claims: { cnf: { jkt: 'x' } } }),
  'without a subject': () => ({ claims: { sub: undefined } }),
  'with an empty subject': () => ({ claims: { sub: '' } }),
  'with a number as its subject': () => ({ claims: { sub: 5 } }),
  'with a subject of 201 letters': () => ({ claims: { sub: 'x'.repeat(201) } }),
  'for somebody else': () => ({ claims: { aud: 'another' } }),
  'for nobody': () => ({ claims: { aud: undefined } }),
  'for us with a capital letter': () => ({ claims: { aud: 'Florin' } }),
  'of another issuer': () => ({ claims: { iss: 'https://evil.example' } }),
  'of our issuer with a slash': () => ({ claims: { iss: 'https://id.example/' } }),
  'of no issuer': () => ({ claims: { iss: undefined } }),
  'with scopes as a list': () => ({ claims: { scope: ['person'] } }),
  'of the type JWT': () => ({ header: { typ: 'JWT' } }),
  'of the type of a refresh token': () => ({ header: { typ: 'rt+jwt' } }),
  'of the type of an ID token': () => ({ header: { typ: 'id+jwt' } }),
  'of the type of a proof': () => ({ header: { typ: 'dpop+jwt' } }),
  'of no type': () => ({ header: { typ: undefined } }),
  'that names a place for its key': () => ({ header: { jku: 'http://127.0.0.1:1/keys' } }),
  'that names a certificate': () => ({ header: { x5u: 'http://127.0.0.1:1/cert' } }),
  'that brings a certificate': () => ({ header: { x5c: ['MIIB'] } }),
  'that brings its key': () => ({ header: { jwk: second.publicJwk } }),
  'that names the thumbprint of a certificate': () => ({ header: { x5t: 'AAAA' } }),
  'that names another thumbprint': () => ({ header: { 'x5t#S256': 'AAAA' } }),
  'that names no key': () => ({ header: { kid: undefined } }),
  'with a key nobody knows': () => ({ header: { kid: 'another' } }),
  'with a path as its key': () => ({ header: { kid: '../../../dev/null' } }),
  'with SQL as its key': () => ({ header: { kid: "x' UNION SELECT 'secret" } }),
  'longer than 4 KB': () => ({ claims: { padding: 'x'.repeat(4_096) } }),
}

describe('a token', () => {
  before(quiet)
  withSecondApi((api) => (second = api))

  it('opens the door when everything is right (abuse 5)', async () => {
    for (const minted of [
      {},
      { claims: { exp: inSeconds(-3) } },
      { claims: { aud: ['florin'] } },
      { claims: { iat: inSeconds(8), nbf: inSeconds(8), exp: inSeconds(300) } },
    ]) {
      const answer = await ask(`Bearer ${await second.mint(minted)}`)
      expect(answer.status, answer.text).to.equal(200)
    }
  })

  for (const [fault, minted] of Object.entries(BAD_TOKENS)) {
    it(`${fault} opens nothing (abuse 1, 3, 4, 5)`, async () => {
      const token = await second.mint(minted())
      const answer = await unchanged(() => ask(`Bearer ${token}`))
      expectProblem(answer, 401, 'invalid_token')
      expect(answer.headers.get('www-authenticate')).to.match(/^Bearer/)
    })
  }

  it('that was opened once stays shut when its time is over', async () => {
    const token = await second.mint({ claims: { exp: inSeconds(-3) } })
    expect((await ask(`Bearer ${token}`)).status).to.equal(200)
    await new Promise((resolve) => setTimeout(resolve, 2_000))
    expectProblem(await ask(`Bearer ${token}`), 401, 'invalid_token')
  })

  it('that is signed by nobody, or with the public key, opens nothing (abuse 2)', async () => {
    const { header, claims } = second.unsigned({})
    const pem = await exportSPKI(second.publicKey)
    const secrets = [pem, pem.trim(), JSON.stringify(second.publicJwk), '\0']
    const payload = Buffer.from(JSON.stringify(claims))
    const symmetric = await Promise.all(
      secrets.flatMap((secret) =>
        ['HS256', 'HS512'].map((alg) =>
          new CompactSign(payload)
            .setProtectedHeader({ ...header, alg })
            .sign(Buffer.from(secret.padEnd(64, '\0'))),
        ),
      ),
    )
    const unsigned = ['none', 'nOnE', 'None', '', 'ES256', 'RS256', 'ES384', 'XX'].flatMap(
      (alg) => {
        const body = `${base64({ ...header, alg })}.${base64(claims)}`
        return [`${body}.`, `${body}.AAAA`, `${body}.${'A'.repeat(86)}`]
      },
    )
    await unchanged(async () => {
      for (const token of [...symmetric, ...unsigned]) {
        expectProblem(await ask(`Bearer ${token}`), 401, 'invalid_token')
      }
    })
  })

  it('that is signed by another key, or changed after that, opens nothing (abuse 1)', async () => {
    const { header, claims } = second.unsigned({})
    const { privateKey } = await generateKeyPair('ES256')
    const forged = await new SignJWT(claims).setProtectedHeader(header).sign(privateKey)
    const honest = await second.mint()
    const [head, , signature] = honest.split('.')
    const changed = `${head}.${base64({ ...claims, scope: 'operator' })}.${signature}`
    const cut = [honest.slice(0, -2), honest.split('.').slice(0, 2).join('.'), `${honest}.x`]
    for (const token of [forged, changed, ...cut, honest.replace('.', '..')]) {
      expectProblem(await ask(`Bearer ${token}`), 401, 'invalid_token')
    }
  })

  it('makes us open no socket, wherever it says that its key is (abuse 3)', async () => {
    let visits = 0
    const site = await startSite((_request, response) => {
      visits += 1
      response.end(JSON.stringify({ keys: [second.publicJwk] }))
    })
    await ask(`Bearer ${await second.mint()}`)
    const headers = [
      ...['jku', 'x5u', 'kid'].map((name) => ({ [name]: `${site.url}/keys` })),
      { jku: site.url, x5u: site.url, jwk: second.publicJwk, kid: undefined },
      ...[{ crit: ['b64'], b64: false }, { crit: ['x'], x: 1 }, { b64: true }],
    ]
    const { claims, header } = second.unsigned({})
    const asked = second.published.asked
    await unchanged(async () => {
      for (const more of headers) {
        const token = `${base64({ ...header, ...more })}.${base64(claims)}.${'A'.repeat(86)}`
        expectProblem(await ask(`Bearer ${token}`), 401, 'invalid_token')
      }
    })
    const iss = `${base64(header)}.${base64({ ...claims, iss: site.url })}.${'A'.repeat(86)}`
    expectProblem(await ask(`Bearer ${iss}`), 401, 'invalid_token')
    await site.stop()
    expect([visits, second.published.asked - asked]).to.deep.equal([0, 0])
  })

  it('is a bearer token, once, in its header', async () => {
    const honest = await second.mint()
    const bad = [
      ...[undefined, '', 'Bearer', 'Bearer ', 'Basic b2xnYTpvbGdh', honest, `Token ${honest}`],
      ...[`Bearer ${honest},${honest}`, `Bearer ${honest} x`, `Bearer "${honest}"`, 'Bearer a.b.c'],
      ...['Bearer null', 'Bearer undefined', 'Bearer ..', 'Bearer é', `Bearer ${'a.'.repeat(2)}`],
    ]
    for (const authorization of bad) {
      const answer = await ask(authorization)
      expect(answer.status, `${authorization}: ${answer.text}`).to.equal(401)
      expectProblem(answer, 401, 'invalid_token')
    }
    expectProblem(await ask(undefined, `/v1/accounts?access_token=${honest}`), 401, 'invalid_token')
  })

  it('is the only word on who somebody is (abuse 17)', async () => {
    const headers = {
      ...{ 'x-user-id': 'olga', 'x-forwarded-user': 'olga', 'x-forwarded-for': '127.0.0.1' },
      ...{ 'x-real-ip': '127.0.0.1', forwarded: 'for=127.0.0.1', 'x-api-key': 'florin' },
      ...{ cookie: 'token=olga', 'x-http-method-override': 'DELETE', 'x-original-url': '/healthz' },
    }
    const bytes = JSON.stringify(payment(await person(), '1'))
    await unchanged(async () => {
      for (const method of ['GET', 'POST']) {
        const more = { headers, ...(method === 'POST' && { bytes }) }
        expectProblem(await send(undefined, method, '/v1/payments', more), 401, 'invalid_token')
      }
    })
    const token = await second.mint()
    const both = { ...headers, authorization: `Bearer ${token}` }
    const options = { headers: both, apiUrl: second.apiUrl }
    expectProblem(await send(undefined, 'GET', '/v1/ledger/proof', options), 403, 'forbidden')
  })
})

describe('what an issuer says about a person', () => {
  before(quiet)
  withSecondApi((api) => (second = api))

  const ODD = {
    'no name at all': {},
    'an empty name': { name: '' },
    'a name with a NUL': { name: 'A\u0000B' },
    'a name of half letters': { name: '\ud800' },
    'a name of ten lines': { name: 'A\n'.repeat(10) },
    'a name cut inside a letter': { name: `${'x'.repeat(99)}😀` },
    'an alias that is none': { preferred_username: '../@Ben' },
    'an alias with a NUL': { preferred_username: 'a\u0000b' },
    'a subject with a NUL': { sub: `${newSubject()}\u0000` },
    'a subject with a line break': { sub: `${newSubject()}\nx` },
    'a subject of half a letter': { sub: `${newSubject()}\ud800` },
    'a subject that looks like SQL': { sub: `${newSubject()}'; DROP TABLE people` },
  }
  for (const [what, claims] of Object.entries(ODD)) {
    it(`never breaks a request: ${what}`, async () => {
      const token = await second.mint({ claims })
      const answers = [await ask(`Bearer ${token}`), await ask(`Bearer ${token}`, '/v1/payments')]
      for (const { status, text } of answers) expect([200, 401], text).to.include(status)
    })
  }

  it('gives nobody an alias that somebody has, person or merchant', async () => {
    const [ben, shop] = [await person(1n), await merchant()]
    const { owner } = await world()
    for (const { sub } of [ben, shop]) {
      const claims = { sub: newSubject(), preferred_username: sub, name: 'Not me' }
      const answer = await ask(`Bearer ${await second.mint({ claims })}`)
      expect(answer.status, answer.text).to.equal(200)
      const squatter = await owner('people').where({ subject: claims.sub }).first()
      expect(await owner('aliases').where({ person_id: squatter.id })).to.deep.equal([])
    }
    const { body } = await call(OPERATOR, 'GET', '/v1/accounts')
    expect(body.data.length).to.be.greaterThan(0)
  })
})
