/** Money that was paid out and is asked back, or comes back. */
import { randomUUID } from 'node:crypto'
import { expect } from 'chai'
import { type BankAdapter, BankError, type BankEvent } from '../adapters/adapter.ts'
import { runBatches } from '../services/banking/batches.ts'
import { collectFrom } from '../services/banking/files.ts'
import { advanceRecall } from '../services/banking/recall_steps.ts'
import { publicId, uuidOf } from '../services/ids.ts'
import { expectProblem, instructionOf, times, until } from './support/abuse.ts'
import { call } from './support/api.ts'
import type { PaperBank } from './support/paper-bank.ts'
import {
  batching,
  type Customer,
  hearOutcomes,
  paperCustomer,
  withdraw,
  paidOut,
} from './support/paper-customer.ts'
import { OPERATOR, walletBalance } from './support/people.ts'
import { together } from './support/proposals.ts'
import { recall, recallStateOf, unanswered } from './support/recalls.ts'
import { world } from './support/world.ts'

let ada: Customer
let bank: PaperBank

describe('money that was paid out', () => {
  before(async () => {
    ada = await paperCustomer()
    bank = ada.bank
  })
  after(hearOutcomes)

  async function tell(event: Partial<BankEvent> & Pick<BankEvent, 'reference' | 'money'>) {
    const { worker, owner } = await world()
    const whole = { eventId: randomUUID(), occurredAt: new Date(), ...event } as BankEvent
    bank.putDown([whole])
    await collectFrom(worker, bank)
    const { eventId: event_id } = whole
    await until(async () => {
      const row = await owner('callbacks').where({ event_id }).first()
      return row !== undefined && row.disposition !== 'received'
    })
    return (await owner('callbacks').where({ event_id }).first()).disposition
  }

  const money = (amount: bigint) => ({ amount, currency: 'EUR' })

  it('is recalled under a reference of its own, and comes back to its owner', async () => {
    const { id, reference, amount } = await paidOut(ada, '31')
    const before = await walletBalance(ada.who)
    const asked = await recall(id)
    expect([asked.status, asked.body.state]).to.deep.equal([201, 'requested'])
    await until(async () => (await recallStateOf(asked.body.id)) === 'accepted')
    const sent = bank.recalls.filter((one) => one.original.reference === reference)
    expect(sent.map((one) => one.reference)).to.deep.equal([asked.body.reference])
    expectProblem(await recall(id), 409, 'recall_exists')
    const returned = { outcome: 'returned', reference, money: money(amount), reason: 'FOCR' }
    expect(await tell(returned as BankEvent)).to.equal('applied')
    expect(await recallStateOf(asked.body.id)).to.equal('returned')
    expect((await walletBalance(ada.who)) - before).to.equal(amount)
  })

  it('that the other side keeps stays paid, and may be asked back once more', async () => {
    const { id, reference, amount } = await paidOut(ada, '32')
    const before = await walletBalance(ada.who)
    const asked = await recall(id)
    const refused = { outcome: 'recall_refused', reference, money: money(amount), reason: 'NOAS' }
    expect(await tell(refused as BankEvent)).to.equal('applied')
    expect(await recallStateOf(asked.body.id)).to.equal('refused')
    expect(await walletBalance(ada.who)).to.equal(before)
    expect((await recall(id, 'FRAD')).status).to.equal(201)
  })

  it('whose recall was refused although nobody recalled it is a contradiction', async () => {
    const { reference, amount } = await paidOut(ada, '33')
    const refused = { outcome: 'recall_refused', reference, money: money(amount) }
    expect(await tell(refused as BankEvent)).to.equal('contradiction')
  })

  it('that comes back in part moves nothing, and is for a person', async () => {
    const { id, reference } = await paidOut(ada, '34')
    const before = await walletBalance(ada.who)
    const part = { outcome: 'returned', reference, money: money(33n), reason: 'AC04' }
    expect(await tell(part as BankEvent)).to.equal('contradiction')
    const { owner } = await world()
    const event = await owner('events')
      .where({ object_id: publicId('ins', id) })
      .first()
    expect(event.data.reason).to.equal('partial_return')
    expect(await walletBalance(ada.who)).to.equal(before)
  })

  it('that comes back to somebody who is frozen waits in suspense', async () => {
    const { reference, amount } = await paidOut(ada, '38')
    const { owner } = await world()
    const of = { owner: publicId('per', ada.who.id), type: 'wallet' }
    const wallet = await owner('accounts').where(of).first('id')
    const path = `/v1/ledger/accounts/${publicId('acc', wallet.id)}/freeze`
    const freeze = (on: boolean) =>
      together(path, { body: { debits: on, credits: on, reason: 'A test' } })
    expect((await freeze(true)).status).to.equal(200)
    const ours = { type: 'suspense', owner: 'bank:paper' }
    const inSuspense = async () => {
      const row = await owner('accounts').where(ours).first()
      return BigInt(row.credits_posted) - BigInt(row.debits_posted)
    }
    const before = await inSuspense()
    const returned = { outcome: 'returned', reference, money: money(amount), reason: 'AC04' }
    expect(await tell(returned as BankEvent)).to.equal('applied')
    expect((await inSuspense()) - before).to.equal(amount)
    expect((await freeze(false)).status).to.equal(200)
  })

  it('is not recalled before it is paid, nor by a bank that does not recall', async () => {
    const payment = await withdraw(ada, '35')
    const { id } = await instructionOf(payment)
    expectProblem(await recall(id), 409, 'instruction_not_settled')
    await runBatches(await batching())
    await hearOutcomes()
    const { api } = await world()
    const [banks, { capabilities }] = [api.banks as Map<string, BankAdapter>, bank]
    const less = new Set([...capabilities].filter((one) => one !== 'recall'))
    banks.set(bank.name, { ...bank, capabilities: less })
    expectProblem(await recall(id), 422, 'recall_not_possible')
    banks.set(bank.name, bank)
    expectProblem(await recall(randomUUID()), 404, 'not_found')
  })

  it('is recalled once although the bank was away, and its answer was lost', async () => {
    const { id, reference } = await paidOut(ada, '36')
    bank.step = () => {
      throw new BankError('bank_outcome_unknown')
    }
    const asked = await recall(id, 'TECH')
    await until(async () => (await recallStateOf(asked.body.id)) === 'unknown')
    bank.step = () => {}
    const { worker } = await world()
    const later = { ...worker, now: () => new Date(Date.now() + 60_000) }
    await Promise.all(times(4, () => advanceRecall(later, uuidOf(asked.body.id))))
    expect(await recallStateOf(asked.body.id)).to.equal('accepted')
    expect(bank.recalls.filter((one) => one.original.reference === reference)).to.have.length(1)
  })

  it('that nobody answers for is given to a person', async () => {
    const { recallId } = await unanswered(ada, '37')
    expect(await recallStateOf(recallId)).to.equal('manual')
    const { owner } = await world()
    const events = await owner('events').where({ object_id: recallId })
    expect(events.map(({ type }) => type)).to.deep.equal(['recall.manual'])
  })

  it('is listed with what was asked back, newest first', async () => {
    const { body } = await call(OPERATOR, 'GET', '/v1/recalls?limit=1')
    expect(body.data[0]).to.include({ state: 'manual', reason: 'DUPL', operator: OPERATOR.sub })
  })

  it('that two operators know is kept is no longer asked for, and may be anew', async () => {
    const { id, amount, recallId } = await unanswered(ada, '39')
    const before = await walletBalance(ada.who)
    const path = `/v1/recalls/${recallId}/resolve`
    const body = { outcome: 'refused', evidence: 'Called the bank, ticket 4711' }
    const bare = await call(OPERATOR, 'POST', path, { body: { outcome: 'refused' } })
    expectProblem(bare, 400, 'invalid_request')
    expectProblem(await recall(id), 409, 'recall_exists')
    const decided = await Promise.all(times(2, () => together(path, { body })))
    expect(decided.map(({ status }) => status)).to.have.members([200, 409])
    await until(async () => (await recallStateOf(recallId)) === 'refused')
    expectProblem(await together(path, { body }), 409, 'recall_not_decidable')
    const { owner } = await world()
    const word = await owner('callbacks').where({ reason: 'decided', amount }).first()
    expect(word).to.include({ source: 'operator', evidence: body.evidence, disposition: 'applied' })
    expect([word.decided_by, word.approved_by]).to.deep.equal(['olga', 'otto'])
    expect(await walletBalance(ada.who)).to.equal(before)
    expect((await recall(id, 'FRAD')).status).to.equal(201)
  })

  it('is not decided about by a person while its bank may answer', async () => {
    const { id } = await paidOut(ada, '40')
    const asked = await recall(id)
    const body = { outcome: 'refused', evidence: 'A letter' }
    const path = (one: string) => `/v1/recalls/${one}/resolve`
    expectProblem(await together(path(asked.body.id), { body }), 409, 'recall_not_decidable')
    expectProblem(await together(path(publicId('rcl', id)), { body }), 404, 'not_found')
  })
})
