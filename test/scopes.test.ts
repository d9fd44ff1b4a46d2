/** Who may call what: every call, by every scope, against a table that is written down here. */
import { expect } from 'chai'
import { newId } from '../ledger/index.ts'
import { callerOf } from '../services/http/callers.ts'
import type { Credential } from '../services/credentials/credentials.ts'
import { rightsOf } from '../services/credentials/scopes.ts'
import { type Kind, publicId } from '../services/ids.ts'
import { send } from './support/abuse.ts'
import { inSeconds, type SecondApi, withSecondApi } from './support/abuse-issuer.ts'
import { call, newSubject } from './support/api.ts'
import { merchant, type Merchant } from './support/people.ts'
import { together } from './support/proposals.ts'
import { WHO_MAY } from './support/who-may.ts'
import { world } from './support/world.ts'

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
  ...{ incoming_money: 'inc', instructions: 'ins', bank_accounts: 'bac', accounts: 'acc' },
  ...{ orders: 'ord', people: 'per', settlements: 'set', webhook_endpoints: 'whe' },
  ...{ fee_schedules: 'fee', fee_invoices: 'inv', 'v1/refunds': 'rfd', 'v1/disputes': 'dsp' },
  ...{
    staff: 'stf',
    api_keys: 'key',
    chat_keys: 'key',
    fx_: 'fxq',
    exchanges: 'exc',
    payments: 'pay',
  },
}

/** Of things that are not there, so that whoever is let in changes nothing. */
function urlOf(path: string): string {
  const [, kind = 'pay'] = Object.entries(KINDS).find(([part]) => path.includes(part)) ?? []
  // A stream of no type ends before it begins.
  const ending = path.replace('/stream', '/stream?types=none')
  const url = ending.replace(':alias', 'nobody.at.all').replace(':bank', 'nowhere')
  const other = url.replace(':number', '999999').replace(':delivery', publicId('whd', newId()))
  return other.replace(':id', publicId(kind, newId()))
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
  }).timeout(180_000)

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
    const added = await together('/v1/staff', { body })
    expect(added.status, added.text).to.equal(201)
    const who = { sub: reader, scope: 'merchant' }
    expect((await call(who, 'GET', '/v1/payments')).status).to.equal(200)
    expect((await call(who, 'POST', '/v1/orders', { body: {} })).status).to.equal(403)
  })
})
