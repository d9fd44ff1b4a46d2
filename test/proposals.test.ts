/** Proposals: made by one, decided by another, done once. */
import { expect } from 'chai'
import { newId } from '../ledger/index.ts'
import { bookEndpoints } from '../services/books/routes.ts'
import { ServiceError } from '../services/errors.ts'
import { approveAndCarryOut } from '../services/proposals/carry_out.ts'
import { findProposal } from '../services/proposals/proposals.ts'
import { publicId, uuidOf } from '../services/ids.ts'
import { expectProblem, send, statusesOf, times, unchanged } from './support/abuse.ts'
import { withAnotherApi } from './support/another-api.ts'
import { type Answer, call, newKey, tokenOf, type Who } from './support/api.ts'
import { account, balance, move, unit } from './support/bulk.ts'
import { authorize } from './support/held.ts'
import { merchant, OPERATOR, person, SECOND_OPERATOR } from './support/people.ts'
import { approve, logged, otto } from './support/proposals.ts'
import { world } from './support/world.ts'

const BULK = '/v1/ledger/bulk'

/** A bulk of one movement of 10 from a bank to a wallet, as it is proposed. */
async function proposedBulk(key = newKey(), amount = '10') {
  const [bank, wallet] = [await account('bank'), await account()]
  const body = { mode: 'atomic', units: [unit([move(bank, wallet, amount)])] }
  const answer = await call(OPERATOR, 'POST', BULK, { body, key })
  expect(answer.status, answer.text).to.equal(202)
  return { id: answer.body.id as string, key, body, bank, wallet, answer }
}

const read = async (id: string) => (await call(OPERATOR, 'GET', `/v1/proposals/${id}`)).body
const refuse = (id: string, who: Who = SECOND_OPERATOR) =>
  call(who, 'POST', `/v1/proposals/${id}/refuse`, { body: { reason: 'Not like this' } })
describe('a proposal', () => {
  it('waits: nothing moves until another operator agrees, and then exactly that', async () => {
    const { id, body, wallet, answer } = await proposedBulk()
    expect(answer.body).to.deep.include({
      ...{ action: 'POST /v1/ledger/bulk', state: 'pending', proposed_by: OPERATOR.sub },
      ...{ decided_by: null, result: null, body },
    })
    const hours = Date.parse(answer.body.expires_at) - Date.parse(answer.body.proposed_at)
    expect(hours).to.equal(24 * 3_600_000)
    expect(await balance(wallet)).to.equal(0n)
    const approved = await approve(id)
    expect(approved.status, approved.text).to.equal(200)
    expect(approved.body).to.deep.include({ state: 'approved', decided_by: SECOND_OPERATOR.sub })
    expect(approved.body.result.status).to.equal(200)
    expect(approved.body.result.body.state).to.equal('done')
    expect(await balance(wallet)).to.equal(10n)
    expect(await read(id)).to.deep.equal(approved.body)
    expect(await logged(id)).to.deep.equal([
      ...['proposal_approved operator otto', 'proposal_made operator olga'],
    ])
  })

  it('is not approved by whoever made it: 403, and nothing changes (abuse 56)', async () => {
    const { id, wallet } = await proposedBulk()
    await unchanged(async () => {
      const answers = await Promise.all(times(10, () => approve(id, OPERATOR)))
      for (const answer of answers) expectProblem(answer, 403, 'second_person_required')
    })
    expect(await balance(wallet)).to.equal(0n)
    expect((await read(id)).state).to.equal('pending')
  })

  it('is not approved by its maker in the database either (abuse 56)', async () => {
    const { id } = await proposedBulk()
    const { api } = await world()
    const { proposed_issuer, proposed_by } = (await findProposal(api.db, uuidOf(id))) ?? {}
    const decided = { decided_issuer: proposed_issuer, decided_by: proposed_by }
    const forged = api
      .db('proposals')
      .where({ id: uuidOf(id) })
      .update({ state: 'approved', decided_at: new Date(), ...decided })
    const constraintOf = (error: { constraint?: string }) => error.constraint
    expect(await forged.catch(constraintOf)).to.equal('second_person_required')
  })

  it('is done once, however many agree at once', async () => {
    const { id, wallet } = await proposedBulk()
    const crowd = times(10, (index) => ({ sub: `checker${index}`, scope: 'operator' }))
    await Promise.all(crowd.map(tokenOf))
    const answers = await Promise.all(crowd.map((who) => approve(id, who)))
    expect(statusesOf(answers)).to.deep.equal([200, ...times(9, () => 409)])
    for (const answer of answers.filter(({ status }) => status === 409)) {
      expectProblem(answer, 409, 'proposal_decided')
    }
    expect(await balance(wallet)).to.equal(10n)
    const winner = answers.find(({ status }) => status === 200)
    const again = await approve(id, { sub: winner?.body.decided_by, scope: 'operator' })
    expect(again.body).to.deep.equal(winner?.body)
    expect(await balance(wallet)).to.equal(10n)
  })

  it('is not done twice when a process ends before it can say that it was done', async () => {
    const { id, wallet } = await proposedBulk()
    expect((await approve(id)).status).to.equal(200)
    const { owner } = await world()
    const lost = { result: null, running_until: new Date(Date.now() + 60_000) }
    const row = () => owner('proposals').where({ id: uuidOf(id) })
    const { result } = (await row().first()) as { result: unknown }
    await row().update(lost)
    expectProblem(await approve(id), 409, 'proposal_decided')
    await row().update({ running_until: new Date() })
    const other = { sub: 'checker-after', scope: 'operator' }
    const again = await approve(id, other)
    expect(again.body.result).to.deep.equal(result)
    expect(again.body.decided_by).to.equal(SECOND_OPERATOR.sub)
    expect(await balance(wallet)).to.equal(10n)
  })

  it('may be agreed to again when nothing came of it', async () => {
    const { id, wallet } = await proposedBulk()
    const { api, routes } = await world()
    const endpoints = routes.endpoints.map((one) => ({
      ...one,
      handle: () => Promise.reject(new Error('the process is out of luck')),
    }))
    const failed = approveAndCarryOut(api, endpoints, uuidOf(id), otto)
    expect(await failed.catch((error: Error) => error.message)).to.contain('out of luck')
    expect(await read(id)).to.deep.include({ state: 'approved', result: null })
    expect((await approve(id)).body.result.status).to.equal(200)
    expect(await balance(wallet)).to.equal(10n)
  })

  it('ends as what was done, though another process did it and this one was refused', async () => {
    const { id, wallet } = await proposedBulk()
    const { api } = await world()
    const endpoints = bookEndpoints.map((one) => ({
      ...one,
      async handle(...given: Parameters<typeof one.handle>) {
        await one.handle(...given)
        throw new ServiceError('payment_not_in_review')
      },
    }))
    const done = await approveAndCarryOut(api, endpoints, uuidOf(id), otto)
    expect([done.state, done.result?.status]).to.deep.equal(['approved', 200])
    expect(await balance(wallet)).to.equal(10n)
  })

  it('that was refused stays refused, whoever comes later', async () => {
    const { id, wallet } = await proposedBulk()
    const { api, routes } = await world()
    const endpoints = routes.endpoints.map((one) => ({
      ...one,
      handle: () => Promise.reject(new ServiceError('payment_settled')),
    }))
    const failed = await approveAndCarryOut(api, endpoints, uuidOf(id), otto)
    expect([failed.state, failed.result?.status]).to.deep.equal(['failed', 409])
    const { owner } = await world()
    const lost = { state: 'approved', result: null, running_until: new Date() }
    await owner('proposals')
      .where({ id: uuidOf(id) })
      .update(lost)
    const again = await approve(id)
    expect(again.body.result.body.code, again.text).to.equal('payment_settled')
    expect(await balance(wallet)).to.equal(0n)
  })

  it('that comes again under its key is the same proposal', async () => {
    const { id, key, body, answer } = await proposedBulk()
    const again = await Promise.all(times(5, () => call(OPERATOR, 'POST', BULK, { body, key })))
    expect(new Set(again.map(({ text }) => text))).to.deep.equal(new Set([answer.text]))
    const other = { ...body, mode: 'each' }
    const reused = await call(OPERATOR, 'POST', BULK, { body: other, key })
    expectProblem(reused, 422, 'idempotency_key_reused')
    expect((await approve(id)).status).to.equal(200)
  })

  it('is refused with a reason, or taken back, and then it is over', async () => {
    for (const who of [SECOND_OPERATOR, OPERATOR]) {
      const { id, wallet } = await proposedBulk()
      const refused = await refuse(id, who)
      expect(refused.status, refused.text).to.equal(200)
      expect(refused.body).to.deep.include({
        ...{ state: 'refused', decided_by: who.sub, reason: 'Not like this', result: null },
      })
      expectProblem(await approve(id), 409, 'proposal_decided')
      expectProblem(await refuse(id), 409, 'proposal_decided')
      expect(await balance(wallet)).to.equal(0n)
      expect(await logged(id)).to.include(`proposal_refused operator ${who.sub}`)
    }
  })

  it('runs out after a day', async () => {
    const { id, wallet } = await proposedBulk()
    const tomorrow = () => new Date(Date.now() + 24 * 3_600_000 + 60_000)
    const { api, routes } = await world()
    const later = { ...api, now: tomorrow }
    const late = approveAndCarryOut(later, routes.endpoints, uuidOf(id), otto)
    expect(await late.catch((error: { code?: string }) => error.code)).to.equal('proposal_expired')
    expect(await balance(wallet)).to.equal(0n)
  })

  it('that the books refuse ends as failed, with their problem', async () => {
    const [ada, shop] = [await person(5_000n), await merchant()]
    const { id: payment } = await authorize(ada, shop, '5000')
    const body = { payment, reason: 'A mistake' }
    const { body: proposal } = await call(OPERATOR, 'POST', '/v1/ledger/reversals', { body })
    const done = await unchanged(() => approve(proposal.id), { except: ['claims', 'proposals'] })
    expect(done.status, done.text).to.equal(200)
    expect(done.body.state).to.equal('failed')
    expect(done.body.result.status).to.equal(409)
    expect(done.body.result.body.code).to.equal('payment_not_completed')
    expectProblem(await approve(proposal.id, { ...OPERATOR, sub: 'x' }), 409, 'proposal_decided')
    expect(await logged(proposal.id)).to.include('proposal_failed operator otto')
  })

  it('is not even made of what could not be done', async () => {
    const nobody = { payment: publicId('pay', newId()), reason: 'A mistake' }
    const past = new Date(Date.now() - 60_000).toISOString()
    const price = { percent: '1', fixed: '0', currency: 'EUR', valid_from: past }
    const shop = await merchant()
    await unchanged(async () => {
      const post = (path: string, body: object) => call(OPERATOR, 'POST', path, { body })
      expectProblem(await post('/v1/ledger/reversals', nobody), 404, 'not_found')
      expectProblem(await post(BULK, { mode: 'each', units: [] }), 400, 'invalid_request')
      const path = `/v1/merchants/${shop.id}/fee_schedules`
      expectProblem(await post(path, price), 422, 'fee_schedule_in_past')
      const unknown = `/v1/merchants/${publicId('mer', newId())}/fee_schedules`
      expectProblem(await post(unknown, price), 404, 'not_found')
      const currency = { ...price, currency: 'XXQ' }
      expectProblem(await post(path, currency), 422, 'currency_unknown')
      const hold = `/v1/payments/${publicId('pay', newId())}/void`
      expectProblem(await call(OPERATOR, 'POST', hold), 404, 'not_found')
    })
  })

  it('is made by so many at most', async () => {
    await proposedBulk()
    await withAnotherApi({ PROPOSALS_PENDING_MAX: 1 }, async ({ apiUrl }) => {
      const [bank, wallet] = [await account('bank'), await account()]
      const bytes = JSON.stringify({ mode: 'each', units: [unit([move(bank, wallet, '1')])] })
      const answer = await unchanged(() => send(OPERATOR, 'POST', BULK, { bytes, apiUrl }))
      expectProblem(answer, 409, 'too_many_proposals')
    })
  })

  it('is read and decided by operators alone', async () => {
    const { id } = await proposedBulk()
    const path = `/v1/proposals/${id}`
    const others = [await person(), await merchant(), { sub: 'chat', scope: 'chat' }]
    await unchanged(async () => {
      for (const who of others) {
        const asked = [
          call(who, 'GET', path),
          call(who, 'GET', '/v1/proposals'),
          approve(id, who),
          refuse(id, who),
        ]
        for (const answer of await Promise.all(asked)) expectProblem(answer, 403, 'forbidden')
      }
      const nothing = publicId('prp', newId())
      expectProblem(await approve(nothing), 404, 'not_found')
      expectProblem(await refuse(nothing), 404, 'not_found')
      expectProblem(await call(OPERATOR, 'GET', `/v1/proposals/${nothing}`), 404, 'not_found')
    })
  })

  it('is listed by its state, newest first, page by page', async () => {
    const [first, second] = [await proposedBulk(), await proposedBulk()]
    await refuse(first.id)
    const ids = ({ body }: Answer) => body.data.map(({ id }: { id: string }) => id)
    const list = (query: string) => call(OPERATOR, 'GET', `/v1/proposals?${query}`)
    expect(ids(await list('limit=2'))).to.deep.equal([second.id, first.id])
    expect(ids(await list('limit=1&state=refused'))).to.deep.equal([first.id])
    expect(ids(await list('limit=1&state=pending'))).to.deep.equal([second.id])
    expect(ids(await list(`limit=1&cursor=${second.id}`))).to.deep.equal([first.id])
    expect(ids(await list('state=expired'))).not.to.include(second.id)
    expect(JSON.stringify((await list('limit=2')).body)).not.to.contain(second.wallet)
  })
})
