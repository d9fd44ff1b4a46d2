/** Crowds, and processes that fail in the middle: what is cut off is done once, or not at all. */
import { expect } from 'chai'
import { request } from 'node:http'
import type { BankAdapter } from '../adapters/adapter.ts'
import { merchantAccountOf, walletOf } from '../services/books/chart.ts'
import { advanceInstruction } from '../services/banking/advance.ts'
import { lookAgainAt, nextStep, type Policy } from '../services/banking/policy.ts'
import { DEPENDANTS } from '../services/handlers.ts'
import { publicId, uuidOf } from '../services/ids.ts'
import {
  expectProblem,
  instructionOf,
  quiet,
  send,
  statusesOf,
  times,
  unchanged,
  until,
} from './support/abuse.ts'
import { alertsOf, bookedAt, deliver, openTopUp, report } from './support/abuse-callbacks.ts'
import { withAnotherApi } from './support/another-api.ts'
import { call, newKey, tokenOf } from './support/api.ts'
import { authorize, capture } from './support/held.ts'
import {
  ended,
  linkedAccount,
  merchant,
  order,
  payment,
  person,
  PIN,
  walletBalance,
} from './support/people.ts'
import { together } from './support/proposals.ts'
import { world } from './support/world.ts'

const approval = { pin: PIN }
const DAY_MS = 86_400_000
const inHours = (hours: number) => new Date(Date.now() + hours * 3_600_000)

/** The banks, of which one does some things otherwise. */
async function southWith(changes: Partial<BankAdapter>) {
  const { worker } = await world()
  const south = worker.banks.get('south')
  if (south === undefined) throw new Error('there is no such bank')
  return new Map([...worker.banks, ['south', { ...south, ...changes }]])
}
/** Where no PIN is asked for: comparing a hundred would be all that is tested. */
const SMALL = '900'
const small = (to: Parameters<typeof payment>[0], amount = SMALL) =>
  payment(to, amount, { approval: undefined })

describe('a crowd', () => {
  before(quiet)

  it('that spends a whole wallet a hundred times at once spends it once (abuse 58)', async () => {
    const [ada, ben] = await Promise.all([person(900n), person()])
    const answers = await Promise.all(
      times(100, () => call(ada, 'POST', '/v1/payments', { body: small(ben) })),
    )
    expect(statusesOf(answers)).to.deep.equal([201, ...times(99, () => 402)])
    expect([await walletBalance(ada), await walletBalance(ben)]).to.deep.equal([0n, 900n])
    const { owner } = await world()
    const wallet = { owner: publicId('per', ada.id), type: 'wallet' }
    expect(await owner('accounts').where(wallet).pluck('floor')).to.deep.equal([0n])
  })

  it('of fifty that ask for one thing under one key is answered alike (abuse 59)', async () => {
    const [ada, ben] = await Promise.all([person(5_000n), person()])
    const [key, body] = [newKey(), payment(ben, SMALL)]
    const answers = await Promise.all(
      times(50, () => call(ada, 'POST', '/v1/payments', { body, key })),
    )
    expect(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size).to.equal(1)
    expect(answers[0]?.status).to.equal(201)
    expect([await walletBalance(ada), await walletBalance(ben)]).to.deep.equal([4_100n, 900n])
  })
})

describe('an account that somebody does not let go of', () => {
  it('is answered with 503, and with 201 under the same key later (abuse 46, 62)', async () => {
    const [ada, ben, cy, eve] = await Promise.all([
      person(5_000n),
      person(),
      person(5_000n),
      person(),
    ])
    const { worker, owner } = await world()
    const wallet = await walletOf(worker, ben.id, 'EUR')
    const [key, bytes] = [newKey(), JSON.stringify(payment(ben, SMALL))]
    const pay = (apiUrl: string) =>
      send(ada, 'POST', '/v1/payments', { bytes, headers: { 'idempotency-key': key }, apiUrl })
    await withAnotherApi({ DATABASE_LOCK_TIMEOUT_MS: 300 }, async ({ apiUrl }) => {
      await unchanged(() =>
        owner.transaction(async (trx) => {
          await trx('accounts').where({ id: wallet }).forUpdate().first()
          const refused = await pay(apiUrl)
          expectProblem(refused, 503, 'ledger_unavailable')
          expect(refused.headers.get('retry-after')).to.match(/^\d+$/)
        }),
      )
      await owner.transaction(async (trx) => {
        await trx('accounts').where({ id: wallet }).forUpdate().first()
        const [, other] = await Promise.all([
          pay(apiUrl),
          send(cy, 'POST', '/v1/payments', { bytes: JSON.stringify(payment(eve, SMALL)), apiUrl }),
        ])
        expect(other.status, other.text).to.equal(201)
      })
      expect((await pay(apiUrl)).status).to.equal(201)
    })
    expect([await walletBalance(ben), await walletBalance(eve)]).to.deep.equal([900n, 900n])
  })
})

describe('an answer that is lost after the commit', () => {
  it('is given again, byte for byte, to whoever asks with the same key (abuse 60)', async () => {
    const [ada, ben, { apiUrl, owner }] = await Promise.all([person(5_000n), person(), world()])
    const [key, body] = [newKey(), payment(ben, SMALL)]
    const headers = {
      ...{ authorization: `Bearer ${await tokenOf(ada)}`, 'idempotency-key': key },
      'content-type': 'application/json',
    }
    const cut = request(`${apiUrl}/v1/payments`, { method: 'POST', headers }).on('error', () => {})
    // Whatever comes back is not read, and the line is cut once it is certain that it happened.
    cut.on('response', (response) => response.destroy())
    cut.end(JSON.stringify(body))
    const made = owner('payments').where({ payer_id: ada.id })
    await until(async () => (await made.clone()).length === 1)
    cut.destroy()
    const again = await call(ada, 'POST', '/v1/payments', { body, key })
    expect([again.status, again.headers.get('idempotent-replayed')]).to.deep.equal([201, 'true'])
    const [{ id }] = await made.clone()
    expect(uuidOf(again.body.id)).to.equal(id)
    expect(await owner('transfers').where({ reference: id })).to.have.length(1)
    expect(await walletBalance(ben)).to.equal(900n)
  })
})

describe('what is refused before it is decided', () => {
  it('may be asked again under its key: a locked PIN, too many requests (abuse 62)', async () => {
    const [ada, ben, { owner }] = await Promise.all([person(50_000n), person(), world()])
    const [key, body] = [newKey(), payment(ben, '5000')]
    const pay = (given: object = body) => call(ada, 'POST', '/v1/payments', { key, body: given })
    await owner('pins')
      .where({ person_id: ada.id })
      .update({ failed: 5, locked_until: new Date(Date.now() + DAY_MS) })
    expectProblem(await unchanged(() => pay()), 423, 'pin_locked')
    await owner('pins').where({ person_id: ada.id }).update({ failed: 0, locked_until: null })
    await withAnotherApi({ RATE_MONEY_PER_MINUTE: 1 }, async ({ apiUrl }) => {
      const bytes = JSON.stringify(body)
      const other = JSON.stringify(payment(ben, '1'))
      await send(ada, 'POST', '/v1/payments', { bytes: other, apiUrl })
      const headers = { 'idempotency-key': key }
      const work = () => send(ada, 'POST', '/v1/payments', { bytes, headers, apiUrl })
      expectProblem(await unchanged(work), 429, 'too_many_requests')
    })
    const paid = await pay()
    expect([paid.status, paid.headers.get('idempotent-replayed')]).to.deep.equal([201, null])
    expect(await walletBalance(ben)).to.equal(5_001n)
  })
})

describe('an instruction', () => {
  before(quiet)
  after(quiet)

  it('that many workers take up at once is executed once (abuse 77)', async () => {
    const [ada, { worker }] = await Promise.all([person(5_000n), world()])
    const bank_account = await linkedAccount(ada, 'south')
    const body = { bank_account, amount: '1234', currency: 'EUR', approval }
    const asked = await call(ada, 'POST', '/v1/withdrawals', { body })
    const { id, reference } = await instructionOf(asked.body.id)
    await Promise.all(times(12, () => advanceInstruction(worker, DEPENDANTS, id)))
    expect((await ended(ada, `/v1/payments/${asked.body.id}`)).state).to.equal('completed')
    expect((await instructionOf(asked.body.id)).submissions).to.equal(1)
    expect((await bookedAt('south')).get(reference)).to.deep.equal([-1_234n])
    expect(await walletBalance(ada)).to.equal(3_766n)
  })

  it('over which five workers died is for a person, and others go on (abuse 50)', async () => {
    const [one, other] = [await openTopUp(), await person(5_000n)]
    const { worker, owner } = await world()
    // Nobody of today takes it up, nor writes what they have learned of it.
    const postponed = { next_at: inHours(1), leased_until: null, lease: owner.raw('lease + 1') }
    await owner('instructions').where({ id: one.id }).update(postponed)
    // Whoever asks the bank is gone at that moment, and nothing of theirs is done any more.
    const asked: string[] = []
    const fatal = (reference: string) => {
      asked.push(reference)
      return new Promise<never>(() => {})
    }
    const banks = await southWith({ enquire: fatal, submit: ({ reference }) => fatal(reference) })
    for (const nth of [1, 2, 3, 4, 5]) {
      const now = () => inHours(1 + nth)
      void advanceInstruction({ ...worker, banks, now }, DEPENDANTS, one.id)
      await until(async () => asked.length === nth)
    }
    await advanceInstruction({ ...worker, banks, now: () => inHours(7) }, DEPENDANTS, one.id)
    expect(asked).to.deep.equal(times(5, () => one.reference))
    expect((await instructionOf(one.payment)).state).to.equal('manual')
    expect(await owner('transfers').where({ pending_id: one.hold })).to.deep.equal([])
    const body = {
      bank_account: await linkedAccount(other),
      amount: '1100',
      currency: 'EUR',
      approval,
    }
    const { body: out } = await call(other, 'POST', '/v1/withdrawals', { body })
    expect((await ended(other, `/v1/payments/${out.id}`)).state).to.equal('completed')
    expect(await alertsOf(one)).to.deep.equal(['quarantined'])
    expect((await deliver(report(one))).status).to.equal(200)
    expect((await ended(one.who, `/v1/payments/${one.payment}`)).state).to.equal('completed')
  })

  it('is neither given up nor sent again by a clock that is a day wrong (abuse 76)', async () => {
    const { worker, owner } = await world()
    for (const wrong_ms of [DAY_MS, -DAY_MS]) {
      const one = await openTopUp()
      // Nobody of today takes it up meanwhile, nor holds it.
      const postponed = { next_at: inHours(1), leased_until: null, lease: owner.raw('lease + 1') }
      await owner('instructions').where({ id: one.id }).update(postponed)
      const now = () => new Date(Date.now() + wrong_ms)
      const asked: string[] = []
      const enquire: BankAdapter['enquire'] = async (reference) => {
        asked.push(reference)
        return { state: 'not_found' }
      }
      const banks = await southWith({ enquire })
      await advanceInstruction({ ...worker, banks, now }, DEPENDANTS, one.id)
      const { submissions, state } = await instructionOf(one.payment)
      expect(submissions).to.equal(1)
      expect(['sent', 'unknown']).to.include(state)
      // A day too late it is asked about, once; a day too early its time has not come.
      expect(asked).to.deep.equal(wrong_ms > 0 ? [one.reference] : [])
      const held = await owner('transfers').where({ pending_id: one.hold, kind: 'void' })
      expect(held).to.deep.equal([])
      expect((await deliver(report(one))).status).to.equal(200)
      expect((await ended(one.who, `/v1/payments/${one.payment}`)).state).to.equal('completed')
    }
  })
})

describe('two thousand instructions to a bank that is silent for two hours', () => {
  it('are enquired of three times each, and none is sent again (abuse 49)', () => {
    const policy: Policy = {
      ...{ enquiryFirst_s: 90, enquirySpacing_s: 1_800, enquiriesMax: 3 },
      ...{ cutOff_s: 86_400, manualAfter_s: 172_800, canBeAsked: true },
    }
    const [sent, over] = [Date.UTC(2026, 0, 1), Date.UTC(2026, 0, 1, 2)]
    const counts = times(2_000, (index) => {
      const sentAt = new Date(sent + index * 37)
      const one = { state: 'unknown' as const, sentAt, lastSentAt: sentAt, submissions: 1 }
      const done = { enquire: 0, submit: 0, wait: 0, manual: 0 }
      let at = lookAgainAt({ ...INSTRUCTION, ...one, enquiries: 0 }, sentAt, policy)
      while (at.getTime() < over) {
        done[nextStep({ ...one, enquiries: done.enquire }, at, policy)] += 1
        at = lookAgainAt({ ...INSTRUCTION, ...one, enquiries: done.enquire }, at, policy)
      }
      return done
    })
    for (const { enquire, submit, manual } of counts) {
      expect([enquire, submit, manual]).to.deep.equal([3, 0, 0])
    }
  })
})

/** What the policy does not look at. */
const INSTRUCTION = {} as Parameters<typeof lookAgainAt>[0]

describe('a price that changes while money is held', () => {
  it('is not the payment’s: it stays what it was when it was made (abuse 78)', async () => {
    const [ada, shop] = await Promise.all([
      person(50_000n),
      merchant({ percent: '1', fixed: '0', tax_percent: '20' }),
    ])
    const held = await authorize(ada, shop, '10000')
    const components = [{ kind: 'percent', percent: '5' }]
    const path = `/v1/merchants/${shop.id}/fee_schedules`
    const changed = await together(path, { body: { currency: 'EUR', components } })
    expect(changed.status, changed.text).to.equal(201)
    const taken = await capture(shop, held.id, {})
    expect([taken.body.fee, taken.body.tax]).to.deep.equal(['100', '20'])
    expect(taken.body.fee_schedule).to.equal(held.fee_schedule)
    const sums = taken.body.fee_lines.map(({ amount }: { amount: string }) => BigInt(amount))
    expect(sums.reduce((sum: bigint, one: bigint) => sum + one, 0n)).to.equal(120n)
    const { worker, owner } = await world()
    const account = await merchantAccountOf(worker, uuidOf(shop.id), 'EUR')
    const row = await owner('accounts').where({ id: account }).first()
    expect(row.credits_posted - row.debits_posted).to.equal(9_880n)
    const id = await order(shop, '10000')
    const now = await call(ada, 'POST', '/v1/payments', {
      body: { order: id, amount: '10000', currency: 'EUR', approval },
    })
    expect(now.body.fee).to.equal('500')
  })
})
