/** Payments in review: of which the payee learns nothing, and which end when their time is over. */
import { expect } from 'chai'
import { newId } from '../ledger/index.ts'
import { uuidOf } from '../services/ids.ts'
import { release } from '../services/payments/decisions.ts'
import { call } from './support/api.ts'
import { person } from './support/people.ts'
import { decide, suspect, waiting } from './support/reviews.ts'
import { world } from './support/world.ts'

const DAY_S = 86_400

describe('a payment that is reviewed', () => {
  it('is in no account of the payee: no hold, no entry, no new wallet', async () => {
    const [ada, ben, cyd] = await Promise.all([suspect(10_000n), person(1n), person()])
    const [account] = (await call(ben, 'GET', '/v1/accounts')).body.data
    const paths = [`/v1/accounts/${account.id}`, `/v1/accounts/${account.id}/entries`]
    const shown = async () =>
      (await Promise.all(paths.map((path) => call(ben, 'GET', path)))).map(({ text }) => text)
    const before = await shown()
    const { review } = await waiting(ada, '4000', { payee: ben.alias })
    expect(await shown()).to.deep.equal(before)
    expect((await decide(review, 'refuse')).status).to.equal(200)
    expect(await shown()).to.deep.equal(before)
    await waiting(ada, '4000', { payee: cyd.alias })
    expect((await call(cyd, 'GET', '/v1/accounts')).body.data).to.deep.equal([])
  })

  it('goes on no more once its time is over, though nobody has ended it yet', async () => {
    const { api } = await world()
    const ada = await suspect(10_000n)
    const { payment: paid, review } = await waiting(ada, '4000')
    const late = { ...api, now: () => new Date(Date.now() + 30 * DAY_S * 1000) }
    const decision = { operator: 'olga', approvedBy: 'otto', reason: 'late' }
    const claim = { id: newId(), fingerprint: Buffer.alloc(16, 1) }
    const { answer } = await release(late, uuidOf(review), decision, claim)
    expect(JSON.parse(answer)).to.deep.equal({ refused: 'hold_expired' })
    expect((await call(ada, 'GET', `/v1/payments/${paid.id}`)).body.state).to.equal('review')
  })
})
