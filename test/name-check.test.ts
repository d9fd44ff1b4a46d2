/**
 * Whose an account is, before it is paid for the first time: an old answer is asked for again, and
 * a close match is confirmed by its owner.
 */
import { expect } from 'chai'
import { BankError } from '../adapters/adapter.ts'
import { uuidOf } from '../services/ids.ts'
import { call, type Who } from './support/api.ts'
import { expectProblem } from './support/abuse.ts'
import {
  askedBefore,
  ended,
  linkedAccount,
  merchant,
  merchantBalance,
  order,
  person,
  type Person,
  PIN,
  walletBalance,
} from './support/people.ts'
import { reconciled } from './support/reconciliation.ts'
import { world } from './support/world.ts'

const approval = { pin: PIN }

const withdraw = (who: Person, bank_account: string, amount = '500') =>
  call(who, 'POST', '/v1/withdrawals', {
    body: { bank_account, amount, currency: 'EUR', approval },
  })

async function instructionOf(subject: string) {
  const { owner } = await world()
  return owner('instructions')
    .where({ subject_id: uuidOf(subject) })
    .first()
}

const shown = async (who: Who, id: string) => {
  const { body } = await call(who, 'GET', '/v1/bank_accounts')
  return body.data.find((one: { id: string }) => one.id === id)
}

/** How often the bank is asked for names while something happens; `say` answers in its place. */
async function asking(during: () => Promise<void>, say?: (call: number) => void): Promise<number> {
  const { worker } = await world()
  const banks = worker.banks as Map<string, NonNullable<ReturnType<typeof worker.banks.get>>>
  const north = banks.get('north')
  if (north === undefined) throw new Error('north is not there')
  let calls = 0
  const checkName: typeof north.checkName = async (account) => {
    calls += 1
    say?.(calls)
    return north.checkName(account)
  }
  banks.set('north', { ...north, checkName })
  try {
    await during()
  } finally {
    banks.set('north', north)
  }
  return calls
}

/** Everything that was ever to be in transit has left it, and the bank says what our books say. */
async function expectNothingLost() {
  const { state, balances } = await reconciled('north')
  expect(state).to.equal('completed')
  for (const one of balances) expect(one.agrees, JSON.stringify(one)).to.equal(true)
  const { owner } = await world()
  const where = { owner: 'bank:north', type: 'transit', currency: 'EUR' }
  const transit = await owner('accounts').where(where).first()
  expect(transit.credits_posted).to.equal(transit.debits_posted)
}

describe('the first payout to an account whose name was checked long ago', () => {
  it('is made once the bank has said again whose it is, and the answer is kept', async () => {
    const ada = await person(2_000n)
    const account = await linkedAccount(ada)
    await askedBefore(account, 31)
    const since = Date.now()
    const calls = await asking(async () => {
      const asked = await withdraw(ada, account)
      expect((await ended(ada, `/v1/payments/${asked.body.id}`)).state).to.equal('completed')
      const again = await withdraw(ada, account)
      expect((await ended(ada, `/v1/payments/${again.body.id}`)).state).to.equal('completed')
    })
    expect(calls).to.equal(1)
    const { name_check, checked_at } = await shown(ada, account)
    expect(name_check).to.equal('match')
    expect(Date.parse(checked_at)).to.be.within(since, Date.now())
    expect(await walletBalance(ada)).to.equal(1_000n)
    await expectNothingLost()
  })

  it('is made at once where the answer is young, or the account was paid before', async () => {
    const ada = await person(2_000n)
    const account = await linkedAccount(ada)
    const calls = await asking(async () => {
      for (const days of [29, 400]) {
        await askedBefore(account, days)
        const asked = await withdraw(ada, account)
        expect((await ended(ada, `/v1/payments/${asked.body.id}`)).state).to.equal('completed')
      }
    })
    expect(calls).to.equal(0)
  })

  it('is refused before it is sent where the account is somebody else’s by now', async () => {
    const ada = await person(2_000n)
    const account = await linkedAccount(ada)
    await askedBefore(account, 31, 'Somebody Else')
    const asked = await withdraw(ada, account)
    expect(asked.status).to.equal(202)
    const payment = await ended(ada, `/v1/payments/${asked.body.id}`)
    expect([payment.state, payment.failure]).to.deep.equal(['failed', 'name_mismatch'])
    const { id, state, reason, submissions, sent_at } = await instructionOf(asked.body.id)
    expect({ state, reason, submissions, sent_at }).to.deep.equal({
      ...{ state: 'rejected', reason: 'name_mismatch', submissions: 0, sent_at: null },
    })
    const { owner } = await world()
    const steps = await owner('instruction_steps').where({ instruction_id: id }).pluck('event')
    expect(steps).to.deep.equal(['refused'])
    expect(await walletBalance(ada)).to.equal(2_000n)
    expect((await shown(ada, account)).name_check).to.equal('no_match')
    expectProblem(await withdraw(ada, account), 422, 'name_mismatch')
    await expectNothingLost()
  })

  it('waits for a bank that is silent, and is then sent once', async () => {
    const ada = await person(2_000n)
    const account = await linkedAccount(ada)
    await askedBefore(account, 31)
    const calls = await asking(
      async () => {
        const asked = await withdraw(ada, account)
        expect((await ended(ada, `/v1/payments/${asked.body.id}`)).state).to.equal('completed')
        const { id, submissions } = await instructionOf(asked.body.id)
        expect(submissions).to.equal(1)
        const { owner } = await world()
        const steps = await owner('instruction_steps').where({ instruction_id: id }).orderBy('id')
        const waited = steps.filter(({ event }) => event === 'never_sent')
        expect(waited.map(({ detail }) => detail)).to.deep.equal(['bank_outcome_unknown'])
        expect(steps.filter(({ event }) => event === 'sending')).to.have.length(1)
      },
      (call) => {
        if (call === 1) throw new BankError('bank_outcome_unknown')
      },
    )
    expect(calls).to.equal(2)
    expect(await walletBalance(ada)).to.equal(1_500n)
    await expectNothingLost()
  })

  it('can be taken back by its payer while the bank is silent', async () => {
    const ada = await person(2_000n)
    const account = await linkedAccount(ada)
    await askedBefore(account, 31)
    await asking(
      async () => {
        const asked = await withdraw(ada, account)
        const path = `/v1/payments/${asked.body.id}`
        expect((await call(ada, 'POST', `${path}/cancel`)).status).to.equal(200)
        expect((await ended(ada, path)).state).to.equal('canceled')
      },
      () => {
        throw new BankError('bank_unreachable')
      },
    )
    expect(await walletBalance(ada)).to.equal(2_000n)
    await expectNothingLost()
  })

  it('of a merchant fails its settlement, and the money is settled again', async () => {
    const [ada, shop] = [await person(10_000n), await merchant()]
    const account = await linkedAccount(shop)
    const body = { order: await order(shop, '5000'), amount: '5000', currency: 'EUR', approval }
    expect((await call(ada, 'POST', '/v1/payments', { body })).status).to.equal(201)
    const before = await merchantBalance(shop)
    await askedBefore(account, 31, 'Somebody Else')
    const settle = () => call(shop, 'POST', '/v1/settlements', { body: { currency: 'EUR' } })
    const failed = await ended(shop, `/v1/settlements/${(await settle()).body.id}`)
    expect([failed.state, failed.failure]).to.deep.equal(['failed', 'name_mismatch'])
    expect(await merchantBalance(shop)).to.equal(before)
    expectProblem(await settle(), 422, 'name_mismatch')
    await call(shop, 'DELETE', `/v1/bank_accounts/${account}`)
    await linkedAccount(shop)
    const paid = await ended(shop, `/v1/settlements/${(await settle()).body.id}`)
    expect([paid.state, paid.payout]).to.deep.equal(['settled', before.toString()])
    await expectNothingLost()
  })
})

describe('an account under nearly its owner’s name', () => {
  async function closeMatch(who: Who, number: string, holder: string): Promise<string> {
    const body = { bank: 'north', number, holder }
    const linked = await call(who, 'POST', '/v1/bank_accounts', { body })
    expect([linked.status, linked.body.name_check]).to.deep.equal([201, 'close_match'])
    return linked.body.id
  }
  const confirm = (who: Who, id: string, body: object) =>
    call(who, 'POST', `/v1/bank_accounts/${id}/confirm`, { body })

  it('shows the name at the bank, and is paid once its owner says that it is theirs', async () => {
    const ada = await person(2_000n)
    const account = await closeMatch(ada, 'T-0801', 'Custmer 801')
    expect(await shown(ada, account)).to.include({
      ...{ holder: 'Custmer 801', name_at_bank: 'Customer 801', confirmed_at: null },
    })
    expectProblem(await withdraw(ada, account), 409, 'bank_account_not_confirmed')
    const name_at_bank = 'Customer 801'
    expectProblem(await confirm(ada, account, { name_at_bank }), 403, 'approval_required')
    const other = { name_at_bank: 'Customer 802', approval }
    expectProblem(await confirm(ada, account, other), 422, 'name_mismatch')
    const wrong = { name_at_bank, approval: { pin: '135791' } }
    expectProblem(await confirm(ada, account, wrong), 401, 'approval_refused')
    expect(await walletBalance(ada)).to.equal(2_000n)
    const confirmed = await confirm(ada, account, { name_at_bank, approval })
    expect(confirmed.status, confirmed.text).to.equal(200)
    expect(confirmed.body.confirmed_at).to.be.a('string')
    const again = await confirm(ada, account, { name_at_bank, approval })
    expect(again.body.confirmed_at).to.equal(confirmed.body.confirmed_at)
    const asked = await withdraw(ada, account)
    expect((await ended(ada, `/v1/payments/${asked.body.id}`)).state).to.equal('completed')
    await expectNothingLost()
  })

  it('is confirmed without a name where the bank tells none', async () => {
    const ada = await person(2_000n)
    const account = await closeMatch(ada, 'TEST-CLOSE', 'Whoever')
    expectProblem(await withdraw(ada, account), 409, 'bank_account_not_confirmed')
    const confirmed = await confirm(ada, account, { name_at_bank: null, approval })
    expect(confirmed.status, confirmed.text).to.equal(200)
    expect((await withdraw(ada, account)).status).to.equal(202)
  })

  it('is confirmed by nobody else, nor where nothing is close', async () => {
    const [ada, ben] = [await person(), await person()]
    const account = await closeMatch(ada, 'T-0803', 'Custmer 803')
    const body = { name_at_bank: 'Customer 803', approval }
    expectProblem(await confirm(ben, account, body), 422, 'bank_account_not_found')
    const sure = await linkedAccount(ada)
    expectProblem(await confirm(ada, sure, { ...body, name_at_bank: null }), 422, 'name_mismatch')
    expectProblem(await confirm(ada, account, { approval }), 400, 'invalid_request')
  })

  it('of a merchant is confirmed by the merchant, and settled then', async () => {
    const [ada, shop] = [await person(10_000n), await merchant()]
    const account = await closeMatch(shop, 'T-0804', 'Custmer 804')
    const body = { order: await order(shop, '5000'), amount: '5000', currency: 'EUR', approval }
    await call(ada, 'POST', '/v1/payments', { body })
    const settle = () => call(shop, 'POST', '/v1/settlements', { body: { currency: 'EUR' } })
    expectProblem(await settle(), 409, 'bank_account_not_confirmed')
    const confirmed = await confirm(shop, account, { name_at_bank: 'Customer 804' })
    expect(confirmed.status, confirmed.text).to.equal(200)
    const settled = await ended(shop, `/v1/settlements/${(await settle()).body.id}`)
    expect(settled.state).to.equal('settled')
    await expectNothingLost()
  })

  it('is confirmed anew when the bank has another name by then', async () => {
    const ada = await person(2_000n)
    const account = await closeMatch(ada, 'T-0805', 'Custmer 805')
    const { owner } = await world()
    const id = uuidOf(account)
    await confirm(ada, account, { name_at_bank: 'Customer 805', approval })
    // The bank told another name when it was asked first.
    await owner('bank_accounts').where({ id }).update({ name_at_bank_sealed: null })
    await askedBefore(account, 31)
    const asked = await withdraw(ada, account)
    const payment = await ended(ada, `/v1/payments/${asked.body.id}`)
    expect([payment.state, payment.failure]).to.deep.equal([
      ...['failed', 'bank_account_not_confirmed'],
    ])
    expect(await walletBalance(ada)).to.equal(2_000n)
    expect(await shown(ada, account)).to.include({
      ...{ name_at_bank: 'Customer 805', confirmed_at: null },
    })
    await expectNothingLost()
  })
})
