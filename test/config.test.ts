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
  it('has careful defaults', () => {
    const config = readConfig(GOOD)
    expect(config).to.deep.include({
      ...{ PORT: 8080, HOST: '127.0.0.1', NO_PIN_LIMIT: 0, PIN_HASHES_AT_ONCE: 2 },
      ...{ PIN_QUEUE_MAX: 64, ENQUIRY_FIRST_S: 90, ENQUIRIES_MAX: 3, BANK_CUT_OFF_S: 86_400 },
      BANK_TIMEOUT_MS: 15_000,
    })
  })

  it('lets tokens live as briefly, and believes keys as long, as is safe', () => {
    const config = readConfig(GOOD)
    expect(config).to.deep.include({
      ...{ TOKEN_AGE_MAX_S: 300, TOKEN_BYTES_MAX: 4_096, TOKEN_AHEAD_MAX_S: 10 },
      ...{ TOKEN_EXPIRED_MAX_S: 5, TOKENS_KEPT_MAX: 10_000, DPOP: 'optional', DPOP_AGE_MAX_S: 60 },
      ...{ JWKS_CACHE_S: 600, JWKS_COOLDOWN_S: 30, JWKS_TIMEOUT_MS: 5_000 },
      ...{ API_KEY_DAYS: 365, API_KEY_OVERLAP_S: 86_400 },
    })
    const [issuer] = config.TOKEN_ISSUERS
    expect(issuer.algorithms).to.deep.equal(['EdDSA', 'ES256'])
    expect(issuer.scopes).to.deep.equal(['person', 'merchant', 'operator', 'chat'])
    const tooMuch = {
      ...{ TOKEN_AHEAD_MAX_S: '61', JWKS_CACHE_S: '1201', TOKEN_BYTES_MAX: '4097' },
      ...{ TOKEN_EXPIRED_MAX_S: '6', DPOP: 'off', API_KEY_DAYS: '731' },
    }
    for (const [name, value] of Object.entries(tooMuch)) {
      expect(faultsOf({ ...GOOD, [name]: value })).to.match(new RegExp(`${name}: `))
    }
  })

  it('holds a payment for a review for a day, and waits a second for a list', () => {
    const config = readConfig(GOOD)
    expect(config).to.deep.include({ REVIEW_HOURS: 24, SANCTIONS_TIMEOUT_MS: 1_000 })
    expect(config).to.deep.include({
      SANCTIONS_BYTES_MAX: 67_108_864,
      SANCTIONS_NAMES_MAX: 200_000,
    })
    expect([config.SANCTIONS_FILE, config.SANCTIONS_URL]).to.deep.equal([undefined, undefined])
    for (const [name, value] of [
      ...[['REVIEW_HOURS', '0'] as const, ['REVIEW_HOURS', '721'] as const],
      ...[['SANCTIONS_TIMEOUT_MS', '10001'] as const, ['SANCTIONS_URL', 'nowhere'] as const],
    ]) {
      expect(faultsOf({ ...GOOD, [name]: value })).to.match(new RegExp(`${name}: `))
    }
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
    expect(faultsOf(env)).to.match(/sandbox bank is refused in production/)
    expect(faultsOf({ ...env, SANDBOX: '{}' })).to.match(/SANDBOX: refused/)
    expect(faultsOf(env)).to.match(/PIN_JWE_KEY: required/)
    expect(faultsOf({ ...env, TOKEN_ISSUERS: issuersOf('http://id/jwks') })).to.match(
      /must be https/,
    )
    expect(faultsOf({ ...env, DPOP: 'required' })).to.match(/PUBLIC_URL: /)
    expect(faultsOf({ ...env, ENQUIRY_FIRST_S: '5' })).to.match(/ENQUIRY_FIRST_S/)
  })
})
