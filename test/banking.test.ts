/**
 * Money from and to banks: top-ups, withdrawals, payments from a bank account, and what may go
 * wrong.
 */
import { expect } from 'chai'
import { type BankAdapter, BankError } from '../adapters/adapter.ts'
import { publicId, uuidOf } from '../services/ids.ts'
import { call, newKey } from './support/api.ts'
import {
  ended,
  linkedAccount,
  merchant,
  merchantBalance,
  OPERATOR,
  order,
  person,
  PIN,
  walletBalance,
} from './support/people.ts'
import { together } from './support/proposals.ts'
import { reconciled } from './support/reconciliation.ts'
import { world } from './support/world.ts'

const approval = { pin: PIN }

async function topUp(who: Awaited<ReturnType<typeof person>>, account: string, amount: string) {
  const body = { bank_account: account, amount, currency: 'EUR', approval }
  const asked = await call(who, 'POST', '/v1/top_ups', { body })
  expect(asked.status, asked.text).to.equal(202)
  return asked.body.id as string
}

/**
 * The banks' own statements say what our accounts of our money there say, and nothing is left over.
 */
async function expectBanksAgree() {
  for (const name of ['north', 'south']) {
    const { state, balances, failure } = await reconciled(name)
    expect(state, failure ?? '').to.equal('completed')
    for (const one of balances) expect(one.agrees, JSON.stringify(one)).to.equal(true)
  }
}

const instructionOf = async (payment: string) => {
  const { owner } = await world()
  return owner('instructions')
    .where({ subject_id: uuidOf(payment) })
    .first()
}

describe('a top-up', () => {
  it('is in the wallet once the bank has called back, and not before', async () => {
    const ada = await person()
    const id = await topUp(ada, await linkedAccount(ada), '5000')
    expect((await ended(ada, `/v1/payments/${id}`)).state).to.equal('completed')
    expect(await walletBalance(ada)).to.equal(5_000n)
    await expectBanksAgree()
  })

  const CASES = [
    ['591', 'failed', 0n, 'the bank rejects it'],
    ['592', 'completed', 592n, 'the bank neither answers nor calls back: we enquire'],
    ['593', 'completed', 593n, 'the bank calls back three times'],
    ['594', 'completed', 594n, 'the request is lost: the same one is sent after the cut-off'],
    ['595', 'completed', 595n, 'the bank answers 500 and does it all the same'],
    ['596', 'completed', 596n, 'the bank answers garbage and does it all the same'],
  ] as const
  for (const [amount, state, left, when] of CASES) {
    it(`ends ${state} when ${when}`, async () => {
      const ada = await person()
      const id = await topUp(ada, await linkedAccount(ada), amount)
      expect((await ended(ada, `/v1/payments/${id}`, 15_000)).state).to.equal(state)
      expect(await walletBalance(ada)).to.equal(left)
      await expectBanksAgree()
    })
  }

  it('waits for a person when the bank reports another amount, and moves nothing', async () => {
    const ada = await person()
    const id = await topUp(ada, await linkedAccount(ada), '597')
    await until(async () => (await instructionOf(id)).state === 'manual')
    expect(await walletBalance(ada)).to.equal(0n)
    const { body } = await call(OPERATOR, 'GET', '/v1/events')
    expect(body.data.map((event: { type: string }) => event.type)).to.include('instruction.manual')
    await settleByHand(id)
  })

  it('is taken back when the bank returns it', async () => {
    const ada = await person()
    const id = await topUp(ada, await linkedAccount(ada), '598')
    await until(async () => (await instructionOf(id)).state === 'returned')
    expect(await walletBalance(ada)).to.equal(0n)
    await expectBanksAgree()
  })

  it('is given up for no enquiry that fails: its money waits for the bank (abuse 67)', async () => {
    const ada = await person()
    const account = await linkedAccount(ada, 'south')
    const answersAgain = await withoutEnquiries('south')
    try {
      // The bank says nothing of it until it is asked.
      const id = await topUp(ada, account, '792')
      // Neither the request was answered, nor the first enquiry.
      await until(async () => (await instructionOf(id)).failures > 1)
      const { state, transfer_id: hold } = await instructionOf(id)
      expect(state).to.equal('unknown')
      const { owner } = await world()
      expect(await owner('transfers').where({ pending_id: hold })).to.deep.equal([])
      answersAgain()
      expect((await ended(ada, `/v1/payments/${id}`)).state).to.equal('completed')
    } finally {
      answersAgain()
    }
    expect(await walletBalance(ada)).to.equal(792n)
  })

  it('happens although every job of the queue is lost (abuse 64, 65)', async function () {
    const { config, owner } = await world()
    if (config.REDIS_URL !== undefined) this.skip()
    const ada = await person()
    const account = await linkedAccount(ada)
    await owner.raw(LOSE_EVERY_JOB)
    const id = await topUp(ada, account, '700')
    await new Promise((resolve) => setTimeout(resolve, 700))
    expect((await call(ada, 'GET', `/v1/payments/${id}`)).body.state).to.equal('processing')
    await owner.raw('DROP TRIGGER lose_every_job ON bullmq.job')
    expect((await ended(ada, `/v1/payments/${id}`)).state).to.equal('completed')
    expect(await walletBalance(ada)).to.equal(700n)
    expect((await instructionOf(id)).submissions).to.equal(1)
  })
})

/** The worker cannot ask the bank any more. @returns what lets it ask again. */
async function withoutEnquiries(name: string): Promise<() => void> {
  const { worker } = await world()
  const banks = worker.banks as Map<string, BankAdapter>
  const bank = banks.get(name)
  if (bank === undefined) throw new Error(`there is no bank ${name}`)
  const enquire = () => Promise.reject(new BankError('bank_unreachable'))
  banks.set(name, { ...bank, enquire })
  return () => void banks.set(name, bank)
}

/** A queue that takes jobs in and forgets them at once. */
const LOSE_EVERY_JOB = `
  CREATE OR REPLACE FUNCTION lose_job() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN DELETE FROM bullmq.job WHERE id = NEW.id; RETURN NULL; END';
  CREATE TRIGGER lose_every_job AFTER INSERT ON bullmq.job
    FOR EACH ROW EXECUTE FUNCTION lose_job()`

/** As operators would, so that the banks agree in later tests. */
async function settleByHand(payment: string): Promise<void> {
  const id = publicId('ins', (await instructionOf(payment)).id)
  const reopened = await together(`/v1/instructions/${id}/reopen`, { body: { reason: 'A test' } })
  expect(reopened.status, reopened.text).to.equal(200)
  await until(async () => (await instructionOf(payment)).state === 'settled')
}

async function until(done: () => Promise<boolean>, wait_ms = 12_000): Promise<void> {
  const deadline = performance.now() + wait_ms
  while (!(await done())) {
    if (performance.now() > deadline) throw new Error('it did not come to that')
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

describe('a withdrawal', () => {
  it('leaves the wallet at once and is completed when the bank has paid', async () => {
    const ada = await person(2_000n)
    const body = {
      bank_account: await linkedAccount(ada),
      amount: '1500',
      currency: 'EUR',
      approval,
    }
    const asked = await call(ada, 'POST', '/v1/withdrawals', { body })
    expect(await walletBalance(ada)).to.equal(500n)
    expect((await ended(ada, `/v1/payments/${asked.body.id}`)).state).to.equal('completed')
    await expectBanksAgree()
  })

  it('comes back when the bank rejects it', async () => {
    const ada = await person(2_000n)
    const body = {
      bank_account: await linkedAccount(ada),
      amount: '591',
      currency: 'EUR',
      approval,
    }
    const asked = await call(ada, 'POST', '/v1/withdrawals', { body })
    const payment = await ended(ada, `/v1/payments/${asked.body.id}`)
    expect([payment.state, payment.failure]).to.deep.equal(['failed', 'AC04'])
    expect(await walletBalance(ada)).to.equal(2_000n)
    await expectBanksAgree()
  })

  it('cannot exceed what is there, in however many pieces', async () => {
    const ada = await person(1_000n)
    const bank_account = await linkedAccount(ada)
    const body = { bank_account, amount: '300', currency: 'EUR', approval }
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => call(ada, 'POST', '/v1/withdrawals', { body })),
    )
    const statuses = answers.map(({ status }) => status).sort((a, b) => a - b)
    expect(statuses).to.deep.equal([202, 202, 202, 402, 402, 402, 402, 402])
    expect(await walletBalance(ada)).to.equal(100n)
  })
})

describe('a payment from a bank account', () => {
  it('pays the payee when the bank has paid, and not before', async () => {
    const [ada, ben] = [await person(), await person()]
    const source = await linkedAccount(ada)
    const body = { payee: ben.alias, amount: '800', currency: 'EUR', source, approval }
    const asked = await call(ada, 'POST', '/v1/payments', { body })
    expect([asked.status, asked.body.state]).to.deep.equal([202, 'processing'])
    expect((await ended(ada, `/v1/payments/${asked.body.id}`)).state).to.equal('completed')
    expect([await walletBalance(ada), await walletBalance(ben)]).to.deep.equal([0n, 800n])
  })

  it('fails and frees the order when the bank rejects it', async () => {
    const [ada, shop] = [await person(), await merchant()]
    const id = await order(shop, '591')
    const source = await linkedAccount(ada)
    const body = { order: id, amount: '591', currency: 'EUR', source, approval }
    const asked = await call(ada, 'POST', '/v1/payments', { body })
    expect((await call(shop, 'GET', `/v1/orders/${id}`)).body.state).to.equal('processing')
    expect((await ended(ada, `/v1/payments/${asked.body.id}`)).state).to.equal('failed')
    expect((await call(shop, 'GET', `/v1/orders/${id}`)).body.state).to.equal('open')
    expect(await merchantBalance(shop)).to.equal(0n)
  })
})

describe('a settlement', () => {
  it('pays out every completed payment once, net of fees', async () => {
    const [ada, shop] = [await person(10_000n), await merchant({ tax_percent: '20' })]
    for (const amount of ['860', '1000']) {
      const body = { order: await order(shop, amount), amount, currency: 'EUR', approval }
      expect((await call(ada, 'POST', '/v1/payments', { body })).status).to.equal(201)
    }
    await linkedAccount(shop, 'south')
    const asked = await Promise.all(
      [newKey(), newKey()].map((key) =>
        call(shop, 'POST', '/v1/settlements', { key, body: { currency: 'EUR' } }),
      ),
    )
    const made = asked.filter(({ status }) => status === 202)
    expect(made, asked.map(({ text }) => text).join()).to.have.length(1)
    const id = made[0]?.body.id
    const batch = await ended(shop, `/v1/settlements/${id}`)
    expect(batch).to.deep.include({ state: 'settled', payments: 2, gross: '1860' })
    const { body } = await call(shop, 'GET', `/v1/settlements/${id}/statement`)
    const nets = body.data.map((line: { net: string }) => BigInt(line.net))
    expect(nets.reduce((sum: bigint, net: bigint) => sum + net, 0n)).to.equal(BigInt(batch.net))
    expect(await merchantBalance(shop)).to.equal(0n)
    const again = await call(shop, 'POST', '/v1/settlements', { body: { currency: 'EUR' } })
    expect(again.body.code).to.equal('nothing_to_settle')
    await expectBanksAgree()
  })

  it('that the bank rejects gives the money back, and its payments to the next batch', async () => {
    const [ada, shop] = [await person(10_000n), await merchant({ percent: '0', fixed: '9' })]
    const amount = '600'
    const body = { order: await order(shop, amount), amount, currency: 'EUR', approval }
    await call(ada, 'POST', '/v1/payments', { body })
    await linkedAccount(shop, 'south')
    const first = await call(shop, 'POST', '/v1/settlements', { body: { currency: 'EUR' } })
    expect((await ended(shop, `/v1/settlements/${first.body.id}`)).state).to.equal('failed')
    expect(await merchantBalance(shop)).to.equal(591n)
    const more = { order: await order(shop, '1000'), amount: '1000', currency: 'EUR', approval }
    await call(ada, 'POST', '/v1/payments', { body: more })
    const second = await call(shop, 'POST', '/v1/settlements', { body: { currency: 'EUR' } })
    expect(await ended(shop, `/v1/settlements/${second.body.id}`)).to.deep.include({
      ...{ state: 'settled', number: 2, payments: 1, net: '1582', payout: '1582' },
      ...{ returned_payouts: '591', gross: '1000', fee: '9' },
    })
  })
})
