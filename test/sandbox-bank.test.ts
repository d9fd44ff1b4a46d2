/** The sandbox bank over HTTP: its books, its journal, and what it does with nonsense. */
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { appendFile, readFile, truncate } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { expect } from 'chai'
import { signedHeaders } from '../adapters/signature.ts'
import {
  ADA,
  adapterFor,
  BEN,
  booksOf,
  codeOf,
  finished,
  instruction,
  SECRET,
  startBank,
  startReceiver,
  statementOf,
  temporaryFolder,
  until,
  YUKI,
} from './support/sandbox-bank.ts'

describe('the sandbox bank', function () {
  this.timeout(20_000)

  it('moves money between its customers and its partner, and the statement shows it', async () => {
    const bank = await startBank()
    const adapter = adapterFor(bank.url)
    const orders = [
      instruction(50_00n),
      instruction(20_00n, { direction: 'credit', account: BEN }),
      instruction(3000n, { account: YUKI, money: { amount: 3000n, currency: 'JPY' } }),
      instruction(10_98n, { direction: 'credit', account: BEN }),
      instruction(30_98n),
    ]
    for (const order of orders) await adapter.submit(order)
    await until(async () => (await statementOf(adapter)).length === 7)
    const lines = await statementOf(adapter)
    expect(lines.map(({ line }) => line)).to.eql([1, 2, 3, 4, 5, 6, 7])
    const sums = (currency: string) =>
      lines.filter((one) => one.currency === currency).reduce((sum, one) => sum + one.amount, 0n)
    const { partner, total } = await booksOf(bank.url)
    expect(partner).to.eql({ EUR: 3000n, JPY: 3000n })
    expect([sums('EUR'), sums('JPY')]).to.eql([3000n, 3000n])
    expect(total).to.eql({ EUR: 2_000_000n, JPY: 1_000_000n })
    await bank.stop()
  })
  it('lets its partner go below zero, so that a payout never fails for want of money', async () => {
    const bank = await startBank()
    await finished(bank.url, instruction(50_00n, { direction: 'credit' }))
    expect((await booksOf(bank.url)).partner).to.include({ EUR: -5000n })
    await bank.stop()
  })
  it('says why it does not move money', async () => {
    const bank = await startBank()
    const nobody = { number: 'NL99', holder: 'Nobody' }
    const refused = [
      instruction(1_000_001n),
      instruction(1n, { account: nobody }),
      instruction(1n, { account: nobody, direction: 'credit' }),
      instruction(1n, { account: { ...YUKI } }),
    ]
    const reports = await Promise.all(refused.map((order) => finished(bank.url, order)))
    const found = reports.map(({ outcome, reason }) => `${outcome} ${reason}`)
    expect(found).to.eql(['rejected AM04', 'rejected AC01', 'rejected AC01', 'rejected AC01'])
    expect(await statementOf(adapterFor(bank.url))).to.eql([])
    await bank.stop()
  })
  it('refuses at once, for ever and in the same words what it will never do', async () => {
    const bank = await startBank()
    const adapter = adapterFor(bank.url)
    const order = instruction(1n, { money: { amount: 1n, currency: 'USD' } })
    const answer = await adapter.submit(order)
    expect(answer).to.have.nested.property('report.reason', 'AM03')
    expect(await adapter.enquire(order.reference)).to.eql(answer)
    expect(await codeOf(adapter.submit(order))).to.equal('bank_outcome_unknown')
    await bank.stop()
  })
  it('executes a reference once, however many send it at once', async () => {
    const bank = await startBank()
    const adapter = adapterFor(bank.url)
    const order = instruction(7_00n)
    const copies = Array.from({ length: 20 }, () => codeOf(adapter.submit(order)))
    const answers = (await Promise.all(copies)).filter((one) => one !== 'bank_outcome_unknown')
    expect(answers).to.eql([{ state: 'accepted' }])
    await until(async () => (await adapter.enquire(order.reference)).state === 'final')
    expect(await codeOf(adapter.submit(order))).to.equal('bank_outcome_unknown')
    expect(await statementOf(adapter)).to.have.length(1)
    await bank.stop()
  })
  it('compares names as a bank does before a payment', async () => {
    const bank = await startBank()
    const adapter = adapterFor(bank.url)
    const answers = {
      'Ada Lovelace': 'match',
      'ada  lovelace': 'close_match',
      ...{ 'Ada Lovelase': 'close_match', 'Ada Lovlace': 'close_match' },
      ...{ 'Ada Lovvelace': 'close_match', 'Ada Lvoelace': 'close_match' },
      ...{ 'Ada Lovelas': 'no_match', 'Ben Bitdiddle': 'no_match', ' ': 'no_match' },
    }
    for (const [holder, result] of Object.entries(answers)) {
      // Whoever nearly knows a name may see it.
      const said = result === 'close_match' ? { result, name: ADA.holder } : { result }
      expect(await adapter.checkName({ ...ADA, holder }), holder).to.deep.equal(said)
    }
    const nobody = await adapter.checkName({ number: 'NL 99/?', holder: 'A' })
    expect(nobody.result).to.equal('not_possible')
    expect((await adapter.checkName(YUKI)).result).to.equal('match')
    await bank.stop()
  })
  it('calls back until it is heard', async () => {
    const receiver = await startReceiver(500, 302)
    const bank = await startBank({ callbackUrl: receiver.url })
    const report = await finished(bank.url, instruction(5_00n))
    await until(() => receiver.received.length === 3)
    const read = receiver.received.map(({ headers, body }) =>
      adapterFor(bank.url).readCallback(headers, body, new Date()),
    )
    expect(read).to.eql([report, report, report])
    await Promise.all([bank.stop(), receiver.stop()])
  })
})

describe('the journal of the sandbox bank', function () {
  this.timeout(20_000)

  it('brings back books, statement and unheard callbacks, and executes nothing twice', async () => {
    const first = await startBank()
    const orders = [instruction(5_00n), instruction(6_00n, { direction: 'credit' })]
    const reports = await Promise.all(orders.map((order) => finished(first.url, order)))
    const [books, lines] = [await booksOf(first.url), await statementOf(adapterFor(first.url))]
    await first.stop()

    const receiver = await startReceiver()
    const again = { journalFile: first.journalFile, callbackUrl: receiver.url }
    const second = await startBank(again)
    const adapter = adapterFor(second.url)
    expect(await booksOf(second.url)).to.eql(books)
    expect(await statementOf(adapter)).to.eql(lines)
    for (const order of orders)
      expect(await codeOf(adapter.submit(order))).to.equal('bank_outcome_unknown')
    await until(() => receiver.received.length === 2)
    const heard = receiver.received.map(({ headers, body }) =>
      adapter.readCallback(headers, body, new Date()),
    )
    expect(heard).to.have.deep.members(reports)
    await second.stop()
    const third = await startBank(again)
    await finished(third.url, instruction(1n))
    await until(() => receiver.received.length >= 3)
    expect(receiver.received).to.have.length(3)
    await Promise.all([third.stop(), receiver.stop()])
  })
  it('executes after a restart what was only accepted before', async () => {
    const first = await startBank({ callbackDelay_ms: 60_000 })
    const order = instruction(5_00n)
    await adapterFor(first.url).submit(order)
    await first.stop()
    const second = await startBank({ journalFile: first.journalFile })
    await until(async () => (await statementOf(adapterFor(second.url))).length === 1)
    await second.stop()
  })
  it('loses its last line if a crash has cut it, and nothing else', async () => {
    const first = await startBank({ callbackDelay_ms: 60_000 })
    const [kept, cut] = [instruction(5_00n), instruction(6_00n)]
    await adapterFor(first.url).submit(kept)
    await adapterFor(first.url).submit(cut)
    await first.stop()
    const { length } = await readFile(first.journalFile)
    await truncate(first.journalFile, length - 10)
    const second = await startBank({ ...first, port: 0, callbackDelay_ms: 60_000 })
    const adapter = adapterFor(second.url)
    expect(await adapter.enquire(kept.reference)).to.eql({ state: 'accepted' })
    expect(await adapter.enquire(cut.reference)).to.eql({ state: 'not_found' })
    expect(await adapter.submit(cut)).to.eql({ state: 'accepted' })
    await second.stop()
    await (await startBank({ journalFile: first.journalFile })).stop()
  })
  it('is not opened if somebody has changed it', async () => {
    const { journalFile, stop } = await startBank()
    await stop()
    const executed = { kind: 'executed', reference: 'REF', outcome: 'settled', at: '' }
    for (const line of ['{"kind":"unknown"}', '{', JSON.stringify(executed)]) {
      const { length } = await readFile(journalFile)
      await appendFile(journalFile, `${line}\n`)
      expect(await codeOf(startBank({ journalFile }))).to.be.an('error')
      await truncate(journalFile, length)
    }
  })
  const LANE = 100

  it('has every instruction that was acknowledged before a kill -9', async () => {
    const journalFile = join(await temporaryFolder(), 'journal.jsonl')
    const child = spawn(process.execPath, ['--import=tsx', '--input-type=module', '-e', CHILD], {
      env: { ...process.env, JOURNAL: journalFile },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [url] = await once(child.stdout, 'data')
    const doomed = adapterFor(String(url))
    const acknowledged: string[] = []
    // Side by side: some are always on their way when it is killed.
    const lanes = Array.from({ length: 20 }, async () => {
      for (const order of Array.from({ length: LANE }, () => instruction(1n))) {
        await doomed.submit(order)
        acknowledged.push(order.reference)
        if (acknowledged.length === 50) child.kill('SIGKILL')
      }
    })
    await Promise.allSettled(lanes)
    expect(acknowledged.length).to.be.within(50, 20 * LANE - 1)

    const bank = await startBank({ journalFile })
    const adapter = adapterFor(bank.url)
    const answers = await Promise.all(acknowledged.map((one) => adapter.enquire(one)))
    expect(answers.filter(({ state }) => state === 'not_found')).to.eql([])
    await until(async () => (await statementOf(adapter)).length >= acknowledged.length)
    const references = (await statementOf(adapter)).map(({ reference }) => reference)
    expect(new Set(references).size).to.equal(references.length)
    await bank.stop()
  })
})

describe('nonsense', () => {
  let bank: Awaited<ReturnType<typeof startBank>>
  before(async () => void (bank = await startBank()))
  after(() => bank.stop())

  const ask = async (path: string, body = '', secret = SECRET) => {
    const headers = signedHeaders(secret, randomUUID(), new Date(), body)
    const content = body === '' ? {} : { method: 'POST', body }
    return (await fetch(bank.url + path, { headers, ...content })).status
  }

  it('in an instruction is answered with 400, and nothing is moved', async () => {
    const wrong = [
      { amount: 1 },
      { amount: '0' },
      { amount: '-1' },
      { amount: '1e3' },
      { amount: '1000000000000000' },
      { currency: 'EUX' },
      { reference: 'lower' },
      { direction: 'both' },
      { account: 'NL01ADA' },
      { account: { number: 'NL01ADA' } },
      { account: { number: 'NL\n', holder: 'Ada' } },
    ].map((change) => JSON.stringify({ ...sane(), ...change }))
    const doubled = JSON.stringify(sane()).replace('{', '{"amount":"9",')
    const texts = ['{', 'null', '[]', '"text"', '['.repeat(5000), '[]'.padStart(99, '['), doubled]
    for (const body of [...wrong, ...texts])
      expect(await ask('/instructions', body), body).to.equal(400)
    const right = JSON.stringify(sane())
    expect(await ask('/instructions', right)).to.equal(202)
    expect(await ask('/instructions', right)).to.equal(409)
  })
  it('without a signature, or with a wrong one, is answered with 401', async () => {
    const other = `whsec_${Buffer.from('not the secret').toString('base64')}`
    for (const path of ['/instructions/REF1', '/statement', '/accounts/NL01ADA?holder=Ada']) {
      expect((await fetch(bank.url + path)).status).to.equal(401)
      expect(await ask(path, '', other)).to.equal(401)
    }
    expect(await ask('/instructions', JSON.stringify(sane()), other)).to.equal(401)
    expect((await fetch(`${bank.url}/books`)).status).to.equal(200)
  })
  it('of more than 16 KB, or to nowhere, is turned away', async () => {
    expect(await ask('/instructions', 'x'.repeat(16 * 1024 + 1))).to.equal(413)
    expect(await ask('/nowhere')).to.equal(404)
    expect(await ask('/accounts/%zz?holder=Ada')).to.equal(400)
    expect(await ask('/accounts/NL01ADA')).to.equal(400)
  })
  it('that is not even HTTP does not stop the bank', async () => {
    for (const text of [
      '\0\0\0',
      'GET // HTTP/1.1\r\nhost: x\r\n\r\n',
      'POST /instructions HTTP/1.1\r\n',
    ]) {
      const socket = connect(Number(new URL(bank.url).port), '127.0.0.1')
      await once(socket, 'connect')
      socket.end(text).resume()
      await once(socket, 'close')
    }
    expect(await ask('/statement')).to.equal(200)
  })
})

const CHILD = `
  const { startBank } = await import('./test/support/sandbox-bank.ts')
  const bank = await startBank({ journalFile: process.env.JOURNAL })
  process.stdout.write(bank.url)
`

/** An instruction in JSON that the bank has no reason to refuse. */
function sane() {
  const { reference, direction, account } = instruction(1n)
  return { reference, direction, amount: '1', currency: 'EUR', account }
}
