/** Tokens of the wrong role: each call is shut to everybody whom it does not name. */
import { expect } from 'chai'
import { newId } from '../ledger/index.ts'
import { publicId, suffixOf, uuidOf } from '../services/ids.ts'
import { expectProblem, quiet, send, statusesOf, unchanged } from './support/abuse.ts'
import { type SecondApi, withSecondApi } from './support/abuse-issuer.ts'
import { call, newSubject, type Who } from './support/api.ts'
import { merchant, OPERATOR, order, PIN } from './support/people.ts'
import { world } from './support/world.ts'

let second: SecondApi

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
    if (path.includes('_keys')) return 'key'
    if (path.includes('people')) return 'per'
    return path.includes('settlements') ? 'set' : 'pay'
  }
  const body = { pin: PIN, payee: '@nobody.at.all', amount: '100', currency: 'EUR' }

  it('is shut without a token, and to every role it does not name (abuse 1, 53)', async () => {
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

  it('is shut to a token of no role, an unknown one, nearly the right one (abuse 53)', async () => {
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
