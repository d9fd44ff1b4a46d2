/** The rows of the kit: what the contract promises, in the order in which a reader would ask. */
import { randomInt } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Capability, Instruction, NameCheck } from '../adapter.ts'
import {
  booked,
  enquired,
  eventsOf,
  expect,
  expectFailure,
  expectMoney,
  order,
  statementOf,
  tell,
  told,
} from './asking.ts'
import { CALLBACK_ROWS } from './callback_rows.ts'
import { FILE_ROWS } from './file_rows.ts'
import type { BankUnderTest, Row } from './kit.ts'

/** A second payment would be booked by then. */
const SETTLING_MS = 300

/** Of an amount that nobody else has; its last two digits ask for the same. */
const unlike = (asked: Instruction): Instruction => {
  const { amount, currency } = asked.money
  return { ...asked, money: { amount: amount + 100n * BigInt(randomInt(1, 9_000)), currency } }
}

const isOf = (booked: bigint, { money }: Instruction) =>
  booked === money.amount || booked === -money.amount

/** Calls by what they need, tried where it is missing. */
const CALLS: Readonly<Partial<Record<Capability, (bank: BankUnderTest) => unknown>>> = {
  enquiry: ({ adapter }) => adapter.enquire('CERT0'),
  callback: ({ adapter }) => adapter.readCallback({}, Buffer.from('{}'), new Date()),
  collect: ({ adapter }) => adapter.collect()[Symbol.asyncIterator]().next(),
  statement: ({ adapter }) => adapter.fetchStatement()[Symbol.asyncIterator]().next(),
  recall: (bank) => {
    const { reference, money } = order(bank, 'settled')
    const recall = { reference: `${reference}R`, original: { reference, money }, reason: 'DUPL' }
    return bank.adapter.recall(recall)
  },
}

const MOVING: readonly Row[] = [
  {
    ...{ name: 'pays out, and says so', needs: ['credit'], provokes: ['settled'] },
    async try(bank) {
      const asked = order(bank, 'settled', { direction: 'credit' })
      await tell(bank, asked)
      expectMoney(await told(bank, asked.reference, 'settled'), asked)
    },
  },
  {
    ...{ name: 'takes in, and says so', needs: ['debit'], provokes: ['settled'] },
    async try(bank) {
      const asked = order(bank, 'settled', { direction: 'debit' })
      await tell(bank, asked)
      expectMoney(await told(bank, asked.reference, 'settled'), asked)
    },
  },
  {
    name: 'moves money once for a reference that comes twice',
    ...{ needs: ['statement'], unless: ['batch'], provokes: ['settled'] },
    async try(bank) {
      const asked = unlike(order(bank, 'settled'))
      await tell(bank, asked)
      await bank.adapter.submit(asked).catch(() => undefined)
      await told(bank, asked.reference, 'settled')
      await booked(bank, asked.reference, 1)
      await sleep(SETTLING_MS)
      const lines = (await statementOf(bank)).filter(({ amount }) => isOf(amount, asked))
      expect(lines.length === 1, `booked ${lines.length} times`)
    },
  },
  {
    name: 'does not take a reference that it knows for a success',
    ...{ needs: ['callback'], unless: ['batch'], provokes: ['rejected'] },
    async try(bank) {
      const asked = order(bank, 'rejected')
      await tell(bank, asked)
      const again = await bank.adapter.submit(asked).catch(() => undefined)
      const said = again?.state === 'final' ? again.report.outcome : 'rejected'
      expect(said === 'rejected', `it is ${said} the second time`)
    },
  },
  {
    ...{ name: 'says why it rejects', needs: [], provokes: ['rejected'] },
    async try(bank) {
      const asked = order(bank, 'rejected')
      await tell(bank, asked)
      const report = await told(bank, asked.reference, 'rejected')
      expectMoney(report, asked)
      expect(/^[A-Z0-9]{4}$/.test(report.reason ?? ''), `the reason is ${report.reason}`)
    },
  },
  {
    ...{ name: 'rejects an account that is not there', needs: [], provokes: ['settled'] },
    async try(bank) {
      const asked = order(bank, 'settled', { account: bank.nobody })
      await tell(bank, asked)
      await told(bank, asked.reference, 'rejected')
    },
  },
  {
    ...{ name: 'tells of a return after it has settled', needs: ['return'] },
    provokes: ['returned'],
    async try(bank) {
      const asked = order(bank, 'returned')
      await tell(bank, asked)
      const report = await told(bank, asked.reference, 'returned')
      expectMoney(report, asked)
      const ids = new Set((await eventsOf(bank, asked.reference)).map(({ eventId }) => eventId))
      expect(ids.size >= 2, 'settlement and return have one event id')
    },
  },
]

/** An answer that proves nothing must not be taken for one that does. */
const proves = (provocation: 'silent' | 'error' | 'garbage', name: string): Row => ({
  ...{ name, needs: ['enquiry'], unless: ['batch'], provokes: [provocation] },
  async try(bank) {
    const asked = order(bank, provocation)
    const submit = () => bank.adapter.submit(asked)
    await expectFailure(submit, 'bank_outcome_unknown', 'submit')
    expectMoney(await enquired(bank, asked.reference), asked)
  },
})

const ASKING: readonly Row[] = [
  {
    ...{ name: 'says what became of it when asked', needs: ['enquiry'], provokes: ['settled'] },
    async try(bank) {
      const asked = order(bank, 'settled')
      await tell(bank, asked)
      const report = await enquired(bank, asked.reference)
      expect(report.outcome === 'settled', `it is ${report.outcome}`)
      expectMoney(report, asked)
    },
  },
  {
    ...{ name: 'does not know what it was never told', needs: ['enquiry'] },
    async try({ adapter }) {
      const { state } = await adapter.enquire(`CERTNEVER${Date.now()}`)
      expect(state === 'not_found', `it is ${state}`)
    },
  },
  proves('silent', 'does not know the outcome when nobody answers'),
  proves('error', 'does not know the outcome when the answer is an error'),
  proves('garbage', 'does not know the outcome when the answer makes no sense'),
  {
    ...{ name: 'knows that nothing arrived where nobody listens', needs: [], needsAddress: true },
    provokes: ['settled'],
    async try(bank) {
      const submit = () => bank.nowhere?.submit(order(bank, 'settled'))
      await expectFailure(submit, 'bank_unreachable', 'submit')
    },
  },
]

const TELLING: readonly Row[] = [
  {
    ...{ name: 'books each line once, with our reference', needs: ['statement'] },
    provokes: ['settled'],
    async try(bank) {
      const asked = order(bank, 'settled')
      await tell(bank, asked)
      await told(bank, asked.reference, 'settled')
      const [line, ...more] = await booked(bank, asked.reference, 1)
      expect(line !== undefined && more.length === 0, 'not one line')
      const sign = asked.direction === 'debit' ? 1n : -1n
      const [is, was] = [line.amount, sign * asked.money.amount]
      expect(is === was, `${is} instead of ${was}`)
      expect(line.currency === asked.money.currency, `in ${line.currency}`)
    },
  },
  {
    ...{ name: 'numbers the lines without a gap', needs: ['statement'] },
    async try(bank) {
      const lines = await statementOf(bank)
      expect(lines.length > 0, 'there are none')
      const gap = lines.findIndex(({ line }, index) => line !== index + 1)
      expect(gap === -1, `line ${gap + 1} is missing`)
    },
  },
  {
    ...{ name: 'knows whose an account is', needs: ['name_check'] },
    async try({ adapter, account, nobody, names }) {
      const { number, holder } = account
      const cases: readonly (readonly [string, string, NameCheck])[] = [
        ...([[number, holder, 'match']] as const),
        ...([[number, names.similar, 'close_match']] as const),
        ...([[number, names.other, 'no_match']] as const),
        [nobody.number, nobody.holder, 'not_possible'],
      ]
      for (const [asked, name, expected] of cases) {
        const said = await adapter.checkName({ number: asked, holder: name })
        expect(said.result === expected, `${name}: ${said.result} instead of ${expected}`)
        const mayTell = expected === 'close_match' && said.name === holder
        expect(said.name === undefined || mayTell, `${name}: it tells the name ${said.name}`)
      }
    },
  },
  ...(['recall_returned', 'recall_refused'] as const).map((provocation): Row => ({
    name: provocation === 'recall_returned' ? 'gets money back' : 'says that money is kept',
    ...{ needs: ['recall'], provokes: [provocation] },
    async try(bank) {
      const asked = order(bank, provocation, { direction: 'credit' })
      await tell(bank, asked)
      await told(bank, asked.reference, 'settled')
      const { reference, money } = asked
      const recall = { reference: `${reference}R`, original: { reference, money } }
      await bank.adapter.recall({ ...recall, reason: 'DUPL' })
      const outcome = provocation === 'recall_returned' ? 'returned' : 'recall_refused'
      await told(bank, reference, outcome)
    },
  })),
]

const MISSING: readonly Row[] = Object.entries(CALLS).map(([capability, call]) => ({
  name: `refuses what it does not offer: ${capability}`,
  ...{ needs: [], unless: [capability as Capability] },
  try: (bank) => expectFailure(() => call(bank), 'bank_not_capable', capability),
}))

export const ROWS: readonly Row[] = [
  ...[...MOVING, ...ASKING, ...CALLBACK_ROWS, ...FILE_ROWS],
  ...[...TELLING, ...MISSING],
]
