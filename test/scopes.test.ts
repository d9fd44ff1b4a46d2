/** Who may call what: every call, by every scope, against a table that is written down here. */
import { expect } from 'chai'
import { newId } from '../ledger/index.ts'
import { callerOf } from '../services/http/callers.ts'
import type { Credential } from '../services/identity/credentials.ts'
import { rightsOf } from '../services/identity/scopes.ts'
import { type Kind, publicId } from '../services/ids.ts'
import { send } from './support/abuse.ts'
import { inSeconds, type SecondApi, withSecondApi } from './support/abuse-issuer.ts'
import { call, newSubject } from './support/api.ts'
import { merchant, type Merchant, OPERATOR } from './support/people.ts'
import { world } from './support/world.ts'

/** p: person, m: merchant, o: operator, c: chat; a capital letter: who may approve. */
const WHO_MAY: Readonly<Record<string, string>> = {
  'DELETE /v1/api_keys/:id': 'mo',
  'DELETE /v1/bank_accounts/:id': 'pm',
  'DELETE /v1/devices/:id': 'p',
  'DELETE /v1/me': 'p',
  'DELETE /v1/staff/:id': 'mo',
  'DELETE /v1/totp': 'p',
  'GET /v1/accounts': 'pmo',
  'GET /v1/accounts/:id': 'pmo',
  'GET /v1/accounts/:id/entries': 'pmo',
  'GET /v1/accounts/:id/statement': 'pmo',
  'GET /v1/api_keys': 'mo',
  'GET /v1/bank_accounts': 'pm',
  'GET /v1/bank_events': 'o',
  'GET /v1/bank_files': 'o',
  'GET /v1/bank_routes': 'o',
  'GET /v1/banks': 'pmo',
  'GET /v1/banks/:bank': 'o',
  'POST /v1/bank_outages/:id/end': 'o',
  'POST /v1/banks/:bank/outages': 'o',
  'GET /v1/bank_reasons': 'moc',
  'GET /v1/banks/:bank/own_accounts': 'o',
  'GET /v1/banks/:bank/reconciliation': 'o',
  'GET /v1/currencies': 'pmoc',
  'GET /v1/devices': 'p',
  'GET /v1/events': 'moc',
  'GET /v1/exchanges': 'p',
  'GET /v1/exchanges/:id': 'poc',
  'GET /v1/fx_quotes/:id': 'po',
  'GET /v1/fx_rates': 'oc',
  'GET /v1/incoming_money': 'o',
  'GET /v1/ledger/accounts': 'o',
  'GET /v1/ledger/accounts/:id': 'o',
  'GET /v1/instructions': 'o',
  'GET /v1/instructions/:id': 'o',
  'GET /v1/ledger/checkpoints': 'pmoc',
  'GET /v1/ledger/checkpoints/:number/consistency': 'pmoc',
  'GET /v1/ledger/fx_positions': 'o',
  'GET /v1/ledger/proof': 'o',
  'GET /v1/limit_rules': 'o',
  'GET /v1/limits': 'p',
  'GET /v1/me': 'p',
  'GET /v1/me/export': 'p',
  'GET /v1/merchants': 'o',
  'GET /v1/merchants/:id': 'mo',
  'GET /v1/netting_windows': 'o',
  'GET /v1/netting_windows/:id': 'o',
  'GET /v1/netting_windows/:id/statement': 'o',
  'GET /v1/orders': 'mo',
  'GET /v1/orders/:id': 'pmoc',
  'GET /v1/orders/:id/messages/order_details': 'moc',
  'GET /v1/orders/:id/messages/order_status': 'moc',
  'GET /v1/orders/:id/qr': 'pmoc',
  'GET /v1/payees/:alias': 'p',
  'GET /v1/payments': 'pm',
  'GET /v1/payments/:id': 'pmoc',
  'GET /v1/payments/:id/evidence': 'po',
  'GET /v1/payments/:id/receipt': 'pm',
  'GET /v1/people/:id/export': 'o',
  'GET /v1/pin': 'p',
  'GET /v1/proposals': 'o',
  'GET /v1/proposals/:id': 'o',
  'GET /v1/recalls': 'o',
  'GET /v1/reconciliations': 'o',
  'GET /v1/reconciliations/:id': 'o',
  'GET /v1/reconciliations/:id/items': 'o',
  'GET /v1/reconciliations/:id/items.csv': 'o',
  'GET /v1/reviews': 'o',
  'GET /v1/reviews/:id': 'o',
  'GET /v1/risk_rules': 'o',
  'GET /v1/security_log': 'o',
  'GET /v1/settlements': 'mo',
  'GET /v1/settlements/:id': 'mo',
  'GET /v1/settlements/:id/statement': 'mo',
  'GET /v1/staff': 'mo',
  'GET /v1/step_up_rules': 'o',
  'GET /v1/totp': 'p',
  'POST /v1/api_keys': 'mo',
  'POST /v1/api_keys/:id/rotate': 'mo',
  'POST /v1/bank_accounts': 'pm',
  'POST /v1/banks/:bank/own_accounts': 'o',
  'POST /v1/banks/:bank/reconciliations': 'o',
  'POST /v1/devices': 'p',
  'POST /v1/exchanges': 'p',
  'POST /v1/fx_quotes': 'p',
  'POST /v1/fx_rates': 'o',
  'POST /v1/ledger/accounts/:id/close': 'o',
  'POST /v1/ledger/accounts/:id/freeze': 'o',
  'POST /v1/ledger/accounts/:id/periods': 'o',
  'POST /v1/ledger/bulk': 'o',
  'POST /v1/ledger/reversals': 'o',
  'POST /v1/limit_rules': 'o',
  'POST /v1/limit_rules/:id/end': 'o',
  'POST /v1/merchants': 'o',
  'POST /v1/merchants/:id/activate': 'o',
  'POST /v1/merchants/:id/fee_schedules': 'o',
  'POST /v1/merchants/:id/return': 'o',
  'POST /v1/merchants/:id/submit': 'mo',
  'POST /v1/merchants/:id/suspend': 'o',
  'POST /v1/netting_windows/:id/close': 'o',
  'POST /v1/netting_windows/:id/settle': 'o',
  'POST /v1/orders': 'm',
  'POST /v1/orders/:id/status': 'm',
  'POST /v1/payments': 'p',
  'POST /v1/payments/:id/cancel': 'p',
  'POST /v1/payments/:id/capture': 'm',
  'POST /v1/payments/:id/void': 'mo',
  'POST /v1/people/:id/erasure': 'o',
  'POST /v1/people/:id/pin/reset': 'o',
  'POST /v1/people/:id/sessions/revoke': 'oc',
  'POST /v1/pin/reset': 'p',
  'POST /v1/pin/verify': 'p',
  'POST /v1/proposals/:id/approve': 'O',
  'POST /v1/proposals/:id/refuse': 'O',
  'POST /v1/reconciliation_items/:id/resolve': 'o',
  'POST /v1/reviews/:id/refuse': 'o',
  'POST /v1/instructions/:id/reopen': 'o',
  'POST /v1/instructions/:id/resolve': 'o',
  'POST /v1/reviews/:id/release': 'o',
  'POST /v1/revocations': 'o',
  'POST /v1/risk_rules': 'o',
  'POST /v1/risk_rules/:id/end': 'o',
  'POST /v1/sessions/revoke': 'p',
  'POST /v1/incoming_money/:id/match': 'o',
  'POST /v1/instructions/:id/recalls': 'o',
  'POST /v1/settlements': 'm',
  'POST /v1/staff': 'mo',
  'POST /v1/step_up_rules': 'o',
  'POST /v1/step_up_rules/:id/end': 'o',
  'POST /v1/top_ups': 'p',
  'POST /v1/totp': 'p',
  'POST /v1/totp/confirm': 'p',
  'POST /v1/totp/recovery_codes': 'p',
  'POST /v1/withdrawals': 'p',
  ...{ 'GET /v1/disputes': 'mo', 'POST /v1/merchants/:id/reserve_rules': 'o' },
  ...{ 'GET /v1/reserves': 'mo', 'GET /v1/merchants/:id/reserve_rules': 'mo' },
  ...{ 'GET /v1/refunds/:id': 'pmoc', 'POST /v1/merchants/:id/dispute_terms': 'o' },
  ...{ 'GET /v1/disputes/:id': 'pmoc', 'POST /v1/merchants/:id/refund_limit': 'o' },
  ...{ 'POST /v1/disputes/:id/accept': 'm', 'POST /v1/payments/:id/disputes': 'po' },
  ...{ 'POST /v1/payments/:id/refunds': 'm', 'GET /v1/payments/:id/refunds': 'pmoc' },
  ...{ 'POST /v1/disputes/:id/resolve': 'o', 'POST /v1/disputes/:id/evidence': 'm' },
  'PUT /v1/ledger/accounts/:id/metadata': 'o',
  'PUT /v1/me': 'p',
  'PUT /v1/merchants/:id': 'mo',
  'PUT /v1/people/:id': 'o',
  'PUT /v1/pin': 'p',
}

/** Nobody has to say who they are, each for a reason. */
const OPEN: Readonly<Record<string, string>> = {
  'GET /.well-known/jwks.json': 'whoever verifies a receipt need not be known',
  'GET /docs': 'the document is public',
  'GET /docs/:file': 'the document is public',
  'GET /docs/start.js': 'the document is public',
  'GET /healthz': 'probes have no token',
  'GET /metrics': 'scraped inside the cluster',
  'GET /openapi.json': 'the document is public',
  'GET /readyz': 'probes have no token',
  'GET /sandbox': 'no money is real where it exists',
  'POST /v1/banks/:bank/callbacks': 'the bank’s signature is the key',
}

/** Which letters of the table a scope stands for, for reading, writing and approving. */
const SCOPES: Readonly<Record<string, { GET: string; write: string; approve: string }>> = {
  person: { GET: 'p', write: 'p', approve: '' },
  merchant: { GET: 'm', write: 'm', approve: '' },
  'merchant:read': { GET: 'm', write: '', approve: '' },
  'merchant:write': { GET: '', write: 'm', approve: '' },
  operator: { GET: 'o', write: 'o', approve: 'O' },
  'operator:read': { GET: 'o', write: '', approve: '' },
  'operator:write': { GET: '', write: 'o', approve: '' },
  'operator:approve': { GET: '', write: '', approve: 'O' },
  chat: { GET: 'c', write: 'c', approve: '' },
  'chat:read': { GET: 'c', write: '', approve: '' },
}

function isAllowed(route: string, scopes: readonly string[]): boolean {
  const right = route.startsWith('GET ') ? 'GET' : 'write'
  const letters = scopes.map((one) => SCOPES[one]?.[right] + (SCOPES[one]?.approve ?? '')).join('')
  return [...(WHO_MAY[route] ?? '')].some((letter) => letters.includes(letter))
}

const names = Object.keys(SCOPES)
const PAIRS = names.flatMap((one, at) => names.slice(at + 1).map((other) => [one, other]))
const COMBINATIONS: readonly (readonly string[])[] = [[], ...names.map((one) => [one]), ...PAIRS]

const KINDS: Readonly<Record<string, Kind>> = {
  ...{
    incoming_money: 'inc',
    instructions: 'ins',
    bank_accounts: 'bac',
    accounts: 'acc',
    orders: 'ord',
    people: 'per',
    settlements: 'set',
    'v1/refunds': 'rfd',
    'v1/disputes': 'dsp',
  },
  ...{ staff: 'stf', api_keys: 'key', fx_: 'fxq', exchanges: 'exc', payments: 'pay' },
}

/** Of things that are not there, so that whoever is let in changes nothing. */
function urlOf(path: string): string {
  const [, kind = 'pay'] = Object.entries(KINDS).find(([part]) => path.includes(part)) ?? []
  const url = path.replace(':alias', 'nobody.at.all').replace(':bank', 'nowhere')
  return url.replace(':number', '999999').replace(':id', publicId(kind, newId()))
}

const NOTHING = { phoneNumber: undefined, birthdate: undefined }

describe('every call', () => {
  let second: SecondApi
  let shop: Merchant
  withSecondApi((api) => (second = api))
  before(async () => {
    shop = await merchant()
  })

  it('is in the table, and so are those that are open to everybody', async () => {
    const { routes } = await world()
    const nameOf = ({ method, path }: { method: string; path: string }) => `${method} ${path}`
    expect(routes.endpoints.map(nameOf).sort()).to.deep.equal(Object.keys(WHO_MAY).sort())
    expect(routes.publicEndpoints.map(nameOf).sort()).to.deep.equal(Object.keys(OPEN).sort())
  })

  it('is shut without a token', async () => {
    for (const route of Object.keys(WHO_MAY)) {
      const [method = '', path = ''] = route.split(' ')
      const { status, text } = await send(undefined, method, urlOf(path))
      expect([status, JSON.parse(text).code], route).to.deep.equal([401, 'invalid_token'])
    }
  })

  it('admits exactly the scopes of the table, one, two or none of them (abuse 53)', async () => {
    const tokens = await Promise.all(
      COMBINATIONS.map((scopes) =>
        second.mint({ claims: { sub: shop.sub, scope: scopes.join(' ') } }),
      ),
    )
    const wrong: string[] = []
    for (const route of Object.keys(WHO_MAY)) {
      const [method = '', path = ''] = route.split(' ')
      const answers = tokens.map(async (token, index) => {
        const scopes = COMBINATIONS[index] ?? []
        const headers = { authorization: `Bearer ${token}` }
        const { apiUrl } = second
        const { text } = await send(undefined, method, urlOf(path), { headers, apiUrl })
        const { code } = text.startsWith('{') ? JSON.parse(text) : {}
        const isRefused = ['forbidden', 'invalid_token', 'internal'].includes(code)
        if (isRefused === isAllowed(route, scopes)) wrong.push(`${route} by ${scopes.join(' ')}`)
      })
      await Promise.all(answers)
    }
    expect(wrong).to.deep.equal([])
  }).timeout(60_000)

  it('says in the document which scopes it takes', async () => {
    const document = JSON.parse((await send(undefined, 'GET', '/openapi.json')).text)
    for (const route of Object.keys(WHO_MAY)) {
      const [method = '', path = ''] = route.split(' ')
      const operation = document.paths[path.replaceAll(/:(\w+)/g, '{$1}')][method.toLowerCase()]
      const expected = names.filter((one) => isAllowed(route, [one]))
      expect(operation.security[0].token, route).to.have.members(expected)
    }
  })

  it('that approves takes who may approve, and nobody who may only write', async () => {
    const { api } = await world()
    const door = { method: 'POST', scopes: ['operator'], right: 'approve' } as const
    for (const scope of names) {
      const token: Credential = {
        ...{ kind: 'token', issuer: 'https://id.example', subject: newSubject(), jti: 'j' },
        ...{ alias: undefined, name: undefined, boundTo: undefined, known: NOTHING },
        rights: rightsOf([scope], ['operator', 'merchant', 'person', 'chat']),
        ...{ issuedAt: inSeconds(0), expiresAt: inSeconds(60) },
      }
      const outcome = await callerOf(api, token, door).then(
        () => 'taken',
        (error) => error.code,
      )
      const isApprover = SCOPES[scope]?.approve === 'O'
      expect(outcome, scope).to.equal(isApprover ? 'taken' : 'forbidden')
    }
  })

  it('knows a staff member’s rights beside those of the token', async () => {
    const reader = newSubject('m')
    const body = { merchant: shop.id, subject: reader, rights: ['read'] }
    const added = await call(OPERATOR, 'POST', '/v1/staff', { body })
    expect(added.status, added.text).to.equal(201)
    const who = { sub: reader, scope: 'merchant' }
    expect((await call(who, 'GET', '/v1/payments')).status).to.equal(200)
    expect((await call(who, 'POST', '/v1/orders', { body: {} })).status).to.equal(403)
  })
})
