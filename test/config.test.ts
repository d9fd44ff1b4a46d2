/** The configuration: every fault at once, and nothing convenient where money is real. */
import { generateKeyPairSync } from 'node:crypto'
import { expect } from 'chai'
import { ConfigError, readConfig } from '../services/config.ts'

const issuersOf = (jwks_url: string) =>
  JSON.stringify([{ issuer: 'https://id', audience: 'florin', jwks_url }])

const GOOD = {
  DATABASE_URL: 'postgres://db/florin',
  TOKEN_ISSUERS: issuersOf('https://id/.well-known/jwks.json'),
  PIN_PEPPER: Buffer.alloc(32, 1).toString('base64'),
  DATA_KEYS: JSON.stringify([{ kid: 'first', key: Buffer.alloc(32, 2).toString('base64') }]),
  BLIND_INDEX_KEY: Buffer.alloc(32, 3).toString('base64'),
  BANKS: JSON.stringify([
    {
      ...{ name: 'north', protocol: 'sandbox', url: 'https://north' },
      ...{ secret: 'whsec_c2VjcmV0', currencies: ['EUR'] },
    },
  ]),
}

const faultsOf = (env: Record<string, string>) => {
  try {
    readConfig(env)
    return ''
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.message
  }
}

describe('the configuration', () => {
  it('lets every issuer give every role unless told', () => {
    const [issuer] = readConfig(GOOD).TOKEN_ISSUERS
    expect(issuer.scopes).to.deep.equal(['person', 'merchant', 'operator', 'chat'])
  })

  it('believes each issuer once, with algorithms that can be believed', () => {
    const [issuer] = JSON.parse(GOOD.TOKEN_ISSUERS)
    const bad = [
      ...[[], [issuer, issuer], [{ ...issuer, algorithms: ['HS256'] }]],
      ...[[{ ...issuer, algorithms: ['none'] }], [{ ...issuer, scopes: ['root'] }]],
      ...[[{ ...issuer, issuer: 'id with a space' }], [{ ...issuer, jwks_url: 'file:///etc' }]],
      ...[[{ ...issuer, secret: 'x' }], Array.from({ length: 17 }, () => issuer)],
    ]
    for (const issuers of bad) {
      const faults = faultsOf({ ...GOOD, TOKEN_ISSUERS: JSON.stringify(issuers) })
      expect(faults, JSON.stringify(issuers)).to.match(/TOKEN_ISSUERS/)
    }
    const rsa = JSON.stringify([{ ...issuer, algorithms: ['RS256', 'PS256'] }])
    expect(faultsOf({ ...GOOD, TOKEN_ISSUERS: rsa })).to.equal('')
  })

  it('lets an approval be two minutes old, and a person have ten devices', () => {
    const approvals = { APPROVAL_AGE_MAX_S: 120, APPROVAL_AHEAD_MAX_S: 10, DEVICES_MAX: 10 }
    expect(readConfig(GOOD)).to.deep.include({ ...approvals, PIN_JWE_PREVIOUS_KEYS: [] })
    expect(faultsOf({ ...GOOD, APPROVAL_AGE_MAX_S: '121' })).to.match(/APPROVAL_AGE_MAX_S/)
  })

  it('takes a P-256 key to encrypt PINs to, and no other', () => {
    const [ours, other] = (['P-256', 'P-384'] as const).map(
      (namedCurve) => generateKeyPairSync('ec', { namedCurve }).privateKey,
    )
    const base64 = ours?.export({ format: 'der', type: 'pkcs8' }).toString('base64') ?? ''
    const jwks = [ours, other].map((key) => JSON.stringify(key?.export({ format: 'jwk' })))
    for (const good of [base64, jwks[0] ?? '']) {
      expect(faultsOf({ ...GOOD, PIN_JWE_KEY: good })).to.equal('')
    }
    expect(
      readConfig({ ...GOOD, PIN_JWE_PREVIOUS_KEYS: `[${jwks[0]}]` }).PIN_JWE_PREVIOUS_KEYS,
    ).to.have.length(1)
    for (const bad of ['x', '{}', jwks[1] ?? '']) {
      const faults = faultsOf({ ...GOOD, PIN_JWE_KEY: bad })
      expect(faults).to.match(/PIN_JWE_KEY: must be a P-256/)
      expect(faults).not.to.contain(JSON.parse(jwks[1] ?? '{}').d)
    }
    const previous = { ...GOOD, PIN_JWE_PREVIOUS_KEYS: `[${jwks[1]}]` }
    expect(faultsOf(previous)).to.match(/PIN_JWE_PREVIOUS_KEYS/)
  })

  it('reports every fault at once', () => {
    const faults = faultsOf({ ...GOOD, PORT: 'eighty', PIN_PEPPER: 'c2hvcnQ=', BANKS: '[' })
    expect(faults)
      .to.match(/PORT: /)
      .and.match(/PIN_PEPPER: /)
      .and.match(/BANKS: is not JSON/)
    expect(faultsOf({}))
      .to.match(/DATABASE_URL: /)
      .and.match(/TOKEN_ISSUERS: /)
  })

  it('refuses in production what is convenient on a laptop', () => {
    const env = { ...GOOD, NODE_ENV: 'production' }
    expect(faultsOf(env)).to.match(/of protocol sandbox is refused in production/)
    const key = Buffer.alloc(44).toString('base64')
    const example = {
      ...{ name: 'paper', protocol: 'example', url: 'https://bank.example', currencies: ['EUR'] },
      ...{ token: 'a'.repeat(16), publicKey: key },
    }
    const played = { ...env, BANKS: JSON.stringify([example]) }
    expect(faultsOf(played)).to.match(/BANKS: paper of protocol example is refused in production/)
    expect(faultsOf({ ...env, SANDBOX: '{}' })).to.match(/SANDBOX: refused/)
    expect(faultsOf(env)).to.match(/PIN_JWE_KEY: required/)
    expect(faultsOf({ ...env, TOKEN_ISSUERS: issuersOf('http://id/jwks') })).to.match(
      /must be https/,
    )
    expect(faultsOf({ ...env, DPOP: 'required' })).to.match(/PUBLIC_URL: /)
    expect(faultsOf({ ...env, ENQUIRY_FIRST_S: '5' })).to.match(/ENQUIRY_FIRST_S/)
  })
})
