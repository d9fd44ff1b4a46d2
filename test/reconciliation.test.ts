/** A bank's statement against our account there: each line to a transfer, or to a person. */
import { expect } from 'chai'
import { call } from './support/api.ts'
import { together } from './support/proposals.ts'
import { OPERATOR } from './support/people.ts'
import { uuidOf } from '../services/ids.ts'
import { world } from './support/world.ts'
import {
  bankOfItsOwn,
  csvOf,
  itemOf,
  kindsOf,
  type OwnBank,
  reconcileFile,
} from './support/reconciliation.ts'

describe('a reconciliation', () => {
  let bank: OwnBank
  beforeEach(async () => (bank = await bankOfItsOwn()))

  it('finds what is matched, missing, different, doubled, late and nobody’s', async () => {
    const [good, less, late, twice, missing, quiet] = await bank.settled(
      ...[1_000n, 2_000n, 3_000n, -4_000n, 5_000n, 6_000n],
    )
    const { id, ...run } = await reconcileFile(bank, 'csv', [
      bank.line(good, {}),
      bank.line(less, { amount: 1_990n }),
      bank.line(late, { daysLater: 9 }),
      bank.line(twice, {}),
      bank.line(twice, {}),
      bank.line(quiet, { daysLater: 10 }),
      { ...bank.line(good, {}), reference: 'FEE-1', amount: -25n },
    ])
    expect(await kindsOf(id)).to.deep.equal([
      `${good?.reference} matched matched`,
      `${less?.reference} amount_differs open`,
      `${late?.reference} late matched`,
      `${twice?.reference} matched matched`,
      `${twice?.reference} duplicate open`,
      `${quiet?.reference} late matched`,
      'FEE-1 unmatched_in_statement open',
      `${missing?.reference} unmatched_in_books open`,
    ])
    // A run that is done again may find more lines: they have the ids that follow.
    const { id: last } = await itemOf(id, missing?.reference ?? '')
    expect(uuidOf(last).slice(28) >= '80000000', last).to.equal(true)
    expect(run.balances[0]).to.deep.include({ agrees: false, open_items: 4 })
    expect(run.balances[0]?.unexplained.amount).to.equal('9035')
  })

  it('is told a file twice and reconciles it once', async () => {
    const [one] = await bank.settled(700n)
    const lines = [bank.line(one, {})]
    const first = await reconcileFile(bank, 'csv', lines)
    const again = await reconcileFile(bank, 'csv', lines)
    expect(again.id).to.equal(first.id)
    const longer = await reconcileFile(bank, 'csv', [...lines, { ...lines[0]!, reference: 'X' }])
    expect(longer).to.deep.include({ lines: 2, fresh_lines: 1 })
    expect(await kindsOf(longer.id)).to.deep.equal(['X unmatched_in_statement open'])
  })

  it('closes what was open when the other half comes', async () => {
    const [early] = await bank.settled(900n)
    const first = await reconcileFile(bank, 'csv', [
      { ...bank.line(early, {}), reference: 'OTHER', amount: 5n },
    ])
    expect(await kindsOf(first.id)).to.deep.equal([
      'OTHER unmatched_in_statement open',
      `${early?.reference} late open`,
    ])
    const second = await reconcileFile(bank, 'csv', [bank.line(early, {})])
    expect(await kindsOf(second.id)).to.deep.equal([`${early?.reference} matched matched`])
    expect((await itemOf(first.id, early?.reference ?? '')).state).to.equal('merged')
    expect(second.balances[0]?.unexplained.amount).to.equal('5')
  })

  it('matches by amount and day only as a proposal, which two operators agree to', async () => {
    const [one] = await bank.settled(1_234n)
    const { id } = await reconcileFile(bank, 'csv', [{ ...bank.line(one, {}), reference: 'WHAT' }])
    const item = await itemOf(id, 'WHAT')
    expect(item).to.deep.include({ state: 'proposed', kind: 'unmatched_in_statement' })
    const path = `/v1/reconciliation_items/${item.id}/resolve`
    const body = { how: 'match', reason: 'The bank wrote it wrongly' }
    const done = await together(path, { body })
    expect(done.body).to.deep.include({ state: 'confirmed', transfer: item.proposed_transfer })
    expect((await together(path, { body })).body.code).to.equal('item_resolved')
    const empty = await reconcileFile(bank, 'csv', [
      { ...bank.line(one, {}), reference: 'WHAT' },
      { ...bank.line(one, {}), reference: 'FEE', amount: -1n },
    ])
    expect(empty.balances[0]).to.deep.include({ open_items: 1 })
  })

  it('is corrected by what two operators agree to, once, and agrees from then on', async () => {
    const [one, two] = await bank.settled(1_000n, 500n)
    const lines = [
      { ...bank.line(one, {}), amount: 1_050n },
      bank.line(two, {}),
      { ...bank.line(two, {}), reference: 'FEE', amount: -30n },
      { ...bank.line(two, {}), reference: 'GIFT', amount: 77n },
    ]
    const { id } = await reconcileFile(bank, 'csv', lines)
    for (const [reference, difference, amount] of [
      [one?.reference ?? '', 'came_more', '50'],
      ['FEE', 'bank_charge', '30'],
      ['GIFT', 'unknown_incoming', '77'],
    ] as const) {
      const item = await itemOf(id, reference)
      expect(item.proposed_correction).to.deep.equal({ difference, amount })
      const path = `/v1/reconciliation_items/${item.id}/resolve`
      const body = { how: 'correct', reason: 'Seen with the bank' }
      const done = await together(path, { body })
      expect(done.body).to.deep.include({ state: 'corrected', resolved_by: 'olga' })
      expect((await together(path, { body })).body.code).to.equal('item_resolved')
    }
    const { balances } = await reconcileFile(bank, 'csv', [
      ...lines,
      { ...bank.line(two, {}), reference: 'NEW', amount: 1n },
      { ...bank.line(two, {}), reference: 'NEWER', amount: -1n },
    ])
    expect(balances[0]).to.deep.include({ open_items: 2 })
    expect(balances[0]?.unexplained.amount).to.equal('2')
    expect(balances[0]?.statement.amount).to.equal(balances[0]?.books.amount)
  })

  const correct = (id: string) => {
    const body = { how: 'correct', reason: 'Seen with the bank' }
    return together(`/v1/reconciliation_items/${id}/resolve`, { body })
  }

  it('lets what a bank moved after all be corrected, once the books know of all', async () => {
    const rejected = await bank.instructed(-400n, 'rejected')
    const waiting = await bank.instructed(-300n, 'manual')
    const { id } = await reconcileFile(bank, 'csv', [bank.line(rejected), bank.line(waiting)])
    const [paid, open] = [await itemOf(id, rejected.reference), await itemOf(id, waiting.reference)]
    expect([paid.kind, open.kind]).to.deep.equal(['unmatched_in_statement', 'late'])
    const difference = { difference: 'left_after_all', amount: '400' }
    expect([paid.proposed_correction, open.proposed_correction]).to.deep.equal([difference, null])
    expect((await correct(open.id)).body.code).to.equal('item_not_correctable')
    expect((await correct(paid.id)).body.state).to.equal('corrected')
  })

  it('does not correct what an instruction that ended since may have moved', async () => {
    const { instruction, ...of } = await bank.instructed(-600n, 'manual')
    const [other] = await bank.settled(1n)
    const later = bank.line(other, { daysLater: 20 })
    const { id } = await reconcileFile(bank, 'csv', [bank.line(of), later])
    const { owner } = await world()
    const ended = { state: 'settled', changed_at: new Date() }
    await owner('instructions').where({ id: instruction }).update(ended)
    expect((await itemOf(id, of.reference)).proposed_correction).to.equal(null)
  })

  it('takes back that a payout never left when the bank shows it at last', async () => {
    const [early, marker] = await bank.settled(-800n, 5n)
    const { id } = await reconcileFile(bank, 'csv', [bank.line(marker, { daysLater: 9 })])
    const missed = await itemOf(id, early?.reference ?? '')
    expect(missed.proposed_correction.difference).to.equal('never_left')
    expect((await correct(missed.id)).body.state).to.equal('corrected')
    const line = { ...bank.line(early, { daysLater: 16 }) }
    const next = await reconcileFile(bank, 'csv', [line])
    const shown = await itemOf(next.id, early?.reference ?? '')
    const difference = { difference: 'left_after_all', amount: '800' }
    expect(shown.proposed_correction).to.deep.equal(difference)
    expect((await correct(shown.id)).body.state).to.equal('corrected')
    const last = await reconcileFile(bank, 'csv', [
      line,
      { ...bank.line(marker, { daysLater: 17 }), reference: 'NEW', amount: 1n },
    ])
    expect(last.balances[0]?.unexplained.amount).to.equal('1')
  })

  it('fails with the reason and believes nothing when a line is broken', async () => {
    const [one] = await bank.settled(10n)
    const whole = csvOf([bank.line(one, {})])
    for (const [file, why] of [
      [`${whole}2026-01-01,X,1.5,EUR,,\n`, /line 3: no amount/],
      [`${whole}2026-01-01,X,5,EURO,,\n`, /line 3: no currency/],
      [`${whole}2026-13-01,X,5,EUR,,\n`, /line 3: no date/],
      [`${whole}2026-01-01,X,5,EUR,\n`, /line 3/],
      [`${whole}2026-01-01,X,5,EUR,"never closed\n`, /line/],
      ['date,reference\n', /a column is missing/],
      ['', /empty/],
    ] as const) {
      const failed = await reconcileFile(bank, 'csv', file)
      expect(failed.state, file).to.equal('failed')
      expect(failed.failure).to.match(why)
      expect(await kindsOf(failed.id)).to.deep.equal([])
    }
  })

  it('exports its items as CSV that no spreadsheet takes for formulas', async () => {
    const [one] = await bank.settled(10n)
    const { id } = await reconcileFile(bank, 'csv', [
      { ...bank.line(one, {}), reference: '=1+1', description: '@SUM(A1)' },
    ])
    const csv = await call(OPERATOR, 'GET', `/v1/reconciliations/${id}/items.csv`)
    expect(csv.status).to.equal(200)
    expect(csv.text.split('\r\n')[1]).to.include("'=1+1").and.to.include("'@SUM(A1)")
    expect(csv.text.split('\r\n')).to.have.length(4)
  })

  it('pages through its items, of one kind if asked', async () => {
    const settled = await bank.settled(...Array.from({ length: 5 }, (_, n) => BigInt(n + 1)))
    const lines = settled.map((one) => bank.line(one, {}))
    const { id } = await reconcileFile(bank, 'csv', [
      ...lines,
      { ...lines[0]!, reference: 'NOBODY' },
    ])
    const seen: string[] = []
    let cursor = ''
    do {
      const path = `/v1/reconciliations/${id}/items?kind=matched&limit=2${cursor}`
      const { body } = await call(OPERATOR, 'GET', path)
      seen.push(...body.data.map((one: { reference: string }) => one.reference))
      cursor = body.next_cursor === null ? '' : `&cursor=${body.next_cursor}`
    } while (cursor !== '')
    expect(seen).to.deep.equal(settled.map(({ reference }) => reference))
  })
})
