/** The judges of the torture that hold books, banks, webhooks and logs against what was asked. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { judgeBank, type Ours, readBankLog } from './torture/agree.ts'
import { type Happened, judgeEvents } from './torture/heard.ts'
import type { Arrival } from './torture/hooks.ts'
import type { Entry } from './torture/journal.ts'
import { balancesOf, judgeBalances } from './torture/model.ts'
import { intentsOf } from './torture/told.ts'
import { done } from './support/done.ts'

interface Told {
  readonly what: string
  readonly where: string
}
const words = (found: readonly Told[]) => found.map(({ what, where }) => `${what} ${where}`)

async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'florin-judges-'))
  try {
    return await work(folder)
  } finally {
    await rm(folder, { recursive: true })
  }
}

describe('the judge of banks', () => {
  const accepted = (reference: string, direction: string, amount: string) => ({
    ...{ kind: 'accepted', reference, direction, amount },
  })
  const executed = (reference: string, outcome = 'settled') => ({
    ...{ kind: 'executed', reference, outcome },
  })
  const LOG = [
    ...[accepted('IN', 'debit', '100'), executed('IN')],
    ...[accepted('OUT', 'credit', '30'), executed('OUT')],
    ...[accepted('NOT', 'credit', '7'), executed('NOT', 'rejected')],
  ]
  const OURS: Ours = {
    ...{ bank: 'north', money: 70n, incoming: [] },
    instructions: [
      { reference: 'IN', direction: 'debit', state: 'settled', amount: 100n },
      { reference: 'OUT', direction: 'credit', state: 'settled', amount: 30n },
      { reference: 'NOT', direction: 'credit', state: 'rejected', amount: 7n },
    ],
  }
  const stated = (reference: string, state: string): Ours => ({
    ...OURS,
    instructions: OURS.instructions.map((row) =>
      row.reference === reference ? { ...row, state } : row,
    ),
  })
  const judged = (ours: Ours, log: readonly object[]) =>
    inFolder(async (folder) => {
      const file = join(folder, 'north.jsonl')
      await writeFile(file, log.map((line) => `${JSON.stringify(line)}\n`).join(''))
      return words(judgeBank(ours, readBankLog(file)))
    })

  it('finds nothing where both say the same', async () => {
    expect(await judged(OURS, LOG)).to.deep.equal([])
  })

  it('finds what was paid twice, and the money that is gone', async () => {
    const found = await judged(OURS, [...LOG, executed('OUT')])
    expect(found).to.include('paid_twice OUT').and.to.include('settled_never_paid OUT')
    expect(found.join()).to.include('sum north: 70 in our books, 40')
  })

  it('finds what was given back to its owner, and paid all the same', async () => {
    expect(await judged(stated('OUT', 'rejected'), LOG)).to.deep.equal(['refunded_but_paid OUT'])
  })

  it('finds what we say was paid and was not', async () => {
    expect(await judged(stated('NOT', 'settled'), LOG)).to.deep.equal(['settled_never_paid NOT'])
  })

  it('finds what the bank paid and we never asked for', async () => {
    const log = [...LOG, accepted('WHO', 'credit', '1'), executed('WHO')]
    expect(await judged(OURS, log)).to.include('unknown_to_us WHO')
  })

  it('finds money that came back and is not here', async () => {
    const log = [...LOG, executed('OUT', 'returned')]
    expect(await judged(OURS, log)).to.include('settled_never_paid OUT')
    const told = { ...stated('OUT', 'returned'), money: 100n }
    expect(await judged(told, log)).to.deep.equal([])
    expect(await judged({ ...told, money: 70n }, log)).to.deep.equal([
      'sum north: 70 in our books, 100',
    ])
  })

  it('finds money that came unasked and is not here, is here twice, or never came', async () => {
    const came = { kind: 'received', reference: 'R1', amount: '5', remittance: '' }
    const log = [...LOG, came]
    const known = { reference: 'R1', amount: 5n }
    const here = (...incoming: (typeof known)[]) => ({ ...OURS, money: 75n, incoming })
    expect(await judged(here(known), log)).to.deep.equal([])
    expect(await judged(here(), log)).to.deep.equal(['incoming_lost R1: 5'])
    expect(await judged(here(known, known), log)).to.deep.equal(['incoming_invented 1 twice'])
    const other = ['incoming_lost R1: 5', 'incoming_invented R1: 6']
    expect(await judged(here({ ...known, amount: 6n }), log)).to.deep.equal(other)
    expect(await judged({ ...here(known), money: 70n }, log)).to.deep.equal([
      'sum north: 70 in our books, 75',
    ])
  })

  it('finds money in our books that the bank has not', async () => {
    const found = await judged({ ...OURS, money: 71n }, LOG)
    expect(found).to.deep.equal(['sum north: 71 in our books, 70'])
  })
})

describe('the model of the torture', () => {
  const fees = { percent: '1.5', fixed: '25', tax_percent: '20', refund_fees: 'keep' }
  const shop = (policy: string) =>
    done('olga', '/v1/merchants', 'mer_1', {
      ...{ subject: 'shop', fees: { ...fees, refund_fees: policy } },
    })
  const order = (more: object = {}) =>
    done('shop', '/v1/orders', 'ord_1', { amount: '1000', ...more })
  const paid = done('ada', '/v1/payments', 'pay_1', { order: 'ord_1', amount: '1000' })
  const step = (what: string, amount?: string) =>
    done('shop', `/v1/payments/pay_1/${what}`, 'x', amount === undefined ? {} : { amount })
  const balances = (entries: readonly Entry[], settled: Record<string, bigint> = {}) =>
    Object.fromEntries(balancesOf(intentsOf(entries), new Map(Object.entries(settled))))

  it('counts on a bank only for what it has moved', () => {
    const entries = [
      ...done('ada', '/v1/top_ups', 'pay_1', { amount: '500' }),
      ...done('ada', '/v1/top_ups', 'pay_2', { amount: '70' }),
      ...done('ada', '/v1/withdrawals', 'pay_3', { amount: '100' }),
      ...done('ada', '/v1/payments', 'pay_4', { amount: '9', payee: '@ben', source: 'bac_1' }),
      ...done('ada', '/v1/payments', 'pay_5', { amount: '50', payee: '@ben' }),
    ]
    const settled = { pay_1: 500n, pay_3: -100n, pay_4: 9n }
    expect(balances(entries, settled)).to.deep.equal({ 'wallet ada': 350n, 'wallet ben': 59n })
  })

  it('knows the fee of a sale, its tax, and each way of giving it back', () => {
    // 1.5 % of 10.00 is 0.15, with 0.25 it is 0.40, and its tax is 0.08.
    const sold = { 'wallet ada': -1000n, 'merchant shop': 952n, fees: 40n, tax: 8n }
    const sale = [...order(), ...paid]
    expect(balances([...shop('keep'), ...sale])).to.deep.equal(sold)
    const part = [...sale, ...step('refunds', '500')]
    const wallet = { 'wallet ada': -500n }
    expect(balances([...shop('keep'), ...part])).to.deep.equal({
      ...{ ...sold, ...wallet, 'merchant shop': 452n },
    })
    expect(balances([...shop('give_back'), ...part])).to.deep.equal({
      ...{ ...wallet, 'merchant shop': 476n, fees: 20n, tax: 4n },
    })
    // Half of 0.15 is 0.075, which is rounded to 0.08; of the tax it is 0.015, and so 0.02.
    expect(balances([...shop('pro_rata'), ...part])).to.deep.equal({
      ...{ ...wallet, 'merchant shop': 462n, fees: 32n, tax: 6n },
    })
  })

  it('charges for what was captured', () => {
    const held = [...shop('keep'), ...order({ capture: 'manual' }), ...paid]
    const nothing = { 'wallet ada': 0n, 'merchant shop': 0n, fees: 0n, tax: 0n }
    expect(balances(held)).to.deep.equal({ ...nothing, 'held ada': 1000n })
    expect(balances([...held, ...step('void')])).to.deep.equal(nothing)
    const part = step('capture', '400')
    expect(balances([...held, ...part])['held ada']).to.equal(600n)
    expect(balances([...held, ...part, ...step('void')])['held ada']).to.equal(undefined)
    const taken = { 'wallet ada': -1000n, 'merchant shop': 952n, fees: 40n, tax: 8n }
    expect(balances([...held, ...part, ...step('capture')])).to.deep.equal(taken)
  })

  it('knows where contested money is, and what is paid out to merchants', () => {
    const sold = [...shop('keep'), ...order(), ...paid, ...step('refunds', '300')]
    const opened = [...sold, ...done('ada', '/v1/payments/pay_1/disputes', 'dsp_1')]
    const before = { 'wallet ada': -700n, 'merchant shop': 652n, fees: 40n, tax: 8n }
    const contested = balances(opened)
    expect(contested).to.include({ ...before, 'merchant shop': -48n, suspense: 700n })
    const decided = (path: string, body: object = {}) =>
      balances([...opened, ...done('shop', `/v1/disputes/dsp_1/${path}`, 'dsp_1', { ...body })])
    const lost = { ...before, 'merchant shop': -48n, 'wallet ada': 0n }
    expect(decided('accept')).to.include(lost).and.not.to.have.property('suspense')
    expect(decided('resolve', { outcome: 'lost' })).to.include(lost)
    expect(decided('resolve', { outcome: 'won' })).to.include(before)
    expect(decided('evidence')).to.deep.equal(contested)
    const settled = [...sold, ...done('shop', '/v1/settlements', 'set_1')]
    expect(balances(settled, { set_1: -650n })).to.include({ 'merchant shop': 2n })
  })

  it('gives what came unasked to whom it names, and to nobody else', () => {
    const unasked = [
      { amount: 5n, remittance: 'For @ada' },
      { amount: 7n, remittance: 'Thank you, ada' },
    ]
    const found = Object.fromEntries(balancesOf(intentsOf([]), new Map(), unasked))
    expect(found).to.deep.equal({ 'wallet ada': 5n, suspense: 7n })
  })

  it('finds a balance that is a cent too high, one that is missing, and one too many', () => {
    const expected = new Map(Object.entries({ a: 1n, b: 2n }))
    const judged = (actual: Record<string, bigint>) =>
      words(judgeBalances(expected, new Map(Object.entries(actual))))
    expect(judged({ a: 1n, b: 2n, c: 0n })).to.deep.equal([])
    expect(judged({ a: 1n, b: 3n })).to.deep.equal(['balance b: 3, not 2'])
    expect(judged({ a: 1n })).to.deep.equal(['balance b: 0, not 2'])
    expect(judged({ a: 1n, b: 2n, c: 5n })).to.deep.equal(['balance c: 5, not 0'])
  })
})

describe('the judge of webhooks', () => {
  const HAPPENED: readonly Happened[] = [
    { id: 'evt_1', shop: 'shop', type: 'order.created', object: 'ord_1' },
    { id: 'evt_2', shop: 'shop', type: 'payment.completed', object: 'pay_1' },
  ]
  const arrival = ({ id, shop, type, object }: Happened, more: Partial<Arrival> = {}): Arrival => ({
    ...{ id, shop, body: JSON.stringify({ id, type, object }) },
    ...{ isSigned: true, isAccepted: true, ...more },
  })
  const ASKED = [
    ...done('shop', '/v1/orders', 'ord_1'),
    ...done('ada', '/v1/payments', 'pay_1', { order: 'ord_1' }),
    ...done('ada', '/v1/payments', 'pay_9', { payee: '@ben' }),
  ]
  const ARRIVED = HAPPENED.map((one) => arrival(one))
  const judged = (arrivals: readonly Arrival[], happened = HAPPENED, asked = ASKED) =>
    words(judgeEvents(happened, arrivals, intentsOf(asked)))
  const [first = ARRIVED[0]] = ARRIVED
  const again = (more: Partial<Arrival>) => [
    ...ARRIVED,
    ...(first === undefined ? [] : [{ ...first, ...more }]),
  ]

  it('finds nothing where all arrived, some of it twice', () => {
    expect(judged(again({ isAccepted: false }))).to.deep.equal([])
  })

  it('finds what never arrived, and what was never accepted', () => {
    const lost = ['event_lost payment.completed evt_2']
    expect(judged(ARRIVED.slice(0, 1))).to.deep.equal(lost)
    const refused = ARRIVED.map((one) => ({ ...one, isAccepted: one.id === 'evt_1' }))
    expect(judged(refused)).to.deep.equal(lost)
  })

  it('finds what came to another merchant', () => {
    expect(judged(again({ shop: 'other' }))).to.deep.equal(['event_invented evt_1'])
  })

  it('finds what never happened, and what came under the id of something else', () => {
    expect(judged(again({ id: 'evt_9' }))).to.deep.equal(['event_invented evt_9'])
    expect(judged(again({ body: '{"id":"evt_1","type":"x","object":"y"}' }))).to.deep.equal([
      'event_invented evt_1',
    ])
  })

  it('finds what was told otherwise the second time, and what nobody signed', () => {
    expect(judged(again({ body: `${first?.body} ` }))).to.deep.equal(['event_changed evt_1'])
    expect(judged(again({ isSigned: false }))).to.deep.equal(['event_unsigned evt_1'])
  })

  it('finds what was acknowledged, and is in no log of events', () => {
    const asked = [...ASKED, ...done('shop', '/v1/payments/pay_1/refunds', 'rfd_1')]
    expect(judged(ARRIVED, HAPPENED, asked)).to.have.length(1)
  })

  const PAID = ASKED.slice(2, 4)

  it('finds a capture or a void of which nothing is told but what was there before', () => {
    const event = (type: string) => ({ id: `evt_${type}`, shop: 'shop', type, object: 'pay_1' })
    const told = (types: readonly string[], ...steps: readonly string[]) => {
      const happened = types.map(event)
      const asked = steps.flatMap((step) => done('shop', `/v1/payments/pay_1/${step}`, 'pay_1'))
      const arrivals = happened.map((one) => arrival(one))
      return judged(arrivals, happened, [...PAID, ...asked]).length
    }
    const [held, part, all] = ['payment.authorized', 'payment.captured', 'payment.completed']
    expect(told([held, part, part], 'capture', 'capture')).to.equal(0)
    expect(told([held, part], 'capture', 'capture')).to.equal(1)
    expect(told([held, part, all], 'capture', 'void')).to.equal(0)
    expect(told([held, 'payment.canceled'], 'void')).to.equal(0)
    expect(told([held], 'void')).to.equal(1)
  })
})
