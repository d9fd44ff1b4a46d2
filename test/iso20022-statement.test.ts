/** Bank statements of ISO 20022: what a line means, how much memory they take, what is refused. */
import { Readable } from 'node:stream'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect } from 'chai'
import { type Accounts, BadFile, readCamt053, type StatementItem } from '../adapters/index.ts'
import { StatementError } from '../services/reconciliation/lines.ts'
import { READERS } from '../services/reconciliation/sources.ts'
import {
  bytesOf,
  camt053,
  camt054,
  document,
  entryOf,
  NAMESPACE,
  statementStart,
} from './support/iso20022.ts'
import { collected, openFileBank } from './support/iso20022-bank.ts'

const LINES = process.env['RUN_LONG'] === '1' ? 1_000_000 : 20_000

/** Of the heap, without garbage: how much of that there is depends on what ran before. */
function keptBytes(): number {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  return process.memoryUsage().heapUsed
}

async function itemsOf(bytes: AsyncIterable<Uint8Array>): Promise<StatementItem[]> {
  const items: StatementItem[] = []
  for await (const item of readCamt053(bytes)) items.push(item)
  return items
}

async function linesOf(...entries: string[]) {
  const text = camt053(`${statementStart('S1', '0.00', '0.00')}${entries.join('')}</Stmt>`)
  const items = await itemsOf(bytesOf(text.replaceAll(/<Bal>.*?<\/Bal>/g, '')))
  return items.flatMap((item) => (item.kind === 'line' ? [item.line] : []))
}

async function faultOf(bytes: AsyncIterable<Uint8Array>): Promise<string> {
  try {
    await itemsOf(bytes)
  } catch (error) {
    if (error instanceof BadFile) return error.message
    throw error
  }
  return 'none'
}

describe('a statement, camt.053', () => {
  it('is read with its head, its lines, and the sum that they must make', async () => {
    const text = camt053(
      statementStart('S1', '100.00', '-15.01'),
      entryOf({ amount: '120.01', own: 'PAYOUT1', reference: 'B1' }),
      entryOf({ amount: '5', credit: true, reference: 'B2', own: 'PAYOUT9' }),
      '</Stmt>',
    )
    const [head, ...lines] = await itemsOf(bytesOf(text))
    expect(head).to.deep.equal({
      kind: 'statement',
      statement: {
        id: 'S1',
        sequence: '7',
        account: 'NL91ABNA0417164300',
        createdAt: new Date('2026-11-27T18:00:00Z'),
        opening: 10_000n,
        closing: -1501n,
        closedOn: '2026-11-27',
      },
    })
    const bookedAt = new Date('2026-11-27T00:00:00Z')
    expect(lines).to.deep.equal([
      {
        kind: 'line',
        line: { line: 1, reference: 'PAYOUT1', currency: 'EUR', amount: -12_001n, bookedAt },
      },
      { kind: 'line', line: { line: 2, reference: 'B2', currency: 'EUR', amount: 500n, bookedAt } },
    ])
  })

  it('that does not add up is refused, by how much', async () => {
    const text = camt053(
      `${statementStart('S1', '1.00', '2.00')}${entryOf({ amount: '1' })}</Stmt>`,
    )
    expect(await faultOf(bytesOf(text))).to.equal(
      'statement S1 does not add up: 200 minor units are not explained',
    )
  })

  it('books what is booked: no announcements, no nothings', async () => {
    const pending = entryOf({ amount: '1', status: 'PDNG' })
    expect(await linesOf(pending, entryOf({ amount: '0.00' }))).to.deep.equal([])
  })

  it('keeps a stranger’s reference apart from ours', async () => {
    const [stranger, ours] = await linesOf(
      entryOf({ amount: '7', credit: true, own: 'PAYOUT1', reference: 'B1' }),
      entryOf({ amount: '7', credit: true, own: 'DEBIT1', reference: 'B2', family: 'IDDT' }),
    )
    expect([stranger?.reference, ours?.reference]).to.deep.equal(['B1', 'DEBIT1'])
  })

  it('calls money without a reference of the bank’s as its notification does', async () => {
    const details = '<Refs><EndToEndId>E1</EndToEndId></Refs>'
    const entry = entryOf({ amount: '7', credit: true, details })
    const bank = await openFileBank()
    await bank.drop('a.xml', camt054(entry))
    const [file] = await collected(bank.adapter)
    const [line] = await linesOf(entryOf({ amount: '1' }), entry).then((lines) => lines.slice(1))
    expect(line?.reference).to.equal(file?.events[0]?.reference)
  })

  it('of another account is refused where our accounts are known', async () => {
    const text = camt053(`${statementStart('S1', '0', '0')}</Stmt>`)
    const read = async (accounts: Accounts) => {
      for await (const told of READERS.camt053(bytesOf(text), accounts)) void told
      return 'read'
    }
    expect(await read({})).to.equal('read')
    expect(await read({ EUR: { iban: 'NL91 ABNA 0417 1643 00' } })).to.equal('read')
    const refusal = await read({ EUR: { number: '12345' } }).catch((error: Error) => error)
    expect(refusal).to.be.instanceOf(StatementError)
    expect(String(refusal)).to.match(/ends in 4300 is not ours/)
  })

  it('splits a batch where its transactions make it up, and only there', async () => {
    const part = (own: string, amount: string) =>
      `</TxDtls><TxDtls><Refs><InstrId>${own}</InstrId></Refs><Amt Ccy="EUR">${amount}</Amt>`
    const batch = (total: string) =>
      entryOf({
        ...{ amount: total, reference: 'B1' },
        details: part('A', '1.10') + part('B', '2.20'),
      }).replace('<TxDtls></TxDtls>', '')
    const brief = (lines: Awaited<ReturnType<typeof linesOf>>) =>
      lines.map(({ reference, amount }) => [reference, amount])
    expect(brief(await linesOf(batch('3.30')))).to.deep.equal([
      ['A', -110n],
      ['B', -220n],
    ])
    expect(brief(await linesOf(batch('3.31')))).to.deep.equal([['B1', -331n]])
  })

  it('says amounts to the last minor unit of the currency, never more', async () => {
    const amounts = [
      ['JPY', '12500', 12_500n],
      ['EUR', '0012.50000', 1250n],
      ['KWD', '1.234', 1234n],
      ['EUR', '9999999999999999.99', 999_999_999_999_999_999n],
    ] as const
    for (const [currency, decimal, minor] of amounts) {
      const start = statementStart('S', '0', decimal, currency)
      const entry = entryOf({ amount: decimal, currency, credit: true })
      const [, item] = await itemsOf(bytesOf(camt053(start, entry, '</Stmt>')))
      expect(item?.kind === 'line' && item.line.amount, decimal).to.equal(minor)
    }
    for (const decimal of ['1.001', '1e3', '-1', '1,5', '', '1234567890123456789', '0x10', 'NaN'])
      expect(
        await faultOf(
          bytesOf(camt053(statementStart('S', '0', '0'), entryOf({ amount: decimal }), '</Stmt>')),
        ),
        decimal,
      ).not.to.equal('none')
  })

  it(`of ${LINES} lines takes no more memory than one of a few`, async function () {
    this.timeout(300_000)
    const bytes = Readable.from(hugeStatement(LINES))
    let [lines, sum, peak_bytes] = [0, 0n, 0]
    const start_bytes = keptBytes()
    for await (const item of readCamt053(bytes)) {
      if (item.kind === 'line') [lines, sum] = [lines + 1, sum + item.line.amount]
      if (item.kind === 'line' && lines % (LINES / 5) === 0)
        peak_bytes = Math.max(peak_bytes, keptBytes() - start_bytes)
    }
    expect(lines).to.equal(LINES)
    expect(sum).to.equal(BigInt(LINES) * 1250n)
    expect(peak_bytes).to.be.lessThan(20 * 1024 * 1024)
  })

  const entry = entryOf({ amount: '1', credit: true })
  const good = camt053(statementStart('S1', '0.00', '1.00'), entry, '</Stmt>')
  const ENTITIES = '<!DOCTYPE a [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
  const HOSTILE: Readonly<Record<string, readonly [RegExp, () => AsyncIterable<Uint8Array>]>> = {
    'a billion laughs': [/document type/, () => bytesOf(good.replace('\n', `\n${ENTITIES}`))],
    'an external entity': [
      /document type/,
      () => bytesOf(good.replace('\n', '\n<!DOCTYPE a SYSTEM "file:///etc/passwd">')),
    ],
    'an undefined entity': [/not well-formed/, () => bytesOf(good.replace('S1', '&xxe;'))],
    'a file cut off': [/not well-formed/, () => bytesOf(good.slice(0, -40))],
    'an empty file': [/not well-formed/, () => bytesOf('')],
    'a page of HTML': [/not|no message/, () => bytesOf('<html><body>busy</body></html>')],
    'another message': [/not camt.053/, () => bytesOf(document('camt.054.001.08', '<A/>'))],
    'another version': [/not camt.053/, () => bytesOf(good.replace('053.001.08', '053.001.02'))],
    'no namespace': [/not camt.053/, () => bytesOf(good.replace(NAMESPACE, 'urn:x:'))],
    'latin 1': [/not in UTF-8/, () => bytesOf(good.replace('UTF-8', 'ISO-8859-1'))],
    'bytes that are no UTF-8': [/not UTF-8/, () => bytesOf(good.slice(0, 99), Buffer.of(0xff))],
    'UTF-16': [/not UTF-8/, () => bytesOf(Buffer.from(`\ufeff${good}`, 'utf16le'))],
    'a nest': [/too deeply/, () => bytesOf(good.replace(entry, '<a>'.repeat(10_000)))],
    'a hundred megabytes of text': [
      /too long/,
      () => endless(good.replace(/<Id>.*/s, '<Id>'), 'a'),
    ],
    'a hundred megabytes of attribute': [
      /too long/,
      () => endless(good.replace(/<Id>.*/s, '<Id a="'), 'a'),
    ],
    'a comment without end': [/too long/, () => endless(`${good}<!--`, 'a')],
    'entries that never end': [
      /too long/,
      () => endless(good.replace(/<\/Ntry>.*/s, ''), '<a>1</a>'),
    ],
    'two documents': [/not well-formed/, () => bytesOf(good, good)],
    'an attribute twice': [/not well-formed/, () => bytesOf(good.replace('Ccy=', 'Ccy="X" Ccy='))],
    'an entry before its statement': [/before/, () => bytesOf(camt053(`<Stmt>${entry}</Stmt>`))],
    'no statement': [/no statement/, () => bytesOf(camt053())],
    'a date that is none': [
      /not a time/,
      () => bytesOf(good.replace('<Dt>2026-11-27</Dt></Bo', '<Dt>2026-02-30</Dt></Bo')),
    ],
    'a currency of nobody': [
      /no currency/,
      () => bytesOf(good.replace(/Ccy="EUR">1</, 'Ccy="EUX">1<')),
    ],
  }
  for (const [name, [fault, bytes]] of Object.entries(HOSTILE))
    it(`is refused in words: ${name}`, async () => {
      expect(await faultOf(bytes())).to.match(fault)
    })

  it('is the one that those are spoilt copies of', async () => {
    expect(await faultOf(bytesOf(good))).to.equal('none')
    expect(await faultOf(bytesOf(`\ufeff${good}`))).to.equal('none')
    for (const size of [1, 7]) {
      const pieces = Buffer.from(good)
        .toString('latin1')
        .match(new RegExp(`.{1,${size}}`, 'gs'))
      const bytes = (pieces ?? []).map((piece) => Buffer.from(piece, 'latin1'))
      expect(await faultOf(bytesOf(...bytes))).to.equal('none')
    }
  })
})

function* hugeStatement(lines: number): Generator<Buffer> {
  const [start, end] = camt053(
    statementStart('S1', '0.00', `${BigInt(lines) * 1250n}`.replace(/(..)$/, '.$1')),
    'SPLIT</Stmt>',
  ).split('SPLIT')
  yield Buffer.from(start ?? '')
  for (let first = 0; first < lines; first += 100)
    yield Buffer.from(
      Array.from({ length: 100 }, (_, n) =>
        entryOf({ amount: '12.50', credit: true, reference: `B${first + n}` }),
      ).join(''),
    )
  yield Buffer.from(end ?? '')
}

/** A hundred megabytes, made as they are asked for. */
async function* endless(start: string, text: string): AsyncGenerator<Buffer> {
  yield Buffer.from(start)
  const megabyte = Buffer.from(text.repeat(2 ** 20 / text.length))
  for (let n = 0; n < 100; n += 1) yield megabyte
}
