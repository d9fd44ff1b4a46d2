/** A bank's word, in every state of an instruction and in every order. */
import { expect } from 'chai'
import type { BankReport } from '../adapters/adapter.ts'
import { newId } from '../ledger/index.ts'
import { writeDown } from '../services/banking/inbox.ts'
import { findInstruction } from '../services/banking/instructions.ts'
import { next } from '../services/banking/machine.ts'
import { lookAgainAt, mayResend, nextStep, type Policy } from '../services/banking/policy.ts'
import { resolve } from '../services/banking/resolve.ts'
import { DEPENDANTS } from '../services/handlers.ts'
import { uuidOf } from '../services/ids.ts'
import { call } from './support/api.ts'
import { ended, linkedAccount, payment, person, PIN, walletBalance } from './support/people.ts'
import { world } from './support/world.ts'

const POLICY: Policy = {
  ...{ enquiryFirst_s: 90, enquirySpacing_s: 1_800, enquiriesMax: 3 },
  ...{ cutOff_s: 86_400, manualAfter_s: 172_800, canBeAsked: true },
}
const SENT = new Date('2026-01-01T00:00:00Z')
const ONCE = { sentAt: SENT, lastSentAt: SENT, submissions: 1 } as const
const after = (seconds: number) => new Date(SENT.getTime() + seconds * 1000)

describe('what to do about an instruction whose outcome is open', () => {
  const CASES = [
    ['it was never sent', 'created', null, 0, 0, 'submit'],
    ['it was sent a minute ago', 'sent', SENT, 0, 60, 'wait'],
    ['no callback came in 90 seconds', 'sent', SENT, 0, 90, 'enquire'],
    ['one enquiry is used up', 'unknown', SENT, 1, 2_000, 'enquire'],
    ['all enquiries are used up', 'unknown', SENT, 3, 7_000, 'wait'],
    ['the cut-off has passed', 'unknown', SENT, 3, 86_400, 'enquire'],
    ['nobody knows after two days', 'unknown', SENT, 9, 172_800, 'manual'],
    ['two days have passed and it was not asked since', 'unknown', SENT, 3, 172_800, 'enquire'],
    ['a clock says two days and it was never asked', 'sent', SENT, 0, 172_800, 'enquire'],
  ] as const
  for (const [when, state, sentAt, enquiries, age_s, step] of CASES) {
    it(`is to ${step} when ${when}`, () => {
      const known = { ...ONCE, state, sentAt, lastSentAt: sentAt, enquiries }
      expect(nextStep(known, after(age_s), POLICY)).to.equal(step)
    })
  }

  it('is to wait for a bank that cannot be asked, and then to give it to a person', () => {
    const [silent, known] = [
      { ...POLICY, canBeAsked: false },
      { ...ONCE, state: 'sent', enquiries: 0 } as const,
    ]
    expect(nextStep(known, after(86_400), silent)).to.equal('wait')
    expect(lookAgainAt(known, after(90), silent)).to.deep.equal(after(172_800))
    expect(nextStep(known, after(172_800), silent)).to.equal('manual')
  })

  it('is to send it again only after the cut-off, when the bank was asked often enough', () => {
    const asked = { lastSentAt: SENT, enquiries: 4 }
    expect(mayResend(asked, after(86_399), POLICY)).to.equal(false)
    expect(mayResend(asked, after(86_400), POLICY)).to.equal(true)
    expect(mayResend({ ...asked, enquiries: 3 }, after(86_400), POLICY)).to.equal(false)
    const again = { ...asked, lastSentAt: after(86_400) }
    expect(mayResend(again, after(90_000), POLICY), 'a copy is on its way').to.equal(false)
  })

  it('is looked at again at the first enquiry, then spaced, then at the cut-off', () => {
    const ages = [
      lookAgainAt({ ...ONCE, state: 'sent', enquiries: 0 }, after(0), POLICY),
      lookAgainAt({ ...ONCE, state: 'unknown', enquiries: 1 }, after(90), POLICY),
      lookAgainAt({ ...ONCE, state: 'unknown', enquiries: 3 }, after(3_700), POLICY),
      lookAgainAt({ ...ONCE, state: 'unknown', enquiries: 4 }, after(90_000), POLICY),
    ].map((at) => (at.getTime() - SENT.getTime()) / 1000)
    expect(ages).to.deep.equal([90, 1_890, 86_400, 91_800])
  })
})

describe('a bank’s word', () => {
  const OUTCOMES = ['settled', 'rejected', 'returned'] as const

  /**
   * A top-up of 1,000 whose callback was never rung for, so that the test alone applies reports.
   */
  async function openTopUp() {
    const ada = await person()
    const body = { amount: '1090', currency: 'EUR', approval: { pin: PIN } }
    const bank_account = await linkedAccount(ada, 'east')
    const asked = await call(ada, 'POST', '/v1/top_ups', { body: { ...body, bank_account } })
    const { worker, owner } = await world()
    const subject = uuidOf(asked.body.id)
    const { id, reference } = await owner('instructions').where({ subject_id: subject }).first()
    const apply = async (outcome: BankReport['outcome'], amount = 1_090n) => {
      const instruction = await findInstruction(worker.db, { id })
      if (instruction === undefined) throw new Error('no instruction')
      const report = {
        ...{ eventId: newId(), reference, outcome, occurredAt: new Date() },
        money: { amount, currency: 'EUR' },
      }
      const inbox = { bank: 'east', source: 'callback' } as const
      const { ids } = await writeDown(worker, worker.db, inbox, [report])
      return resolve(worker, DEPENDANTS, instruction, report, ids[0])
    }
    const state = async () => (await owner('instructions').where({ id }).first()).state
    return { ada, id: asked.body.id as string, apply, state }
  }

  for (const first of OUTCOMES) {
    for (const second of OUTCOMES) {
      const expected = next(first, second)
      it(`${second} after ${first} is ${expected} (abuse 71)`, async () => {
        const { ada, id, apply } = await openTopUp()
        expect(await apply(first)).to.equal('applied')
        const applied =
          expected === 'duplicate' || expected === 'contradiction' ? expected : 'applied'
        expect(await apply(second)).to.equal(applied)
        const isThere = first === 'settled' && second !== 'returned'
        expect(await walletBalance(ada)).to.equal(isThere ? 1_090n : 0n)
        const paid = await ended(ada, `/v1/payments/${id}`)
        expect(paid.state).to.equal(first === 'settled' ? 'completed' : 'failed')
      })
    }
  }

  it('is applied once when many say it at once', async () => {
    const { ada, apply } = await openTopUp()
    const all = await Promise.all(Array.from({ length: 10 }, () => apply('settled')))
    expect(all.filter((one) => one === 'applied')).to.have.length(1)
    expect(await walletBalance(ada)).to.equal(1_090n)
  })

  it('with another amount moves nothing, and the right one later does', async () => {
    const { ada, apply, state } = await openTopUp()
    expect(await apply('settled', 1_091n)).to.equal('manual')
    expect(await state()).to.equal('manual')
    expect(await walletBalance(ada)).to.equal(0n)
    expect(await apply('settled')).to.equal('applied')
    expect(await walletBalance(ada)).to.equal(1_090n)
  })

  it('that takes spent money back leaves the gap where everybody sees it', async () => {
    const { ada, apply } = await openTopUp()
    const ben = await person()
    await apply('settled')
    await call(ada, 'POST', '/v1/payments', { body: payment(ben, '1000') })
    const { owner } = await world()
    const gap = async () => {
      const row = await owner('accounts').where({ type: 'suspense', owner: 'bank:east' }).first()
      return BigInt(row.credits_posted) - BigInt(row.debits_posted)
    }
    const before = await gap()
    expect(await apply('returned')).to.equal('applied')
    expect(before - (await gap())).to.equal(1_090n)
    expect(await walletBalance(ada)).to.equal(90n)
  })
})
