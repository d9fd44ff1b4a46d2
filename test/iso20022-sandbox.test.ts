/** The adapter and the bank that takes files, together: each reads what the other writes. */
import { copyFile, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'chai'
import type { BankEvent, Instruction } from '../adapters/adapter.ts'
import { startFileBank } from '../adapters/iso20022/sandbox/bank.ts'
import { batchOf, configIn, openFileBank, order, statementOf } from './support/iso20022-bank.ts'

const ADA = { number: 'DE89370400440532013000', holder: 'Ada Lovelace' }

async function openPair() {
  const { folder, adapter, drop } = await openFileBank()
  const clock = { ahead_ms: 0 }
  const options = {
    ...{ name: 'files', folder, accounts: configIn(folder).accounts, delay_ms: 0, poll_ms: 5 },
    journalFile: join(folder, 'bank', 'journal.jsonl'),
    customers: ['EUR', 'JPY'].map((currency) => ({ ...ADA, currency, balance: 1_000_000n })),
    clock: () => new Date(Date.now() + clock.ahead_ms),
  }
  return { folder, adapter, drop, clock, bank: await startFileBank(options), options }
}

type Pair = Awaited<ReturnType<typeof openPair>>

/** What was told by the time that so many events and faults were told in all. */
async function told({ adapter }: Pair, count: number) {
  const events: BankEvent[] = []
  const faults: string[] = []
  const deadline = Date.now() + 5000
  while (events.length + faults.length < count && Date.now() < deadline) {
    for await (const file of adapter.collect()) {
      if (file.fault !== undefined) faults.push(file.fault)
      events.push(...file.events)
      await file.accept()
    }
    await pause(5)
  }
  const briefly = events.map((one) => {
    const reason = 'reason' in one ? ` ${one.reason}` : ''
    return `${one.reference} ${one.outcome}${reason} ${one.money.amount} ${one.money.currency}`
  })
  return { events: briefly.sort(), faults, ids: events.map(({ eventId }) => eventId) }
}

const paying = (reference: string, amount: bigint, more: Partial<Instruction> = {}) =>
  order(reference, { account: ADA, money: { amount, currency: 'EUR' }, ...more })

describe('a bank that takes files', () => {
  it('executes, refuses and returns, and its statement says what it booked', async () => {
    const pair = await openPair()
    const orders = [
      paying('GOOD', 1200n),
      paying('CLOSED', 1291n),
      paying('BACK', 1298n),
      paying('NOBODY', 1200n, { account: { ...ADA, number: 'GB82WEST12345698765432' } }),
      paying('SILENT', 1292n),
      paying('WRONG', 1297n),
    ]
    await pair.adapter.submitBatch(batchOf('B1', ...orders))
    const first = await told(pair, 5)
    expect(first.events).to.deep.equal([
      'BACK settled 1298 EUR',
      'CLOSED rejected AC04 1291 EUR',
      'GOOD settled 1200 EUR',
      'NOBODY rejected AC01 1200 EUR',
      'WRONG settled 1296 EUR',
    ])
    pair.clock.ahead_ms = 2000
    expect((await told(pair, 1)).events).to.deep.equal(['BACK returned AC06 1298 EUR'])
    await pair.bank.closeDay()
    await pair.bank.stop()
    const lines = await statementOf(pair.adapter)
    expect(lines.map(({ reference, amount }) => `${reference} ${amount}`)).to.deep.equal([
      'GOOD -1200',
      'BACK -1298',
      'SILENT -1292',
      'WRONG -1297',
      'BACK 1298',
    ])
  })

  it('collects by direct debit, and refuses what is not there', async () => {
    const pair = await openPair()
    const debit = { direction: 'debit' } as const
    const orders = [paying('SOME', 500n, debit), paying('TOOMUCH', 2_000_000n, debit)]
    await pair.adapter.submitBatch(batchOf('D1', ...orders))
    expect((await told(pair, 2)).events).to.deep.equal([
      'SOME settled 500 EUR',
      'TOOMUCH rejected AM04 2000000 EUR',
    ])
    await pair.bank.stop()
  })

  it('repeats itself with one id, and talks rubbish that is set aside', async () => {
    const pair = await openPair()
    const orders = [paying('COPIES', 1293n), paying('CUT', 1295n), paying('PAGE', 1296n)]
    await pair.adapter.submitBatch(batchOf('B1', ...orders))
    const { events, faults, ids } = await told(pair, 7)
    expect([...new Set(events)]).to.deep.equal([
      'COPIES settled 1293 EUR',
      'CUT settled 1295 EUR',
      'PAGE settled 1296 EUR',
    ])
    expect([events.length, new Set(ids).size, faults.length]).to.deep.equal([5, 3, 2])
    await pair.bank.stop()
  })

  it('gives money back when it is asked, once, and else says why not', async () => {
    const pair = await openPair()
    await pair.adapter.submitBatch(batchOf('B1', paying('A', 1200n)))
    await told(pair, 1)
    const original = { reference: 'A', money: { amount: 1200n, currency: 'EUR' } }
    await pair.adapter.recall({ reference: 'R1', original, reason: 'DUPL' })
    expect((await told(pair, 1)).events).to.deep.equal(['A returned FOCR 1200 EUR'])
    await pair.adapter.recall({ reference: 'R2', original, reason: 'DUPL' })
    expect((await told(pair, 1)).events).to.deep.equal(['A recall_refused ARDT 1200 EUR'])
    await pair.bank.stop()
  })

  it('books what strangers send under its own reference, in news and statement alike', async () => {
    const pair = await openPair()
    const payment = { number: ADA.number, amount: 700n, currency: 'JPY', remittance: 'for Ben' }
    await pair.bank.payIn(payment)
    const { events } = await told(pair, 1)
    await pair.bank.closeDay()
    await pair.bank.stop()
    const [line] = await statementOf(pair.adapter)
    expect(events).to.deep.equal([`${line?.reference} received 700 JPY`])
    expect(line).to.deep.include({ amount: 700n, currency: 'JPY', description: 'for Ben' })
  })

  it('ends its days by itself, if a day has a length', async () => {
    const pair = await openPair()
    await pair.bank.stop()
    const bank = await startFileBank({ ...pair.options, day_ms: 20 })
    await pair.adapter.submitBatch(batchOf('B1', paying('A', 1200n)))
    for (let tries = 0; tries < 400 && (await statementOf(pair.adapter)).length < 1; tries += 1)
      await pause(5)
    await bank.stop()
    expect((await statementOf(pair.adapter)).map(({ amount }) => amount)).to.deep.equal([-1200n])
  })

  it('forgets nothing when it is stopped, and pays no file twice', async () => {
    const pair = await openPair()
    await pair.adapter.submitBatch(batchOf('B1', paying('A', 1200n)))
    await told(pair, 1)
    await pair.bank.closeDay()
    await pair.bank.stop()
    const [taken = ''] = await readdir(join(pair.folder, 'sent'))
    const again = await startFileBank(pair.options)
    await copyFile(join(pair.folder, 'sent', taken), join(pair.folder, 'out', taken))
    await pair.adapter.submitBatch(batchOf('B2', paying('B', 1300n)))
    expect((await told({ ...pair, bank: again }, 1)).events).to.deep.equal(['B settled 1300 EUR'])
    await again.closeDay()
    await again.stop()
    const lines = await statementOf(pair.adapter)
    expect(lines.map(({ reference, line }) => `${line} ${reference}`)).to.deep.equal(['1 A', '2 B'])
  })

  it('refuses a file whose sum is not that of its orders', async () => {
    const pair = await openPair()
    await pair.bank.stop()
    await pair.adapter.submitBatch(batchOf('B1', paying('A', 1200n)))
    const file = join(pair.folder, 'out', 'B1.xml')
    await writeFile(
      file,
      (await readFile(file, 'utf8')).replace('<CtrlSum>12.00', '<CtrlSum>12.01'),
    )
    const bank = await startFileBank(pair.options)
    const refused = join(`${pair.options.journalFile}.files`, 'refused')
    for (let tries = 0; tries < 400 && (await readdir(refused)).length < 2; tries += 1)
      await pause(5)
    await bank.stop()
    expect(await readFile(join(refused, 'B1.xml.reason'), 'utf8')).to.match(/control sum/)
  })
})
