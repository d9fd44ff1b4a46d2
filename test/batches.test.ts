/** Instructions that are handed over together. */
import { expect } from 'chai'
import { BankError } from '../adapters/adapter.ts'
import { connect } from '../ledger/index.ts'
import { runBatches } from '../services/banking/batches.ts'
import { expectProblem, instructionOf, times } from './support/abuse.ts'
import { call } from './support/api.ts'
import { dying } from './support/dying.ts'
import type { PaperBank } from './support/paper-bank.ts'
import {
  batching,
  type Customer,
  hearOutcomes,
  paidFor,
  paperCustomer,
  withdraw,
} from './support/paper-customer.ts'
import { ended } from './support/people.ts'
import { world } from './support/world.ts'

let ada: Customer
let bank: PaperBank

describe('a batch', () => {
  before(async () => {
    ada = await paperCustomer()
    bank = ada.bank
  })
  after(hearOutcomes)

  it('takes what waits, by its ids, and each is paid once and heard of by a file', async () => {
    const payments = await Promise.all(times(3, () => withdraw(ada, '100')))
    const before = bank.batches.size
    await runBatches(await batching())
    expect(bank.batches.size).to.equal(before + 1)
    const batch = [...bank.batches.values()].at(-1)
    const { owner } = await world()
    const sent = batch?.instructions.map(({ reference }) => reference) ?? []
    const inOrder = await owner('instructions').whereIn('reference', sent).orderBy('id')
    expect(sent).to.deep.equal(inOrder.map(({ reference }) => reference))
    expect(inOrder).to.have.length(3)
    await hearOutcomes()
    for (const id of payments) {
      expect((await ended(ada.who, `/v1/payments/${id}`)).state).to.equal('completed')
    }
    expect(await paidFor(payments)).to.deep.equal(times(3, () => [100n]))
  })

  it('waits until it is full or its oldest has waited long enough', async () => {
    const waiting = await batching({ BATCH_AFTER_MS: 600_000, BATCH_SIZE_MAX: 2 })
    const before = bank.batches.size
    const first = await withdraw(ada, '11')
    await runBatches(waiting)
    expect(bank.batches.size).to.equal(before)
    const others = await Promise.all(times(2, () => withdraw(ada, '12')))
    await runBatches(waiting)
    expect(bank.batches.size).to.equal(before + 1)
    await runBatches(await batching())
    expect(bank.batches.size).to.equal(before + 2)
    expect((await paidFor([first, ...others])).flat()).to.have.length(3)
  })

  it('is made once by however many workers', async () => {
    const payments = await Promise.all(times(6, () => withdraw(ada, '13')))
    const context = await batching()
    await Promise.all(times(6, () => runBatches(context)))
    await runBatches(context)
    expect(await paidFor(payments)).to.deep.equal(times(6, () => [13n]))
  })

  it('takes nothing that was canceled, and what it took is not canceled', async () => {
    const [one, other] = [await withdraw(ada, '14'), await withdraw(ada, '15')]
    const canceled = await call(ada.who, 'POST', `/v1/payments/${one}/cancel`)
    expect(canceled.status, canceled.text).to.equal(200)
    await runBatches(await batching())
    expectProblem(await call(ada.who, 'POST', `/v1/payments/${other}/cancel`), 409, CANNOT)
    expect(await paidFor([one, other])).to.deep.equal([[], [15n]])
  })

  const CANNOT = 'payment_not_cancelable'

  it('is handed over again, the same, when the bank was away or its answer was lost', async () => {
    const payment = await withdraw(ada, '16')
    const context = await batching()
    const later = (by_ms: number) => ({ ...context, now: () => new Date(Date.now() + by_ms) })
    const faults = ['before submitBatch', 'before submitBatch', 'after submitBatch']
    for (const [index, fault] of faults.entries()) {
      bank.step = (what) => {
        const code = fault.startsWith('before') ? 'bank_unreachable' : 'bank_outcome_unknown'
        if (what === fault) throw new BankError(code)
      }
      await runBatches(later(index * 100_000))
    }
    bank.step = () => {}
    const { owner } = await world()
    const { batch_id: id } = await instructionOf(payment)
    const { state, submissions } = await owner('instruction_batches').where({ id }).first()
    expect([state, submissions]).to.deep.equal(['unknown', 3])
    await runBatches(later(400_000))
    expect((await owner('instruction_batches').where({ id }).first()).state).to.equal('handed_over')
    expect(await paidFor([payment])).to.deep.equal([[16n]])
  })

  it('is not handed over once a person has one of its instructions', async () => {
    const payment = await withdraw(ada, '17')
    bank.step = () => {
      throw new BankError('bank_unreachable')
    }
    const context = await batching()
    await runBatches(context)
    bank.step = () => {}
    const { owner } = await world()
    const { id } = await instructionOf(payment)
    await owner('instructions').where({ id }).update({ state: 'manual' })
    const later = { ...context, now: () => new Date(Date.now() + 100_000) }
    await runBatches(later)
    expect(await paidFor([payment])).to.deep.equal([[]])
    await owner('instructions').where({ id }).update({ state: 'sent' })
    await runBatches({ ...context, now: () => new Date(Date.now() + 2_000_000) })
    expect(await paidFor([payment])).to.deep.equal([[17n]])
  })

  it('is paid once wherever the worker dies (abuse 66)', async () => {
    const { url } = await world()
    for (let at = 1; ; at += 1) {
      const payments = await Promise.all(times(2, () => withdraw(ada, '18')))
      const db = connect({ url, role: 'florin_worker', connectionsMax: 2, applicationName: 'd' })
      const context = await batching()
      const mortal = { ...context, db }
      const { died } = await dying(mortal, bank, at, () => runBatches(mortal))
      await db.destroy()
      const later = { ...context, now: () => new Date(Date.now() + 3_600_000) }
      await runBatches(later)
      expect(await paidFor(payments), `died at ${at}`).to.deep.equal([[18n], [18n]])
      if (died) continue
      expect(at).to.be.greaterThan(8)
      return
    }
  }).timeout(30_000)
})
