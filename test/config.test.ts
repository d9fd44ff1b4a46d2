/** The configuration: every fault at once, and nothing convenient where money is real. */
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
    expect(faultsOf({ ...env, TOKEN_ISSUERS: issuersOf('http://id/jwks') })).to.match(
      /must be https/,
    )
    expect(faultsOf({ ...env, ENQUIRY_FIRST_S: '5' })).to.match(/ENQUIRY_FIRST_S/)
  })
})
