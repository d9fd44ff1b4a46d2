/** Tokens that were not issued to the caller, for us, now; and tokens of the wrong role. */
import { expect } from 'chai'
import { CompactSign, exportSPKI, generateKeyPair, SignJWT } from 'jose'
import { newId } from '../ledger/index.ts'
import { publicId, suffixOf, uuidOf } from '../services/ids.ts'
import { expectProblem, quiet, send, statusesOf, unchanged } from './support/abuse.ts'
import { inSeconds, type Minted, type SecondApi, withSecondApi } from './support/abuse-issuer.ts'
import { call, newSubject, type Who } from './support/api.ts'
import { merchant, OPERATOR, order, person, PIN } from './support/people.ts'
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
  'of no type': () => ({ header: { typ: undefined } }),
  'that names a place for its key': () => ({ header: { jku: 'http://127.0.0.1:1/keys' } }),
  'that names a certificate': () => ({ header: { x5u: 'http://127.0.0.1:1/cert' } }),
  'that brings a certificate': () => ({ header: { x5c: ['MIIB'] } }),
  'that brings its key': () => ({ header: { jwk: second.publicJwk } }),
  'with a key nobody knows': () => ({ header: { kid: 'another' } }),
  'with a path as its key': () => ({ header: { kid: '../../../dev/null' } }),
  'with SQL as its key': () => ({ header: { kid: "x' UNION SELECT 'secret" } }),
  'longer than 4 KB': () => ({ claims: { padding: 'x'.repeat(4_096) } }),
}

describe('a token', () => {
  before(quiet)
  withSecondApi((api) => (second = api))

  it('opens the door when everything is right', async () => {
    for (const minted of [
      {},
      { claims: { exp: inSeconds(-3) } },
      { claims: { aud: ['florin'] } },
    ]) {
      const answer = await ask(`Bearer ${await second.mint(minted)}`)
      expect(answer.status, answer.text).to.equal(200)
    }
  })

  for (const [fault, minted] of Object.entries(BAD_TOKENS)) {
    it(`${fault} opens nothing`, async () => {
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

  it('that is signed by nobody, or by who knows only the public key, opens nothing', async () => {
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
    for (const token of [...symmetric, ...unsigned]) {
      expectProblem(await ask(`Bearer ${token}`), 401, 'invalid_token')
    }
  })

  it('that is signed by another key, or changed after it was signed, opens nothing', async () => {
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

  it('is the only word on who somebody is', async () => {
    const headers = {
      ...{ 'x-user-id': 'olga', 'x-forwarded-user': 'olga', 'x-forwarded-for': '127.0.0.1' },
      ...{ cookie: 'token=olga', 'x-http-method-override': 'DELETE', 'x-original-url': '/healthz' },
    }
    expectProblem(await send(undefined, 'GET', '/v1/accounts', { headers }), 401, 'invalid_token')
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

const ROLES = ['person', 'merchant', 'operator', 'chat'] as const

describe('every endpoint', () => {
  before(quiet)
  withSecondApi((api) => (second = api))

  const paths = (path: string) =>
    path
      .replace(':alias', 'nobody.at.all')
      .replace(':bank', 'north')
      .replace(/:id/, publicId(kindOf(path), newId()))
  const kindOf = (path: string) => {
    if (path.includes('accounts')) return path.includes('bank_accounts') ? 'bac' : 'acc'
    if (path.includes('orders')) return 'ord'
    if (path.includes('staff')) return 'stf'
    if (path.includes('api_keys')) return 'key'
    if (path.includes('people')) return 'per'
    return path.includes('settlements') ? 'set' : 'pay'
  }
  const body = { pin: PIN, payee: '@nobody.at.all', amount: '100', currency: 'EUR' }

  it('is shut without a token, and to every role it does not name', async () => {
    const { routes } = await world()
    const shop = await merchant()
    const whoIs: Record<string, Who> = {
      person: { sub: newSubject(), scope: 'person' },
      merchant: shop,
      operator: OPERATOR,
      chat: { sub: 'chat', scope: 'chat' },
    }
    await call(whoIs['person'], 'GET', '/v1/accounts')
    expect(routes.endpoints.length).to.be.greaterThan(15)
    await unchanged(async () => {
      for (const { method, path, scopes } of routes.endpoints) {
        const given = method === 'GET' || method === 'DELETE' ? {} : { body }
        const url = paths(path)
        expectProblem(await call(undefined, method, url, given), 401, 'invalid_token')
        expect(scopes.length, `${path} admits somebody`).to.be.greaterThan(0)
        for (const role of ROLES.filter((one) => !scopes.includes(one))) {
          const answer = await call(whoIs[role], method, url, given)
          expect(answer.status, `${role} ${method} ${path}`).to.equal(403)
          expectProblem(answer, 403, 'forbidden')
        }
      }
    })
  })

  it('is shut to a token of no role, of an unknown one, and of nearly the right one', async () => {
    const { routes } = await world()
    const scopes = ['', 'admin', 'Person', 'person,operator', 'persons', 'merchant:read', '*']
    const tokens = await Promise.all(
      scopes.map((scope) => second.mint({ claims: { scope, sub: newSubject() } })),
    )
    await unchanged(async () => {
      for (const { method, path } of routes.endpoints) {
        for (const token of tokens) {
          const headers = { authorization: `Bearer ${token}` }
          const answer = await send(undefined, method, paths(path), {
            ...{ headers, apiUrl: second.apiUrl },
          })
          expectProblem(answer, 403, 'forbidden')
        }
      }
    })
  })

  it('is shut to a merchant nobody has taken on', async () => {
    const stranger = { sub: newSubject('m'), scope: 'merchant' }
    const paths = ['/v1/payments', '/v1/accounts', '/v1/settlements', '/v1/events']
    const answers = await Promise.all(paths.map((path) => call(stranger, 'GET', path)))
    expect(statusesOf(answers)).to.deep.equal([403, 403, 403, 403])
  })

  it('is shut to who calls himself by the inner id of a merchant', async () => {
    const shop = await merchant()
    await order(shop, '5000')
    const names = [uuidOf(shop.id), shop.id, suffixOf(uuidOf(shop.id))]
    for (const sub of names) {
      for (const path of ['/v1/payments', '/v1/accounts', '/v1/settlements', '/v1/events']) {
        const answer = await send({ sub, scope: 'merchant' }, 'GET', path)
        expect(answer.status, `${sub} ${path} ${answer.text}`).to.equal(403)
        expectProblem(answer, 403, 'forbidden')
      }
    }
  })
})
