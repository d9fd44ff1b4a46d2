/** What a bank tells us in files: what each means, and what is never believed. */
import { expect } from 'chai'
import type { BankEvent } from '../adapters/adapter.ts'
import {
  camt029,
  camt054,
  entryOf,
  pacs004,
  pain002,
  payments,
  reason,
  transaction,
} from './support/iso20022.ts'
import { batchOf, collected, openFileBank, order, type FileBank } from './support/iso20022-bank.ts'

/** A bank that was sent BATCH1 with A, B and C of 12.50 each. */
async function openWithBatch(): Promise<FileBank> {
  const bank = await openFileBank()
  await bank.adapter.submitBatch(batchOf('BATCH1', order('A'), order('B'), order('C')))
  return bank
}

async function eventsOf(text: string): Promise<readonly BankEvent[]> {
  const bank = await openWithBatch()
  const original = { reference: 'A', money: { amount: 1250n, currency: 'EUR' } }
  await bank.adapter.recall({ reference: 'R1', original, reason: 'DUPL' })
  await bank.drop('a.xml', text)
  const [file] = await collected(bank.adapter)
  if (file?.fault !== undefined) throw new Error(file.fault)
  return file?.events ?? []
}

const briefly = (events: readonly BankEvent[]) =>
  events.map((event) =>
    [
      event.reference,
      event.outcome,
      'reason' in event ? event.reason : undefined,
      event.money.amount,
    ]
      .filter((one) => one !== undefined)
      .join(' '),
  )

describe('a file from the bank', () => {
  it('that refuses a whole file refuses each order in it', async () => {
    const events = await eventsOf(pain002(`<GrpSts>RJCT</GrpSts>${reason('FF01')}`))
    expect(briefly(events)).to.deep.equal(
      ['A', 'B', 'C'].map((reference) => `${reference} rejected FF01 1250`),
    )
    expect(events[0]).to.deep.include({
      money: { amount: 1250n, currency: 'EUR' },
      occurredAt: new Date('2026-11-27T12:00:00Z'),
    })
  })

  it('that speaks of single orders says nothing of the others', async () => {
    const said = payments('', transaction('A', 'ACSC'), transaction('B', 'RJCT', reason('AC04')))
    expect(briefly(await eventsOf(pain002('<GrpSts>PART</GrpSts>', said)))).to.deep.equal([
      'A settled 1250',
      'B rejected AC04 1250',
    ])
  })

  it('believes the level that is nearest to the order', async () => {
    const refused = `<PmtInfSts>RJCT</PmtInfSts>${reason('AM04')}`
    const said = payments(
      refused,
      transaction('A', 'RJCT', reason('AC04')),
      transaction('B', 'RJCT'),
    )
    expect(briefly(await eventsOf(pain002('', said)))).to.deep.equal([
      'A rejected AC04 1250',
      'B rejected AM04 1250',
      'C rejected AM04 1250',
    ])
  })

  for (const status of ['ACTC', 'ACCP', 'ACSP', 'PDNG', 'RCVD'])
    it(`that says ${status} is no end of anything`, async () => {
      expect(await eventsOf(pain002(`<GrpSts>${status}</GrpSts>`))).to.deep.equal([])
    })

  it('that notifies of bookings tells ours from a stranger’s', async () => {
    const returned = '<RtrInf><Rsn><Cd>AC06</Cd></Rsn></RtrInf>'
    const words =
      '<RltdPties><Dbtr><Pty><Nm>Eve</Nm></Pty></Dbtr></RltdPties>' +
      '<RmtInf><Ustrd>for A</Ustrd></RmtInf>'
    const events = await eventsOf(
      camt054(
        entryOf({ amount: '12.50', own: 'A', reference: 'B1' }),
        entryOf({ amount: '12.50', own: 'B', credit: true, family: 'ICDT', details: returned }),
        entryOf({ amount: '7', own: 'D', credit: true, family: 'IDDT' }),
        entryOf({ amount: '9.99', own: 'C', credit: true, reference: 'B4', details: words }),
        entryOf({ amount: '1', reference: 'FEE' }),
        entryOf({ amount: '12.50', own: 'C', status: 'PDNG' }),
      ),
    )
    expect(briefly(events)).to.deep.equal([
      'A settled 1250',
      'B returned AC06 1250',
      'D settled 700',
      'B4 received 999',
    ])
    expect(events[3]).to.deep.include({ remittance: 'for A', endToEndId: 'C', sender: 'Eve' })
  })

  it('knows money that comes back by the bank’s word for it, not by the sender’s', async () => {
    const codes = [
      ['RCDT', true, 'RRTN', 'A returned 1250'],
      ['RCDT', true, 'ESCT', 'X received 1250'],
      ['ICDT', true, 'RRTN', 'A returned 1250'],
      ['IDDT', false, 'UPDD', 'A returned 1250'],
      ['RDDT', false, 'ESDD', undefined],
      ['RDDT', true, 'UPDD', 'X received 1250'],
    ] as const
    for (const [family, credit, code, meaning] of codes) {
      const entry = entryOf({ amount: '12.50', own: 'A', reference: 'X', credit, family })
      const [said] = briefly(await eventsOf(camt054(entry.replace('ESCT', code))))
      expect(said, `${family} ${code}`).to.equal(meaning)
    }
  })

  it('gives money that came one id, in whatever file it is told', async () => {
    const entry = entryOf({ amount: '9.99', credit: true, reference: 'B4' })
    const [once] = await eventsOf(camt054(entry))
    const [again] = await eventsOf(camt054(entry).replace('M1', 'M2').replace('N1', 'N2'))
    expect(once?.eventId).to.equal(again?.eventId)
    const [other] = await eventsOf(camt054(entry.replace('B4', 'B5')))
    expect(other?.eventId).not.to.equal(once?.eventId)
  })

  it('knows money without a reference of the bank’s by what else is said of it', async () => {
    const marks = ['<UETR>U1</UETR>', '<TxId>T1</TxId>', '<EndToEndId>E1</EndToEndId>', '']
    for (const mark of marks) {
      const details = `<Refs>${mark}</Refs><RmtInf><Ustrd>rent</Ustrd></RmtInf>`
      const rent = entryOf({ amount: '9.99', credit: true, details })
      const [first, second] = await eventsOf(camt054(rent, rent))
      // Cumulative: an hour later the bank tells of all of the day, under new ids.
      const before = entryOf({ amount: '5', credit: true, reference: 'B1' })
      const hourly = camt054(before, rent, rent).replace('M1', 'M2').replace('N1', 'N2')
      expect((await eventsOf(hourly)).slice(1), mark).to.deep.equal([first, second])
      expect(first?.eventId).not.to.equal(second?.eventId)
      expect(first?.reference).not.to.equal(second?.reference)
      expect(first).not.to.have.property('isUnidentified')
      const [otherDay] = await eventsOf(camt054(rent.replace('2026-11-27', '2026-11-26')))
      expect(otherDay?.eventId).not.to.equal(first?.eventId)
    }
  })

  it('says of money that nothing identifies that its place is all there is', async () => {
    const bare = entryOf({ amount: '9.99', credit: true, own: 'NOTPROVIDED' })
    const [one, two] = await eventsOf(camt054(bare, bare))
    expect(one).to.include({ reference: 'N1/1', isUnidentified: true })
    expect(two).to.include({ reference: 'N1/2', isUnidentified: true })
    const [named] = await eventsOf(
      camt054(entryOf({ amount: '9.99', credit: true, reference: 'B1' })),
    )
    expect(named).not.to.have.property('isUnidentified')
  })

  it('brings money back, and refusals to', async () => {
    expect(briefly(await eventsOf(pacs004('A')))).to.deep.equal(['A returned AC06 1250'])
    expect(briefly(await eventsOf(camt029('')))).to.deep.equal(['A recall_refused 1250'])
    const one =
      '<CxlDtls><TxInfAndSts><OrgnlEndToEndId>A</OrgnlEndToEndId><TxCxlSts>RJCR</TxCxlSts>' +
      '<CxlStsRsnInf><Rsn><Cd>CUST</Cd></Rsn></CxlStsRsnInf></TxInfAndSts></CxlDtls>'
    expect(briefly(await eventsOf(camt029(one)))).to.deep.equal(['A recall_refused CUST 1250'])
    expect(await eventsOf(camt029(one.replace('RJCR', 'CNCL')))).to.deep.equal([])
  })

  const FAULTS: Readonly<Record<string, readonly [RegExp, string]>> = {
    'of a file that we never sent': [
      /no file that we sent/,
      pain002('<GrpSts>RJCT</GrpSts>', '', 'X'),
    ],
    'that climbs out of its folder': [
      /no file that we sent/,
      pain002('<GrpSts>RJCT</GrpSts>', '', '../in/a'),
    ],
    'of an order that we never sent': [
      /Z is of no file/,
      pain002('', payments('', transaction('Z', 'ACSC'))),
    ],
    'with a status of its own making': [/no status/, pain002('<GrpSts>DONE</GrpSts>')],
    'with more returns than it says': [/number of returns/, pacs004('A', '2')],
    'that returns what was never ours': [/no reference of ours/, pacs004('not ours')],
    'that books one thing twice': [
      /booked twice/,
      camt054(...[1, 2].map(() => entryOf({ amount: '1', credit: true, reference: 'B' }))),
    ],
    'with a tenth of a cent at its end': [
      /more decimals/,
      camt054(entryOf({ amount: '1', own: 'A' }), entryOf({ amount: '1.001', own: 'B' })),
    ],
    'cut off after what would have been believed': [
      /not well-formed/,
      camt054(entryOf({ amount: '12.50', own: 'A' })).slice(0, -40),
    ],
    'of another version': [
      /not pain.002/,
      pain002('').replace('pain.002.001.10', 'pain.002.001.03'),
    ],
    'with a document type': [/document type/, pain002('').replace('\n', '\n<!DOCTYPE a>')],
    'that is a page of HTML': [/not/, '<html><body>503</body></html>'],
    'that is empty': [/not/, ''],
  }
  for (const [what, [fault, text]] of Object.entries(FAULTS))
    it(`is set aside with the reason, and nothing of it believed: ${what}`, async () => {
      const bank = await openWithBatch()
      await bank.drop('a.xml', text)
      await bank.drop('b.xml', camt054(entryOf({ amount: '12.50', own: 'B' })))
      const [bad, good] = await collected(bank.adapter)
      expect(bad?.fault).to.match(fault)
      expect(bad?.events).to.deep.equal([])
      expect(briefly(good?.events ?? [])).to.deep.equal(['B settled 1250'])
      // Even whoever overlooks the fault cannot accept it.
      await bad?.accept()
      expect(await bank.names('failed')).to.deep.equal(['a.xml', 'a.xml.reason'])
      expect(await bank.read('failed', 'a.xml.reason')).to.match(fault)
    })
})
