/** Instructions that are handed over together. */
import { expect } from 'chai'
import { BankError, type NameAnswer } from '../adapters/adapter.ts'
import { connect } from '../ledger/index.ts'
import { advanceInstruction } from '../services/banking/advance.ts'
import { runBatches } from '../services/banking/batches.ts'
import { DEPENDANTS } from '../services/handlers.ts'
import { expectProblem, instructionOf, times, until } from './support/abuse.ts'
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
import { askedBefore, ended, walletBalance } from './support/people.ts'
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

  it('says of money between our own accounts which it is, as a single order does', async () => {
    const payment = await withdraw(ada, '101')
    const { id, reference } = await instructionOf(payment)
    const { owner } = await world()
    const row = owner('instructions').where({ id })
    await row.clone().update({ purpose: 'netting' })
    await runBatches(await batching())
    await row.clone().update({ purpose: 'withdrawal' })
    const orders = [...bank.batches.values()].flatMap(({ instructions }) => instructions)
    const said = orders.find((one) => one.reference === reference)
    expect(said?.remittance).to.equal(reference)
    expect(orders.filter((one) => one !== said && one.remittance !== undefined)).to.have.length(0)
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

describe('a batch, and an account whose owner its bank was asked about long ago', () => {
  before(async () => {
    ada = await paperCustomer()
    bank = ada.bank
  })
  after(hearOutcomes)

  const UNKNOWN: NameAnswer = { result: 'not_possible' }
  const named = (result: NameAnswer['result']) => async () => ({ result })

  /** Somebody whose account was never paid, and how often its bank is asked for the name. */
  async function newcomer(answer: () => Promise<NameAnswer>) {
    bank.checkName = async () => UNKNOWN
    const customer = await paperCustomer()
    await askedBefore(customer.account, 31)
    const asked = { times: 0 }
    bank.checkName = () => {
      asked.times += 1
      return answer()
    }
    return { customer, asked }
  }
  const silent = () => Promise.reject(new BankError('bank_unreachable'))
  const isDue = async (payment: string) => (await instructionOf(payment)).name_due as boolean
  const askAgain = async (payment: string) => {
    const { owner } = await world()
    const { id } = await instructionOf(payment)
    await owner('instructions').where({ id }).update({ next_at: new Date() })
  }

  it('goes without it while the bank is silent, and takes it once it has answered', async () => {
    const { customer, asked } = await newcomer(silent)
    const waiting = await withdraw(customer, '21')
    await until(async () => asked.times > 0)
    const other = await withdraw(ada, '22')
    await runBatches(await batching())
    expect(await paidFor([waiting, other])).to.deep.equal([[], [22n]])
    const { state, batch_id, submissions } = await instructionOf(waiting)
    expect({ state, batch_id, submissions }).to.deep.equal({
      ...{ state: 'created', batch_id: null, submissions: 0 },
    })
    bank.checkName = named('match')
    await askAgain(waiting)
    await until(async () => !(await isDue(waiting)))
    await runBatches(await batching())
    await runBatches(await batching())
    expect(await paidFor([waiting])).to.deep.equal([[21n]])
    await hearOutcomes()
    expect((await ended(customer.who, `/v1/payments/${waiting}`)).state).to.equal('completed')
    bank.checkName = () => Promise.reject(new Error('an account that was paid is known'))
    const again = await withdraw(customer, '23')
    await runBatches(await batching())
    expect(await paidFor([again])).to.deep.equal([[23n]])
  })

  it('takes it where the bank cannot tell, and the rail is content with that', async () => {
    const { customer, asked } = await newcomer(async () => UNKNOWN)
    const payment = await withdraw(customer, '24')
    await until(async () => !(await isDue(payment)))
    await runBatches(await batching())
    expect([await paidFor([payment]), asked.times]).to.deep.equal([[[24n]], 1])
  })

  it('never takes it where the account is somebody else’s, and the money is back', async () => {
    const { customer } = await newcomer(named('no_match'))
    const before = await walletBalance(customer.who)
    const payment = await withdraw(customer, '25')
    const { state, failure } = await ended(customer.who, `/v1/payments/${payment}`)
    expect([state, failure]).to.deep.equal(['failed', 'name_mismatch'])
    await runBatches(await batching())
    expect(await paidFor([payment])).to.deep.equal([[]])
    expect((await instructionOf(payment)).batch_id).to.equal(null)
    expect(await walletBalance(customer.who)).to.equal(before)
  })

  it('never takes what was canceled before the bank answered', async () => {
    const { customer, asked } = await newcomer(silent)
    const payment = await withdraw(customer, '26')
    await until(async () => asked.times > 0)
    const canceled = await call(customer.who, 'POST', `/v1/payments/${payment}/cancel`)
    expect(canceled.status, canceled.text).to.equal(200)
    bank.checkName = named('match')
    await askAgain(payment)
    await runBatches(await batching())
    expect(await paidFor([payment])).to.deep.equal([[]])
  })

  it('takes it once, however many workers ask for the name and make batches', async () => {
    const { customer } = await newcomer(named('match'))
    const payments = await Promise.all(times(4, () => withdraw(customer, '27')))
    const context = await batching()
    const ids = (await Promise.all(payments.map(instructionOf))).map(({ id }) => id)
    for (let round = 0; round < 3; round += 1) {
      await Promise.all([
        ...ids.map((id) => advanceInstruction(context, DEPENDANTS, id)),
        ...times(3, () => runBatches(context)),
      ])
    }
    await until(async () => !(await Promise.all(payments.map(isDue))).includes(true))
    await runBatches(context)
    expect(await paidFor(payments)).to.deep.equal(times(4, () => [27n]))
  })
})
