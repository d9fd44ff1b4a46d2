/** The sandbox's identity provider: tokens that any OpenID client can verify, and little else. */
import { randomUUID } from 'node:crypto'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'chai'
import { calculateJwkThumbprint, createRemoteJWKSet, jwtVerify, type JWK } from 'jose'
import { startIdentityProvider } from '../services/sandbox/identity-provider.ts'
import { codeOf, temporaryFolder } from './support/sandbox-bank.ts'

const ISSUER = 'http://identity.example'
const people = new Map([['usr-1', { alias: 'ada', name: 'Ada Lovelace' }]])

describe('the identity provider', () => {
  let keyFile: string
  let provider: Awaited<ReturnType<typeof startIdentityProvider>>
  const start = () =>
    startIdentityProvider({ port: 0, issuer: ISSUER, audience: 'florin', keyFile, people })

  before(async () => {
    keyFile = join(await temporaryFolder(), 'keys', 'identity.jwk')
    provider = await start()
  })
  after(() => provider.stop())

  const ask = (body: string) => fetch(`${provider.url}/token`, { method: 'POST', body })
  const tokenFor = async (sub: string, scope: string): Promise<string> => {
    const response = await ask(JSON.stringify({ sub, scope }))
    const { access_token, ...rest } = JSON.parse(await response.text())
    expect(rest).to.eql({ token_type: 'Bearer', expires_in: 300 })
    return access_token
  }
  const verified = (token: string) => {
    const keys = createRemoteJWKSet(new URL(`${provider.url}/.well-known/jwks.json`))
    return jwtVerify(token, keys, { issuer: ISSUER, audience: 'florin', typ: 'at+jwt' })
  }

  it('mints a token that its published keys verify', async () => {
    const { payload, protectedHeader } = await verified(await tokenFor('usr-1', 'person chat'))
    const { iat = 0, exp, jti, ...claims } = payload
    expect(claims).to.eql({
      iss: ISSUER,
      aud: 'florin',
      sub: 'usr-1',
      client_id: 'sandbox',
      scope: 'person chat',
      preferred_username: 'ada',
      name: 'Ada Lovelace',
    })
    expect(exp).to.equal(iat + 300)
    expect(jti).to.match(/^[0-9a-f-]{36}$/)
    const response = await fetch(`${provider.url}/.well-known/jwks.json`)
    const published: { keys: [JWK] } = JSON.parse(await response.text())
    const kid = await calculateJwkThumbprint(published.keys[0])
    expect(protectedHeader).to.eql({ alg: 'ES256', typ: 'at+jwt', kid })
    expect(published.keys[0]).to.have.keys('kty', 'crv', 'x', 'y', 'kid', 'alg', 'use')
  })
  it('takes anybody, under the subject in lower case', async () => {
    const { payload } = await verified(await tokenFor('Zoe.Z', 'merchant'))
    expect(payload).to.include({ sub: 'Zoe.Z', preferred_username: 'zoe.z', name: 'zoe.z' })
  })
  it('says where everything is', async () => {
    const response = await fetch(`${provider.url}/.well-known/openid-configuration`)
    expect(await response.json()).to.include({
      issuer: ISSUER,
      token_endpoint: `${provider.url}/token`,
      jwks_uri: `${provider.url}/.well-known/jwks.json`,
    })
  })
  it('keeps its key for itself, and across a restart', async () => {
    expect((await stat(keyFile)).mode & 0o777).to.equal(0o600)
    const token = await tokenFor('usr-1', 'operator')
    await provider.stop()
    provider = await start()
    expect((await verified(token)).payload.sub).to.equal('usr-1')
  })
  it('does not start with a key file that holds no key', async () => {
    const saved = await readFile(keyFile)
    await writeFile(keyFile, '{"kty":"oct","k":"AAAA"}')
    expect(await codeOf(start()))
      .to.be.an('error')
      .with.property('message')
      .match(/holds no/)
    await writeFile(keyFile, saved)
  })

  const refused: Record<string, unknown> = {
    'without a subject': { scope: 'person' },
    'with a subject of strange letters': { sub: 'a b', scope: 'person' },
    'with a subject that is too long': { sub: 'a'.repeat(65), scope: 'person' },
    'without a scope': { sub: 'usr-1' },
    'with an empty scope': { sub: 'usr-1', scope: '' },
    'with an unknown scope': { sub: 'usr-1', scope: 'person root' },
    'with a scope twice': { sub: 'usr-1', scope: 'person person' },
    'with scopes that are not separated by one space': { sub: 'usr-1', scope: 'person  chat' },
    'with something else besides': { sub: 'usr-1', scope: 'person', exp: 9e9 },
    'that is no object': ['usr-1', 'person'],
    'that is too long': { sub: 'usr-1', scope: 'person', padding: randomUUID().repeat(200) },
  }
  for (const [what, request] of Object.entries(refused))
    it(`refuses a request ${what}`, async () => {
      const response = await ask(JSON.stringify(request))
      const { error } = JSON.parse(await response.text())
      expect(response.status).to.equal(400)
      expect(error).to.be.oneOf(['invalid_request', 'invalid_scope'])
    })
  it('refuses what is no JSON, and has nothing elsewhere', async () => {
    expect((await ask('sub=usr-1&scope=person')).status).to.equal(400)
    expect((await fetch(`${provider.url}/token`)).status).to.equal(404)
    expect((await fetch(`${provider.url}/token%`)).status).to.equal(404)
  })
})
