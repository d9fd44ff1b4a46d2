/** How a merchant comes to be paid, and how that ends. */
import { expect } from 'chai'
import { newId } from '../ledger/index.ts'
import { ConfigError, readConfig } from '../services/config.ts'
import { uuidOf } from '../services/ids.ts'
import { firstState, refuseMove } from '../services/merchants/onboarding.ts'
import { MERCHANT_STATES } from '../services/merchants/standing.ts'
import { expectProblem, unchanged } from './support/abuse.ts'
import { call, newSubject } from './support/api.ts'
import { eventsOf, payOrder } from './support/held.ts'
import {
  linkedAccount,
  type Merchant,
  merchant,
  OPERATOR,
  order,
  person,
} from './support/people.ts'
import { draft, inReview, PROFILE } from './support/onboarding.ts'
import { approve, together } from './support/proposals.ts'
import { world } from './support/world.ts'

const WHY = { reason: 'A test' }
const move = (
  who: typeof OPERATOR,
  { id }: Merchant,
  what: string,
  body: object | undefined = WHY,
) => call(who, 'POST', `/v1/merchants/${id}/${what}`, what === 'submit' ? {} : { body })
const tell = (shop: Merchant, body: object, who: typeof OPERATOR = shop) =>
  call(who, 'PUT', `/v1/merchants/${shop.id}`, { body })
const activate = (shop: Merchant) => together(`/v1/merchants/${shop.id}/activate`, { body: WHY })
const newOrder = () => ({
  body: { reference: newSubject('r'), description: 'A thing', amount: '500', currency: 'EUR' },
})

describe('a merchant', () => {
  it('goes from draft to paid: it says who it is, and two operators look at it', async () => {
    const [shop, ada] = await Promise.all([draft(), person(5_000n)])
    expectProblem(await call(shop, 'POST', '/v1/orders', newOrder()), 409, 'merchant_not_active')
    const missing = await unchanged(() => move(shop, shop, 'submit'))
    expectProblem(missing, 422, 'merchant_profile_incomplete')
    expect(missing.body.detail).to.contain('registration_number').and.contain('settlement_account')

    const settlement_account = await linkedAccount(shop)
    const said = await tell(shop, { ...PROFILE, settlement_account })
    expect(said.body).to.deep.include(PROFILE)
    expect(said.body.settlement_account).to.deep.equal({
      ...{ id: settlement_account, name_check: 'match' },
    })
    expect(said.body.missing).to.deep.equal([])
    expect((await move(shop, shop, 'submit')).body.state).to.equal('review')
    expectProblem(await call(shop, 'POST', '/v1/orders', newOrder()), 409, 'merchant_not_active')

    const proposed = await move(OPERATOR, shop, 'activate')
    expect(proposed.status).to.equal(202)
    const alone = await approve(proposed.body.id, OPERATOR)
    expectProblem(alone, 403, 'second_person_required')
    expect((await approve(proposed.body.id)).body.result.body.state).to.equal('active')

    expect((await payOrder(ada, await order(shop, '500'), '500')).status).to.equal(201)
    const events = await eventsOf(shop.id)
    expect(events).to.deep.equal(['merchant.review', 'merchant.active'])
  })

  it('is suspended by one operator at once: nobody pays it until two agree again', async () => {
    const [shop, ada] = await Promise.all([merchant(), person(5_000n)])
    const [first, second] = [await order(shop, '500'), await order(shop, '700')]
    const { body } = await payOrder(ada, first, '500')
    const suspended = await move(OPERATOR, shop, 'suspend', { reason: 'Complaints' })
    expect([suspended.body.state, suspended.body.state_reason]).to.deep.equal([
      ...['suspended', 'Complaints'],
    ])
    expectProblem(await unchanged(() => payOrder(ada, second, '700')), 409, 'merchant_not_active')
    expectProblem(await call(shop, 'POST', '/v1/orders', newOrder()), 409, 'merchant_not_active')
    expect((await call(shop, 'GET', `/v1/payments/${body.id}`)).body.state).to.equal('completed')
    expect(await postgresOn(body.id)).to.equal('merchant_not_active')
    expect((await activate(shop)).body.state).to.equal('active')
    expect((await payOrder(ada, second, '700')).status).to.equal(201)
  })

  it('moves as the table says, and in no other way', () => {
    const profile = { ...NOTHING, ...PROFILE, settlement_account_id: newId() }
    const allowed = (['submit', 'return', 'activate', 'suspend'] as const).flatMap((one) =>
      MERCHANT_STATES.filter((state) => {
        try {
          refuseMove({ ...profile, state }, one)
          return true
        } catch {
          return false
        }
      }).map((state) => `${one} from ${state}`),
    )
    expect(allowed).to.deep.equal([
      ...['submit from draft', 'return from review', 'return from suspended'],
      ...['activate from review', 'activate from suspended', 'suspend from active'],
    ])
  })

  it('is what was looked at: it says nothing new until it is a draft again', async () => {
    const shop = await inReview()
    const vpa = { upi_vpa: 'somebody.else@bank' }
    expectProblem(await unchanged(() => tell(shop, vpa)), 409, 'merchant_not_draft')
    expectProblem(await unchanged(() => tell(shop, vpa, OPERATOR)), 409, 'merchant_not_draft')
    expect((await tell(shop, { country: 'AT' }, OPERATOR)).body.country).to.equal('AT')
    expectProblem(await tell(shop, { country: 'DE' }), 409, 'merchant_not_draft')
    const back = await move(OPERATOR, shop, 'return', { reason: 'Which street?' })
    expect([back.body.state, back.body.state_reason]).to.deep.equal(['draft', 'Which street?'])
    expect((await tell(shop, vpa)).body.upi_vpa).to.equal('somebody.else@bank')
  })

  it('is settled to an account of its own only, and pays by a key with its kind', async () => {
    const [shop, rival] = await Promise.all([draft(), draft()])
    const theirs = { settlement_account: await linkedAccount(rival) }
    expectProblem(await unchanged(() => tell(shop, theirs)), 422, 'bank_account_not_found')
    expectProblem(await tell(shop, { pix_key: 'a@b.br' }), 400, 'invalid_request')
    expectProblem(await tell(shop, {}), 400, 'invalid_request')
    const pix = { pix_key: 'a@b.br', pix_key_type: 'EMAIL' }
    expect((await tell(shop, pix)).body).to.deep.include(pix)
  })

  it('is seen by itself and by operators, who find all that wait for them', async () => {
    const [shop, rival] = await Promise.all([inReview(), draft()])
    expectProblem(await call(rival, 'GET', `/v1/merchants/${shop.id}`), 404, 'not_found')
    expectProblem(await unchanged(() => tell(shop, PROFILE, rival)), 404, 'not_found')
    expectProblem(await unchanged(() => move(rival, shop, 'submit')), 404, 'not_found')
    const own = await call(shop, 'GET', `/v1/merchants/${shop.id}`)
    const { body } = await call(OPERATOR, 'GET', '/v1/merchants?state=review&limit=100')
    expect(body.data.find(({ id }: { id: string }) => id === shop.id)).to.deep.equal(own.body)
    const states = new Set(body.data.map(({ state }: { state: string }) => state))
    expect([...states]).to.deep.equal(['review'])
  })
})

describe('the review of merchants', () => {
  it('is there unless it is turned off, and cannot be where money is real', async () => {
    expect(firstState({ MERCHANT_REVIEW: 'required' }, undefined)).to.equal('draft')
    expect(() => firstState({ MERCHANT_REVIEW: 'required' }, 'active')).to.throw(/second_person/)
    expect(firstState({ MERCHANT_REVIEW: 'off' }, undefined)).to.equal('active')
    const { environment } = await world()
    const real = { ...environment, NODE_ENV: 'production' }
    expect(() => readConfig(real)).to.throw(ConfigError, 'MERCHANT_REVIEW: off is refused')
  })
})

const NOTHING = { pix_key: null, pix_key_type: null }

/** What Postgres says to one more payment like this one. */
async function postgresOn(payment: string): Promise<string | undefined> {
  const { owner } = await world()
  const row = await owner('payments')
    .where({ id: uuidOf(payment) })
    .first()
  const again = { ...row, id: newId(), state: 'failed', failure: 'a_test' }
  return owner('payments')
    .insert(again)
    .then(
      () => 'accepted',
      (error: { constraint?: string }) => error.constraint,
    )
}
