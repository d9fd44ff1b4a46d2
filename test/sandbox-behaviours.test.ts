/** The sandbox bank's faults, row by row, as its partner sees them through the adapter. */
import { expect } from 'chai'
import type { IncomingHttpHeaders } from 'node:http'
import { type BankAdapter, BankError, type BankEvent } from '../adapters/adapter.ts'
import {
  BEHAVIOUR_NAMES,
  BEHAVIOURS,
  behaviourOf,
  type BehaviourName,
} from '../adapters/sandbox/behaviours.ts'
import {
  adapterFor,
  codeOf,
  instruction,
  startBank,
  startReceiver,
  until,
} from './support/sandbox-bank.ts'

describe('each behaviour of the sandbox bank', function () {
  this.timeout(20_000)
  /** What submit says, which callbacks come, and what an enquiry says in the end. */
  type Expectation = readonly [amount: bigint, submit: string, callbacks: string[], final: string]
  const UNKNOWN = 'bank_outcome_unknown'
  const EXPECTED: Record<BehaviourName, Expectation> = {
    normal: [12_00n, 'accepted', ['settled'], 'settled'],
    at_once: [12_80n, 'final', ['settled'], 'settled'],
    burst: [12_81n, UNKNOWN, ['settled'], 'settled'],
    bad_signature: [12_82n, 'accepted', ['forged', 'settled'], 'settled'],
    reordered: [12_83n, 'accepted', ['returned AC06', 'settled'], 'returned AC06'],
    found_late: [12_84n, UNKNOWN, ['settled'], 'settled'],
    duplicate: [12_85n, UNKNOWN, ['settled'], 'settled'],
    days_later: [12_86n, 'accepted', ['settled'], 'settled'],
    recall_refused: [12_87n, 'accepted', ['settled'], 'settled'],
    late: [12_90n, 'accepted', ['settled'], 'settled'],
    rejected: [12_91n, 'accepted', ['rejected AC04'], 'rejected AC04'],
    silent: [12_92n, UNKNOWN, [], 'settled'],
    repeated: [12_93n, 'accepted', ['settled', 'settled', 'settled'], 'settled'],
    dropped: [12_94n, UNKNOWN, ['settled'], 'settled'],
    error: [12_95n, UNKNOWN, ['settled'], 'settled'],
    garbage: [12_96n, UNKNOWN, ['settled'], 'settled'],
    wrong_amount: [12_97n, 'accepted', ['settled'], 'settled'],
    returned: [12_98n, 'accepted', ['settled', 'returned AC06'], 'returned AC06'],
  }
  const reports = new Map<string, BankEvent[]>()
  const sent = new Map(BEHAVIOUR_NAMES.map((name) => [name, instruction(EXPECTED[name][0])]))
  let bank: Awaited<ReturnType<typeof startBank>>
  let receiver: Awaited<ReturnType<typeof startReceiver>>

  before(async () => {
    receiver = await startReceiver()
    bank = await startBank({ callbackUrl: receiver.url })
  })
  after(() => Promise.all([bank.stop(), receiver.stop()]))

  for (const name of BEHAVIOUR_NAMES)
    it(`${name}: ${BEHAVIOURS[name].sentence}`, async () => {
      const adapter = adapterFor(bank.url)
      const order = sent.get(name) ?? instruction(1n)
      const [amount, submit, callbacks, final] = EXPECTED[name]
      expect(behaviourOf(amount)).to.equal(BEHAVIOURS[name])
      const state = adapter.submit(order).then((answer) => answer.state)
      expect(await codeOf(state)).to.equal(submit)
      if (BEHAVIOURS[name].isHidden) {
        expect(await adapter.enquire(order.reference)).to.eql({ state: 'not_found' })
      }
      for (let drops = BEHAVIOURS[name].drops; drops > 0; drops -= 1) {
        expect(await adapter.enquire(order.reference)).to.eql({ state: 'not_found' })
        const again = adapter.submit(order).then((answer) => answer.state)
        expect(await codeOf(again)).to.equal(drops > 1 ? UNKNOWN : 'accepted')
      }
      if (name === 'late') return
      await settle(name, callbacks, final)
    })
  it('late: is still accepted long after the others, and then settles', async () => {
    const { reference } = sent.get('late') ?? instruction(1n)
    expect(await adapterFor(bank.url).enquire(reference)).to.eql({ state: 'accepted' })
    await settle('late', EXPECTED.late[2], EXPECTED.late[3])
  })
  it('every other callback tells what moved, under an id that a copy keeps', () => {
    for (const [name, order] of sent) {
      const found = reports.get(order.reference) ?? []
      const claimed = order.money.amount - (name === 'wrong_amount' ? 1n : 0n)
      for (const { money } of found) expect(money).to.eql({ ...order.money, amount: claimed })
      const events = new Set(found.map(({ eventId }) => eventId))
      expect(events.size).to.equal(new Set(found.map(words)).size)
    }
  })
  it('an amount below one hundred is always normal', () => {
    expect(behaviourOf(91n)).to.equal(BEHAVIOURS.normal)
    expect(behaviourOf(191n)).to.equal(BEHAVIOURS.rejected)
  })

  const settle = async (name: BehaviourName, callbacks: string[], final: string) => {
    const adapter = adapterFor(bank.url)
    const { reference, money } = sent.get(name) ?? instruction(1n)
    const arrived = () =>
      receiver.received
        .filter(({ body }) => body.includes(`"${reference}"`))
        .map(({ headers, body }) => read(adapter, headers, body))
    await until(async () => {
      const answer = await adapter.enquire(reference)
      const isFinal = answer.state === 'final' && words(answer.report) === final
      if (isFinal) expect(answer.report.money).to.eql(money)
      return isFinal && arrived().length === callbacks.length
    })
    reports.set(
      reference,
      arrived().filter((one) => one !== undefined),
    )
    expect(arrived().map(words)).to.eql(callbacks)
  }
})

/** Undefined where nobody can have signed it. */
function read(adapter: BankAdapter, headers: IncomingHttpHeaders, body: Buffer) {
  try {
    return adapter.readCallback(headers, body, new Date())
  } catch (error) {
    if (error instanceof BankError && error.code === 'bad_signature') return undefined
    throw error
  }
}

const words = (event: BankEvent | undefined) =>
  event === undefined
    ? 'forged'
    : [event.outcome, 'reason' in event ? event.reason : ''].join(' ').trim()
