/**
 * The numbers that security rests on: each is a setting, with this default and no weaker than that.
 * What is written here is copied from nowhere else in the source, so that a slip of the hand shows.
 */
import { expect } from 'chai'
import { ConfigError, readConfig } from '../services/config.ts'
import { allSettings } from './support/settings.ts'

const base64 = (byte: number) => Buffer.alloc(32, byte).toString('base64')
const ISSUER = { issuer: 'https://id', audience: 'florin', jwks_url: 'https://id/keys' }

/** What has no default, and nothing else. */
const LEAST = {
  DATABASE_URL: 'postgres://db/florin',
  TOKEN_ISSUERS: JSON.stringify([ISSUER]),
  ...{ PIN_PEPPER: base64(1), BLIND_INDEX_KEY: base64(3), BANKS: '[]' },
  DATA_KEYS: JSON.stringify([{ kid: 'first', key: base64(2) }]),
}

const ARGON2 = { memory_kib: 19_456, passes: 2, lanes: 1 }

/** What a number is about; then for each setting its default, and what is too weak or too much. */
const NUMBERS: Readonly<
  Record<string, Readonly<Record<string, readonly [fallback: unknown, ...refused: string[]]>>>
> = {
  'digits of a PIN': { PIN_DIGITS: [6, '3', '7'] },
  'what a hash of a PIN costs': {
    PIN_ARGON2: [ARGON2, 'm=19455,t=2,p=1', 'm=47103,t=1,p=1', 'm=12287,t=3,p=1', 'm=8192,t=9,p=1'],
  },
  'earlier peppers': { PIN_PREVIOUS_PEPPERS: [[], '["c2hvcnQ="]', '{}'] },
  'wrong PINs in a row, the lock, wrong PINs in all': {
    ...{ PIN_SCHEME: ['standard', 'lax'], PIN_ATTEMPTS_MAX: [5, '6', '0'] },
    ...{ PIN_LOCK_S: [1_800, '1799'], PIN_FAILURES_MAX: [10, '11', '0'] },
  },
  'hashes at once, and how many wait': {
    ...{ PIN_HASHES_AT_ONCE: [2, '0', '65'], PIN_QUEUE_MAX: [64, '10001'] },
    UV_THREADPOOL_SIZE: [4, '3'],
  },
  'steps a code may be late, wrong codes, their lock': {
    ...{ TOTP_STEPS_BACK: [1, '2'], TOTP_ATTEMPTS_MAX: [5, '6'], TOTP_LOCK_S: [1_800, '1799'] },
    ...{ TOTP_FAILURES_MAX: [20, '21', '0'], TOTP_ENROLMENT_S: [600, '3601'] },
  },
  'the age of an approval': { APPROVAL_AGE_MAX_S: [120, '121'], APPROVAL_AHEAD_MAX_S: [10, '61'] },
  'what a token alone may pay': { NO_PIN_LIMIT: [0, '-1'], NO_PIN_DAY_LIMIT: [5_000, '-1'] },
  'reduced limits after a change of factor': { REDUCED_LIMITS_S: [86_400, '-1'] },

  'the life and size of a token': {
    TOKEN_AGE_MAX_S: [300, '3601'],
    TOKEN_BYTES_MAX: [4_096, '4097'],
  },
  'clocks that differ': { TOKEN_AHEAD_MAX_S: [10, '61'], TOKEN_EXPIRED_MAX_S: [5, '6'] },
  'proofs of possession': { DPOP: ['optional', 'off'], DPOP_AGE_MAX_S: [60, '301'] },
  'keys of issuers': {
    ...{
      JWKS_CACHE_S: [600, '1201'],
      JWKS_COOLDOWN_S: [30, '0'],
      JWKS_TIMEOUT_MS: [5_000, '30001'],
    },
    TOKENS_KEPT_MAX: [10_000, '100001'],
  },
  'keys of servers': { API_KEY_DAYS: [365, '731'], API_KEY_OVERLAP_S: [86_400, '604801'] },

  'the size of what is read': {
    ...{ BODY_BYTES_MAX: [16_384, '65537'], CALLBACK_BYTES_MAX: [65_536, '1048577'] },
    ...{ JSON_DEPTH_MAX: [8, '33'], JSON_KEYS_MAX: [64, '1025'] },
    HEADERS_BYTES_MAX: [8_192, '65537'],
  },
  'how long is waited for it': {
    ...{ HEADERS_TIMEOUT_MS: [10_000, '60001', '0'], REQUEST_TIMEOUT_MS: [15_000, '300001', '0'] },
    ...{ KEEP_ALIVE_TIMEOUT_MS: [5_000, '120001'], SOCKET_REQUESTS_MAX: [1_000, '0'] },
    REQUESTS_AT_ONCE_MAX: [512, '15', '65537'],
  },
  'answers kept for their keys': { CLAIM_DAYS: [30, '29'] },
  'how often somebody may ask': {
    ...{ RATE_MONEY_PER_MINUTE: [10, '-1'], RATE_MONEY_PER_DAY: [100, '-1'] },
    ...{ RATE_LOOKUPS_PER_MINUTE: [20, '-1'], RATE_SECURITY_PER_MINUTE: [5, '-1'] },
    ...{ RATE_ANONYMOUS_PER_MINUTE: [60, '-1'], RATE_CALLBACKS_PER_SECOND: [200, '-1'] },
    SPRAY_FAILURES_PER_ADDRESS_HOUR: [20, '-1'],
    SPRAY_FAILURES_GLOBAL_MINUTE: [1_000, '-1'],
    TRUSTED_PROXIES: [0, '9'],
  },

  'how long the database is waited for': {
    ...{
      DATABASE_STATEMENT_TIMEOUT_MS: [5_000, '60001'],
      DATABASE_LOCK_TIMEOUT_MS: [2_000, '30001'],
    },
    DATABASE_IDLE_IN_TRANSACTION_TIMEOUT_MS: [5_000, '60001'],
    ...{ DATABASE_TRANSACTION_TIMEOUT_MS: [10_000, '120001'] },
    DATABASE_CONNECTIONS_MAX: [10, '21'],
  },
  'a database that may forget': { DATABASE_DURABILITY: ['required', 'off'] },
  'a way that others may listen on': { DATA_NETWORK: ['open', 'any'] },
  'a second person': {
    ...{ PROPOSAL_HOURS: [24, '169'], PROPOSALS_PENDING_MAX: [1_000, '100001'] },
    MERCHANT_REVIEW: ['required', 'none'],
  },
  'reviews and lists': { REVIEW_HOURS: [24, '0', '721'], SANCTIONS_TIMEOUT_MS: [1_000, '10001'] },
  disputes: { DISPUTE_DAYS: [120, '0', '731'], DISPUTE_EVIDENCE_DAYS: [14, '0', '121'] },
  'rules in memory, and people': { RULES_AGE_MS: [1_000, '60001'], PERSON_MEMORY_S: [30, '301'] },
  'the security log': {
    ...{ SECURITY_LOG_PER_ADDRESS: [20, '0'], SECURITY_LOG_PER_MINUTE: [300, '0'] },
  },
  'calls of a bank': {
    ...{ BANK_CONNECT_TIMEOUT_MS: [2_000, '9'], BANK_ENQUIRY_TIMEOUT_MS: [10_000, '99'] },
    ...{ BANK_TIMEOUT_MS: [15_000, '60001'], ENQUIRY_FIRST_S: [90, '0'], ENQUIRIES_MAX: [3, '11'] },
    ...{ ENQUIRY_SPACING_S: [1_800, '0'], BANK_CUT_OFF_S: [86_400, '0'] },
    ...{ MANUAL_AFTER_S: [86_400, '0'], BREAKER_CALLS: [20, '1'] },
    ...{ BREAKER_FAILURES_PERCENT: [50, '0', '100'], BREAKER_PAUSE_MS: [30_000, '0'] },
    BANK_REPEATS_PERCENT: [10, '101'],
    ...{ ORPHAN_ALERT_S: [3_600, '59'], RECALL_MANUAL_AFTER_S: [1_296_000, '59'] },
  },
  'webhooks, and streams of events': {
    ...{ WEBHOOK_TARGETS: ['public', 'private'], WEBHOOK_PORTS: [[443, 8443], '0', '443;80'] },
    ...{ WEBHOOK_TIMEOUT_MS: [10_000, '20001', '0'], WEBHOOK_SLOTS: [64, '3', '1001'] },
    ...{ WEBHOOK_SLOW_SLOTS: [32, '0'], WEBHOOK_OVERLAP_S: [86_400, '604801'] },
    ...{ WEBHOOK_FAILING_DAYS: [5, '0', '91'], WEBHOOK_LOG_DAYS: [30, '3'] },
    ...{ EVENT_STREAMS_MAX: [200, '0'], EVENT_STREAMS_PER_CALLER: [4, '101'] },
  },
}

/** Settings that are no number of security. */
const OTHERS = [
  ...['NODE_ENV', 'LOG_LEVEL', 'HOST', 'PORT', 'WORKER_PORT', 'REDIS_URL', 'SANDBOX', 'PUBLIC_URL'],
  ...['FILES_EVERY_MS', 'BATCH_SIZE_MAX', 'BATCH_AFTER_MS'],
  ...['WORKER_CONCURRENCY', 'SWEEP_EVERY_MS', 'TOTP_ISSUER', 'DEVICES_MAX', 'FX_QUOTE_S'],
  ...['NETTING_METHOD', 'NETTING_WINDOW_S', 'SETTLEMENTS_EVERY_MS', 'SETTLEMENT_PACE_PERCENT'],
  ...['ORDER_LINK_BASE', 'EMVCO_GUID', 'INVOICE_ISSUER'],
  'WEBHOOK_EVERY_MS',
  ...['LIMITS_TIME_ZONE', 'SANCTIONS_FILE', 'SANCTIONS_URL', 'SANCTIONS_BYTES_MAX'],
  ...['SANCTIONS_NAMES_MAX', 'SEAL_EVERY_MS', 'SEAL_ORIGIN', 'SEAL_PREVIOUS_KEYS'],
  ...['NAME_CHECK_DAYS', 'RECONCILIATION_TIMES', 'RECONCILIATION_LATE_DAYS', 'STATEMENT_LINES_MAX'],
  ...[
    'STATEMENT_BYTES_MAX',
    'PIN_JWE_PREVIOUS_KEYS',
    'SEAL_KEY',
    'PIN_JWE_KEY',
    'SECURITY_LOG_KEY',
  ],
]

describe('a number that security rests on', () => {
  for (const [what, numbers] of Object.entries(NUMBERS)) {
    it(`has its default, and nothing weaker is accepted: ${what}`, () => {
      const config: Readonly<Record<string, unknown>> = readConfig(LEAST)
      for (const [name, [fallback, ...refused]] of Object.entries(numbers)) {
        expect(config[name], name).to.deep.equal(fallback)
        expect(refused, name).not.to.have.length(0)
        for (const value of refused) {
          const read = () => readConfig({ ...LEAST, [name]: value })
          expect(read, `${name}=${value}`).to.throw(ConfigError, /^configuration:\n {2}\w+/)
        }
      }
    })
  }

  it('is on this list, and every other setting is known to be none', () => {
    const listed = Object.values(NUMBERS).flatMap(Object.keys)
    const known = [...listed, ...OTHERS, ...Object.keys(LEAST)]
    expect(known.sort()).to.deep.equal(allSettings.map(({ name }) => name).sort())
  })

  it('of a key is 32 bytes', () => {
    const short = Buffer.alloc(31, 9).toString('base64')
    const weak = {
      ...{ PIN_PEPPER: short, BLIND_INDEX_KEY: short, SECURITY_LOG_KEY: short },
      ...{ DATA_KEYS: JSON.stringify([{ kid: 'a', key: short }]) },
    }
    for (const [name, value] of Object.entries(weak)) {
      expect(() => readConfig({ ...LEAST, [name]: value }), name).to.throw(ConfigError, name)
    }
  })

  it('of an algorithm: EdDSA and ES256 are believed, others only where they are asked for', () => {
    const [issuer] = readConfig(LEAST).TOKEN_ISSUERS
    expect(issuer.algorithms).to.deep.equal(['EdDSA', 'ES256'])
    const believing = (algorithm: string) => () =>
      readConfig({
        ...LEAST,
        TOKEN_ISSUERS: JSON.stringify([{ ...ISSUER, algorithms: [algorithm] }]),
      })
    for (const weak of ['none', 'HS256', 'HS512', 'RS1', 'RS512', 'ES256K', '']) {
      expect(believing(weak), weak).to.throw(ConfigError, /TOKEN_ISSUERS/)
    }
    for (const strong of ['RS256', 'PS256']) expect(believing(strong), strong).not.to.throw()
  })
})
