/** What operators decide about an instruction that no bank explains. */
import { expect } from 'chai'
import { watchManual } from '../services/banking/desk.ts'
import { findInstruction } from '../services/banking/instructions.ts'
import { publicId, uuidOf } from '../services/ids.ts'
import { openMetrics } from '../services/metrics.ts'
import { call } from './support/api.ts'
import { expectProblem } from './support/abuse.ts'
import { decided, waiting } from './support/desk.ts'
import { madeUp } from './support/event-checks.ts'
import { ended, OPERATOR, walletBalance } from './support/people.ts'
import { together } from './support/proposals.ts'
import { world } from './support/world.ts'

describe('the operators’ desk', () => {
  it('shows what waits for a person, and all that happened to it', async () => {
    const { id, reference } = await waiting()
    const query = 'state=manual&bank=east&limit=100'
    const list = await call(OPERATOR, 'GET', `/v1/instructions?${query}`)
    expect(list.body.data.map((one: { id: string }) => one.id)).to.include(id)
    const { body } = await call(OPERATOR, 'GET', `/v1/instructions/${id}`)
    expect(body).to.include({ id, reference, state: 'manual', submissions: 1 })
    const events = body.steps.map((step: { event: string }) => step.event)
    expect(events.slice(0, 2)).to.deep.equal(['sending', 'accepted'])
  })

  it('is where nothing waits unseen: a metric counts it, by bank', async () => {
    const { owner, worker } = await world()
    await waiting()
    const waits = await owner('instructions').where({ state: 'manual', bank: 'east' }).count()
    const metrics = openMetrics('test')
    watchManual({ ...worker, metrics })
    const text = await metrics.text()
    const told = /florin_instructions_manual\{bank="east".*\} (\d+)\n/.exec(text)?.[1]
    expect(told).to.equal(`${waits[0]?.['count']}`).and.not.to.equal('0')
    expect(text).to.match(/florin_instructions_manual\{bank="north".*\} 0\n/)
  })

  it('moves money as the bank’s word would, once, with evidence and two names', async () => {
    const { ada, payment, id } = await waiting()
    expect(await walletBalance(ada)).to.equal(3_910n)
    const done = await decided(id, 'rejected')
    expect(done.status, done.text).to.equal(200)
    expect((await ended(ada, `/v1/payments/${payment}`)).state).to.equal('failed')
    expect(await walletBalance(ada)).to.equal(5_000n)
    const { body } = await call(OPERATOR, 'GET', `/v1/instructions/${id}`)
    expect(body.state).to.equal('rejected')
    expect(body.steps.at(-1)).to.include({ event: 'rejected', from: 'manual', by: 'olga, otto' })
    expect(body.words.at(-1)).to.include({ source: 'operator', disposition: 'applied' })
    expect(body.words.at(-1).evidence).to.equal('Called the bank, ticket 4711')
    expectProblem(await decided(id, 'settled'), 409, 'instruction_not_decidable')
  })

  it('needs evidence, and somebody else who agrees (abuse 56)', async () => {
    const { id } = await waiting()
    const path = `/v1/instructions/${id}/resolve`
    const bare = await call(OPERATOR, 'POST', path, { body: { outcome: 'settled' } })
    expectProblem(bare, 400, 'invalid_request')
    const body = { outcome: 'settled', evidence: 'A letter' }
    const proposed = await call(OPERATOR, 'POST', path, { body })
    expect(proposed.status).to.equal(202)
    const alone = await call(OPERATOR, 'POST', `/v1/proposals/${proposed.body.id}/approve`)
    expectProblem(alone, 403, 'second_person_required')
    const { body: still } = await call(OPERATOR, 'GET', `/v1/instructions/${id}`)
    expect(still.state).to.equal('manual')
  })

  it('is not asked about what the bank still works on', async () => {
    const { id } = await waiting()
    madeUp.add(uuidOf(id))
    const { owner, worker } = await world()
    await owner('instructions')
      .where({ id: uuidOf(id) })
      .update({ state: 'sent' })
    expectProblem(await decided(id, 'settled'), 409, 'instruction_not_decidable')
    const nobody = publicId('ins', '01900000-0000-7000-8000-000000000000')
    expectProblem(await decided(nobody, 'settled'), 404, 'not_found')
    expect((await findInstruction(worker.db, { id: uuidOf(id) }))?.state).to.equal('sent')
  })

  it('may let workers go on: the bank is asked again, and its word counts', async () => {
    const { ada, payment, id } = await waiting()
    const reopened = await together(`/v1/instructions/${id}/reopen`, { body: { reason: 'Try' } })
    expect(reopened.status, reopened.text).to.equal(200)
    expect(reopened.body.state).to.equal('unknown')
    expect((await ended(ada, `/v1/payments/${payment}`)).state).to.equal('completed')
  })
})
