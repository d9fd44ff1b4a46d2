/** What the sandbox bank does when nobody instructs it: time, recalls, money that comes. */
import { readFile } from 'node:fs/promises'
import { expect } from 'chai'
import type { BankEvent } from '../adapters/adapter.ts'
import { MAGIC_ACCOUNTS } from '../adapters/sandbox/behaviours.ts'
import {
  ADA,
  adapterFor,
  BEN,
  booksOf,
  codeOf,
  finished,
  instruction,
  startBank,
  startReceiver,
  statementOf,
  until,
} from './support/sandbox-bank.ts'

type Bank = Awaited<ReturnType<typeof startBank>>
type Receiver = Awaited<ReturnType<typeof startReceiver>>

describe('the sandbox bank by itself', () => {
  let bank: Bank
  let receiver: Receiver

  before(async () => {
    receiver = await startReceiver()
    bank = await startBank({ callbackUrl: receiver.url })
  })
  after(() => Promise.all([bank.stop(), receiver.stop()]))

  const post = async (path: string, body: object, url = bank.url) => {
    const answer = await fetch(url + path, { method: 'POST', body: JSON.stringify(body) })
    return { status: answer.status, body: JSON.parse(await answer.text()) as object }
  }
  const heard = (reference: string): BankEvent[] =>
    receiver.received
      .filter(({ body }) => body.includes(`"${reference}"`))
      .map(({ headers, body }) => adapterFor(bank.url).readCallback(headers, body, new Date()))
  const outcomesOf = (reference: string) => heard(reference).map(({ outcome }) => outcome)
  const recallOf = (order: ReturnType<typeof instruction>, reference = `${order.reference}R`) => ({
    ...{ reference, original: order, reason: 'DUPL' },
  })

  it('returns after three days, when three days have passed, and not before', async () => {
    const order = instruction(10_86n)
    expect((await finished(bank.url, order)).outcome).to.equal('settled')
    await post('/clock', { advance_s: `${2 * 86_400}` })
    await until(() => outcomesOf(order.reference).length === 1)
    await post('/clock', { advance_s: `${86_400 + 60}` })
    await until(() => outcomesOf(order.reference).length === 2)
    const [, returned] = heard(order.reference)
    expect(returned).to.include({ outcome: 'returned', reason: 'AC06' })
    // Nobody is told of what has not happened yet.
    expect((returned as BankEvent).occurredAt.getTime()).to.be.at.most(Date.now())
  })

  it('still knows after a restart what is days away', async () => {
    const order = instruction(10_86n)
    const first = await startBank({ callbackUrl: receiver.url })
    await finished(first.url, order)
    await first.stop()
    const again = await startBank({ callbackUrl: receiver.url, journalFile: first.journalFile })
    expect(outcomesOf(order.reference)).not.to.include('returned')
    await post('/clock', { advance_s: `${3 * 86_400}` }, again.url)
    await until(() => outcomesOf(order.reference).includes('returned'))
    await again.stop()
  })

  it('gives recalled money back, once', async () => {
    const order = instruction(12_00n, { direction: 'credit', account: BEN })
    await finished(bank.url, order)
    const adapter = adapterFor(bank.url)
    for (const _ of [1, 2]) {
      expect(await adapter.recall(recallOf(order))).to.deep.equal({ state: 'accepted' })
    }
    await until(() => outcomesOf(order.reference).includes('returned'))
    const lines = (await statementOf(adapter)).filter((one) => one.reference === order.reference)
    expect(lines.map(({ amount }) => amount)).to.deep.equal([-12_00n, 12_00n])
    await adapter.recall(recallOf(order, `${order.reference}R2`))
    await until(() => outcomesOf(order.reference).includes('recall_refused'))
    expect(heard(order.reference).at(-1)).to.include({ reason: 'ARDT' })
  })

  it('keeps what it was told to keep, and what is not there any more', async () => {
    const kept = instruction(12_87n, { direction: 'credit', account: BEN })
    const unknown = instruction(12_00n)
    const adapter = adapterFor(bank.url)
    await finished(bank.url, kept)
    await adapter.recall(recallOf(kept))
    await until(() => outcomesOf(kept.reference).includes('recall_refused'))
    expect(heard(kept.reference).at(-1)).to.include({ reason: 'CUST' })
    expect(await codeOf(adapter.recall(recallOf(unknown)))).to.equal('bank_outcome_unknown')
    const more = { ...kept, money: { ...kept.money, amount: 1n } }
    expect(await codeOf(adapter.recall(recallOf(more, 'R3')))).to.equal('bank_outcome_unknown')
  })

  it('pays us what a customer sends, once, and says who and why', async () => {
    const before = await booksOf(bank.url)
    const sent = { reference: 'IN1', number: ADA.number, amount: '700', currency: 'EUR' }
    const asked = { ...sent, remittance: 'For the rent', end_to_end_id: 'E1' }
    expect((await post('/incoming', asked)).status).to.equal(201)
    expect((await post('/incoming', asked)).status).to.equal(409)
    await until(() => outcomesOf('IN1').length === 1)
    const [event] = heard('IN1')
    const words = { remittance: 'For the rent', endToEndId: 'E1' }
    const said = { outcome: 'received', ...words, sender: ADA.holder }
    expect(event).to.include(said)
    const after = await booksOf(bank.url)
    expect((after.partner['EUR'] ?? 0n) - (before.partner['EUR'] ?? 0n)).to.equal(700n)
    expect(after.total).to.deep.equal(before.total)
    const lines = (await statementOf(adapterFor(bank.url))).filter((one) => one.reference === 'IN1')
    expect(lines.map(({ amount }) => amount)).to.deep.equal([700n])
  })

  it('writes down what its customer is to read', async () => {
    const own = await startBank()
    await finished(own.url, instruction(5_00n, { direction: 'credit', remittance: 'RENT7' }))
    const [accepted] = (await readFile(own.journalFile, 'utf8')).match(/.*"accepted".*/) ?? []
    expect(JSON.parse(accepted ?? '{}')).to.include({ remittance: 'RENT7' })
    await own.stop()
  })

  it('refuses what makes no sense', async () => {
    const cases: readonly (readonly [path: string, body: object, status: number])[] = [
      ['/clock', { advance_s: '0' }, 400],
      ['/clock', { advance_s: '-1' }, 400],
      ['/clock', { advance_s: 60 }, 400],
      ['/clock', { advance_s: `${401 * 86_400}` }, 400],
      ['/incoming', {}, 400],
      ['/incoming', incoming({ number: 'NOBODY' }), 404],
      ['/incoming', incoming({ amount: '99999999999' }), 422],
      ['/incoming', incoming({ amount: '-5' }), 400],
      ['/incoming', incoming({ end_to_end_id: 'e 1' }), 400],
      ['/recalls', {}, 401],
    ]
    for (const [path, body, status] of cases) {
      expect((await post(path, body)).status, `${path} ${JSON.stringify(body)}`).to.equal(status)
    }
  })
  const incoming = (change: object) => ({
    ...{ reference: 'IN9', number: ADA.number, amount: '1', currency: 'EUR', remittance: 'x' },
    ...change,
  })

  for (const { suffix, sentence, refusal, nameCheck } of MAGIC_ACCOUNTS) {
    it(`an account that ends in -${suffix}: ${sentence}`, async () => {
      const account = { number: `TEST-${suffix}`, holder: 'Whoever' }
      expect((await adapterFor(bank.url).checkName(account)).result).to.equal(nameCheck)
      const report = await finished(bank.url, instruction(5_00n, { account }))
      // An account that is only asked about is not there.
      expect([report.outcome, report.reason]).to.deep.equal(['rejected', refusal ?? 'AC01'])
    })
  }
})
