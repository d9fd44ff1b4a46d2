/** What a hundred thousand instructions come to when a bank's network is bad, and who loses. */
import { expect } from 'chai'
import type { Policy } from '../services/banking/policy.ts'
import { type Days, type Mistake, type Outcomes, simulate } from './model/bank-days.ts'
import { randomOf } from './support/random.ts'

const INSTRUCTIONS = Number(process.env['RUNS'] ?? 0) > 1_000 ? 100_000 : 4_000
const SEED = Number(process.env['SEED'] ?? 20_260_101)

const ODDS = {
  ...{ requestLost: 0.02, replyLost: 0.03, late: 0.03, rejected: 0.02, returned: 0.01 },
  ...{ callbackLost: 0.05, callbackTwice: 0.05 },
}

/** As it is set unless told otherwise, with a bank whose cut-off is shorter than a day. */
const POLICY: Policy = {
  ...{ enquiryFirst_s: 90, enquirySpacing_s: 1_800, enquiriesMax: 3 },
  ...{ cutOff_s: 4 * 3_600, manualAfter_s: 86_400, canBeAsked: true },
}

const run = (more: Partial<Days>): Outcomes =>
  simulate({
    ...{ instructions: INSTRUCTIONS, odds: ODDS, policy: POLICY, recognises: true },
    ...{ random: randomOf(SEED), ...more },
  })

const lossOf = ({ paidTwice, refundedButPaid, settledButNeverPaid }: Outcomes) => ({
  ...{ paidTwice, refundedButPaid, settledButNeverPaid },
})
const NOTHING = { paidTwice: 0, refundedButPaid: 0, settledButNeverPaid: 0 }

describe(`of ${INSTRUCTIONS} instructions over a bad network (seed ${SEED})`, function () {
  this.timeout(60_000)

  for (const recognises of [true, false]) {
    const bank = recognises ? 'a bank that knows its references' : 'one that does not'
    it(`none is paid twice, refunded though paid, or settled though not, by ${bank}`, () => {
      const outcomes = run({ recognises })
      process.stdout.write(`      ${JSON.stringify({ ...outcomes, manual: outcomes.manual })}\n`)
      expect(lossOf(outcomes)).to.deep.equal(NOTHING)
      expect(outcomes.stuck).to.equal(0)
      expect(outcomes.manual.length, 'few are left to a person').to.be.at.most(INSTRUCTIONS / 1_000)
    })
  }

  it('none is lost by a bank that cannot be asked; more are left to a person', () => {
    const outcomes = run({ policy: { ...POLICY, canBeAsked: false } })
    expect(lossOf(outcomes)).to.deep.equal(NOTHING)
    expect(outcomes.stuck).to.equal(0)
    expect(outcomes.enquiriesMax).to.equal(0)
    expect(outcomes.manual.length).to.be.at.least(INSTRUCTIONS / 1_000)
  })

  it('the bank is asked at most three times before its cut-off', () => {
    const days = { cutOff_s: 86_400, manualAfter_s: 86_400 }
    expect(run({ policy: { ...POLICY, ...days } }).enquiriesMax).to.equal(4)
  })

  const MISTAKES: readonly (readonly [Mistake, keyof typeof NOTHING, boolean])[] = [
    ['a timeout is a refusal', 'refundedButPaid', true],
    ['a timeout is a success', 'settledButNeverPaid', true],
    ['a retry has a new reference', 'paidTwice', true],
    ['a retry is made at once', 'paidTwice', false],
    ['not found is final', 'refundedButPaid', true],
    ['a known reference is a success', 'settledButNeverPaid', true],
  ]
  for (const [mistake, loss, recognises] of MISTAKES) {
    it(`some are ${loss} where ${mistake}: so this test can fail`, () => {
      expect(run({ mistake, recognises })[loss]).to.be.at.least(1)
    })
  }
})
