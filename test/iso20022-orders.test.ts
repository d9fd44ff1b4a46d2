/** What we write to a bank: valid by the schemas of ISO 20022, and the same when read back. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'chai'
import fc from 'fast-check'
import type { Instruction } from '../adapters/adapter.ts'
import { openBanks } from '../adapters/index.ts'
import { scaleOf } from '../ledger/money.ts'
import { batchOf, configIn, openFileBank, order, OUR_IBAN } from './support/iso20022-bank.ts'
import { schemaFault, textsAt } from './support/iso20022-schemas.ts'
import { temporaryFolder } from './support/sandbox-bank.ts'

const RUNS = Number(process.env['RUNS'] ?? 100)

async function sent(...orders: Instruction[]): Promise<string> {
  const bank = await openFileBank()
  await bank.adapter.submitBatch(batchOf('BATCH1', ...orders))
  expect(await bank.names('out')).to.deep.equal(['BATCH1.xml'])
  const xml = await bank.read('out', 'BATCH1.xml')
  expect(schemaFault(xml)).to.equal(undefined)
  return xml
}

/** Decimal text to minor units, once more: by moving the point, not by the product's code. */
function minor(text: string, currency: string): bigint {
  const [whole = '', fraction = ''] = text.split('.')
  expect(fraction).to.have.length(scaleOf(currency))
  return BigInt(whole + fraction)
}

const reference = fc.stringMatching(/^[A-Z0-9]{1,35}$/).filter((one) => one !== 'NOTPROVIDED')
const words = fc.string({ unit: 'binary', maxLength: 200 })
const IBANS = [
  'DE89370400440532013000',
  'GB82 WEST 1234 5698 7654 32',
  'FR1420041010050500013M02606',
]

/** Numbers of banks that know no IBAN: with what people write between the digits, and zeros. */
const OTHERS = /^[A-Za-z0-9/\-?:().,'+]([A-Za-z0-9/\-?:().,'+ ]{0,32}[A-Za-z0-9/\-?:().,'+])?$/

/** ISO 7064 once more, digit by digit. */
function isIban(text: string): boolean {
  if (!/^[A-Z]{2}\d{2}[A-Za-z0-9]{1,30}$/.test(text)) return false
  let rest = 0
  for (const letter of text.slice(4) + text.slice(0, 4)) {
    for (const digit of Number.parseInt(letter, 36).toString()) rest = (rest * 10 + +digit) % 97
  }
  return rest === 1
}

const CUSTOMER = '(//d:CdtTrfTxInf/d:CdtrAcct | //d:DrctDbtTxInf/d:DbtrAcct)/d:Id'
const OURS = '(//d:PmtInf/d:DbtrAcct | //d:PmtInf/d:CdtrAcct)/d:Id'

/** The number that stands for an account, and whether as an IBAN, by the file and by the rules. */
function expectAccounts(xml: string, orders: readonly Instruction[]): void {
  const [all, ibans, others] = textsAt(
    ...[xml, `${CUSTOMER}/*`, `${CUSTOMER}/d:IBAN`, `${CUSTOMER}/d:Othr/d:Id`],
  )
  const numbers = orders.map(({ account: { number } }) => {
    const compact = number.replaceAll(' ', '')
    return isIban(compact) ? compact : number
  })
  expect(all).to.deep.equal(numbers)
  expect(ibans).to.deep.equal(numbers.filter(isIban))
  expect(others).to.deep.equal(numbers.filter((one) => !isIban(one)))
}

const instructions = fc
  .record({
    direction: fc.constantFrom('credit' as const, 'debit' as const),
    rail: fc.constantFrom('sct', 'inst', 'wire', 'internal'),
    currency: fc.constantFrom('EUR', 'JPY', 'KWD'),
    orders: fc.uniqueArray(
      fc.record({
        reference,
        amount: fc.bigInt(1n, 10n ** 15n),
        number: fc.oneof(fc.constantFrom(...IBANS), fc.stringMatching(OTHERS)),
        holder: words,
        remittance: fc.option(fc.oneof(words, fc.constant('RF18 5390 0754 7034')), {
          nil: undefined,
        }),
      }),
      { minLength: 1, maxLength: 20, selector: (one) => one.reference },
    ),
  })
  .map(({ direction, rail, currency, orders }) =>
    orders.map(({ reference, amount, number, holder, remittance }): Instruction => ({
      ...{ reference, direction, rail, money: { amount, currency }, account: { number, holder } },
      ...(remittance !== undefined && { remittance }),
    })),
  )

describe('orders of ISO 20022', () => {
  it('are valid, whatever they say, and read back as they were meant', async () => {
    const property = fc.asyncProperty(instructions, async (orders) => {
      const xml = await sent(...orders)
      const [ids, ends, amounts, counts, sums, uetrs] = textsAt(
        ...[xml, '//d:PmtId/d:InstrId', '//d:PmtId/d:EndToEndId', '//d:InstdAmt'],
        ...['//d:NbOfTxs', '//d:CtrlSum', '//d:UETR'],
      )
      expectAccounts(xml, orders)
      const currency = orders[0]?.money.currency ?? ''
      const references = orders.map((one) => one.reference)
      expect(ids).to.deep.equal(references)
      expect(ends).to.deep.equal(references)
      expect(new Set(uetrs).size).to.equal(orders.length)
      expect(amounts?.map((one) => minor(one, currency))).to.deep.equal(
        orders.map(({ money }) => money.amount),
      )
      const sum = orders.reduce((total, { money }) => total + money.amount, 0n)
      expect(sums?.map((one) => minor(one, currency))).to.deep.equal([sum, sum])
      expect(counts).to.deep.equal([String(orders.length), String(orders.length)])
    })
    await fc.assert(property, { numRuns: Math.min(RUNS, 1000) })
  })

  it('are read back with their accounts and texts, in letters that every bank has', async () => {
    const xml = await sent(
      order('A', {
        account: { number: 'GB82 WEST 1234 5698 7654 32', holder: 'Łukasz Åse Ñandú' },
      }),
      order('B', {
        account: { number: 'GB83WEST12345698765432', holder: '山田' },
        remittance: '/INV 7// “fünf”\n<b>&',
      }),
      order('C', { remittance: 'RF18 5390 0754 7034' }),
      order('D', { remittance: 'RF19 5390 0754 7034' }),
    )
    const [ibans, others, names, free, structured, own] = textsAt(
      ...[xml, '//d:CdtrAcct//d:IBAN', '//d:CdtrAcct//d:Othr/d:Id', '//d:Cdtr/d:Nm'],
      ...['//d:Ustrd', '//d:CdtrRefInf/d:Ref', '//d:DbtrAcct//d:IBAN'],
    )
    expect(ibans?.[0]).to.equal('GB82WEST12345698765432')
    expect(others, 'wrong check digits are the bank’s to refuse').to.deep.equal([
      'GB83WEST12345698765432',
    ])
    expect(names?.slice(0, 2)).to.deep.equal(['Lukasz Ase Nandu', '..'])
    expect(free).to.deep.equal(["INV 7/ 'funf' .b.+", 'RF19 5390 0754 7034'])
    expect(structured).to.deep.equal(['RF18539007547034'])
    expect(own).to.deep.equal([OUR_IBAN])
  })

  it('name an account without an IBAN by its number, and its bank where it is known', async () => {
    for (const direction of ['credit', 'debit'] as const) {
      const numbers = [
        '0012345678',
        '1e5',
        "12-34/56 'B'",
        'GB83WEST12345698765432',
        IBANS[0] ?? '',
      ]
      const orders = (rail: string) =>
        numbers.map((number, index) =>
          order(`R${index}`, { direction, rail, account: { number, holder: 'Ada' } }),
        )
      const inside = await sent(...orders('internal'))
      expectAccounts(inside, orders('internal'))
      const agents = `(//d:CdtTrfTxInf/d:CdtrAgt | //d:DrctDbtTxInf/d:DbtrAgt)`
      // The last one is found by its IBAN.
      expect(textsAt(inside, `${agents}//d:BICFI`)[0]).to.deep.equal(
        Array.from({ length: 4 }, () => 'ABNANL2A'),
      )
      const abroad = await sent(...orders('wire'))
      expectAccounts(abroad, orders('wire'))
      expect(textsAt(abroad, `${agents}//d:BICFI`)[0]).to.deep.equal([])
    }
  })

  it('are of our own account, which need not have an IBAN', async () => {
    const folder = await temporaryFolder()
    const config = {
      ...configIn(folder),
      currencies: ['EUR'],
      accounts: { EUR: { number: '0042-7' } },
    }
    const adapter = openBanks([config]).get('files')
    for (const direction of ['credit', 'debit'] as const) {
      await adapter?.submitBatch(batchOf(direction.toUpperCase(), order('A', { direction })))
      const xml = await readFile(join(folder, 'out', `${direction.toUpperCase()}.xml`), 'utf8')
      expect(schemaFault(xml)).to.equal(undefined)
      expect(textsAt(xml, `${OURS}/d:Othr/d:Id`, `${OURS}/d:IBAN`)).to.deep.equal([['0042-7'], []])
    }
  })

  it('ask for the service that the rail is', async () => {
    const levels = async (rail: string) =>
      textsAt(await sent(order('A', { rail })), '//d:SvcLvl/d:Cd', '//d:LclInstrm/d:Cd')
    expect(await levels('sct')).to.deep.equal([['SEPA'], []])
    expect(await levels('inst')).to.deep.equal([['SEPA'], ['INST']])
    expect(await levels('wire')).to.deep.equal([[], []])
  })

  it('that debit name one mandate for one account, for ever', async () => {
    const debit = (reference: string, number: string) =>
      order(reference, { direction: 'debit', account: { number, holder: 'Ada' } })
    const [ada = '', ben = ''] = IBANS
    const spaced = ada.replaceAll(/(.{4})/g, '$1 ')
    const xml = await sent(debit('A', ada), debit('B', ben), debit('C', spaced))
    const [mandates, days, creditor] = textsAt(
      ...[xml, '//d:MndtId', '//d:DtOfSgntr', '//d:CdtrSchmeId//d:Othr/d:Id'],
    )
    expect(mandates?.[0]).to.equal(mandates?.[2]).and.not.equal(mandates?.[1])
    expect([days?.[0], creditor?.[0]]).to.deep.equal(['2026-01-15', 'NL12ZZZ123456780000'])
  })

  it('that recall name the order, and are valid too', async () => {
    const bank = await openFileBank()
    const original = { reference: 'A', money: { amount: 1n, currency: 'KWD' } }
    await bank.adapter.recall({ reference: 'R1', original, reason: 'DUPL' })
    const xml = await bank.read('out', 'recall-R1.xml')
    expect(schemaFault(xml)).to.equal(undefined)
    const [references, amounts, reasons] = textsAt(
      ...[xml, '//d:OrgnlEndToEndId', '//d:OrgnlIntrBkSttlmAmt', '//d:Rsn/d:Cd'],
    )
    expect([references, amounts, reasons]).to.deep.equal([['A'], ['0.001'], ['DUPL']])
  })

  it('are refused whole where they cannot be written', async () => {
    const bank = await openFileBank()
    const faults: Record<string, readonly Instruction[]> = {
      'is empty': [],
      'is not of one kind': [order('A'), order('B', { money: { amount: 1n, currency: 'JPY' } })],
      'moves nothing': [order('A', { money: { amount: 0n, currency: 'EUR' } })],
      'we have no account': [order('A', { money: { amount: 1n, currency: 'USD' } })],
      'account of A cannot be written': [order('A', { account: { number: 'ё', holder: 'Ada' } })],
      'account of B cannot be written': [order('B', { account: { number: ' 1', holder: 'Ada' } })],
      'account of C cannot be written': [
        order('C', { account: { number: '1'.repeat(35), holder: 'Ada' } }),
      ],
    }
    for (const [fault, orders] of Object.entries(faults)) {
      const answer = await bank.adapter.submitBatch(batchOf('B1', ...orders)).catch(String)
      expect(answer).to.match(new RegExp(fault))
    }
    expect(await bank.names('out')).to.deep.equal([])
  })

  it('break the schema when they are spoilt, so the schema is a test', async () => {
    const xml = await sent(order('A', { remittance: 'hello' }))
    const spoilt: [string, string][] = [
      ['<Ustrd>hello', `<Ustrd>${'a'.repeat(141)}`],
      ['<InstrId>A', `<InstrId>${'A'.repeat(36)}`],
      ['12.50</InstdAmt>', '12.500001</InstdAmt>'],
      ['Ccy="EUR"', 'Ccy="EURO"'],
      ['<ChrgBr>SLEV', '<ChrgBr>OURS'],
      ['<BICFI>ABNANL2A', '<BICFI>abnanl2a'],
      ['-4', '-5'],
      [
        '<PmtMtd>TRF</PmtMtd><BtchBookg>false</BtchBookg>',
        '<BtchBookg>false</BtchBookg><PmtMtd>TRF</PmtMtd>',
      ],
    ]
    for (const [good, bad] of spoilt) {
      const changed = good === '-4' ? xml.replace(/(<UETR>.{13}-)4/, '$15') : xml.replace(good, bad)
      expect(changed).not.to.equal(xml)
      expect(schemaFault(changed), bad).not.to.equal(undefined)
    }
  })
})
