/** A bank's statement against our account there: each line to a transfer, or to a person. */
import { expect } from 'chai'
import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import { uploadIn } from '../services/http/uploads.ts'
import { publicId } from '../services/ids.ts'
import { openMetrics } from '../services/metrics.ts'
import { reconcile } from '../services/reconciliation/reconcile.ts'
import { type Session, withBank } from '../services/reconciliation/session.ts'
import { toldBy } from '../services/reconciliation/sources.ts'
import { watchUnexplained } from '../services/reconciliation/unexplained.ts'
import { receiveStatement } from '../services/reconciliation/uploads.ts'
import { advanceReconciliation, sweepReconciliations } from '../services/reconciliation/work.ts'
import { call, newKey } from './support/api.ts'
import { until } from './support/abuse.ts'
import { approve, together } from './support/proposals.ts'
import { codeOf } from './support/sandbox-bank.ts'
import { OPERATOR } from './support/people.ts'
import { bankOfItsOwn, csvOf, type OwnBank, reconcileFile } from './support/reconciliation.ts'
import { world } from './support/world.ts'

const kindsOf = async (id: string) => {
  const { body } = await call(OPERATOR, 'GET', `/v1/reconciliations/${id}/items?limit=100`)
  return body.data.map((one: { kind: string; reference: string; state: string }) =>
    `${one.reference} ${one.kind} ${one.state}`.trim(),
  )
}

const itemOf = async (id: string, reference: string) => {
  const { body } = await call(OPERATOR, 'GET', `/v1/reconciliations/${id}/items?limit=100`)
  return body.data.find((one: { reference: string }) => one.reference === reference)
}

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

  it('may be killed at any of its statements and done again', async () => {
    const { api, worker } = await world()
    const step = process.env['RUN_LONG'] === undefined ? 4 : 1
    for (let statements = 0, isOver = false; !isOver; statements += step) {
      const own = await bankOfItsOwn()
      const [good, twice, missing, less] = await own.settled(1_000n, -2_000n, 3_000n, 4_000n)
      const lines = [good, twice, twice].map((one) => own.line(one, {}))
      const file = csvOf([...lines, own.line(less, { amount: 3_999n, daysLater: 9 })])
      const asked = { bank: own.name, source: 'csv', requestedBy: 'test' } as const
      const { run } = await receiveStatement(api, asked, streamOf(file))
      const killed = withBank(worker.db, own.name, (session) =>
        reconcile(mortal(session, statements), run, toldBy(worker, run), {
          ...{ lateDays: 3, linesMax: 100, now: worker.now },
        }),
      )
      isOver = await killed.then(() => true).catch((error: Error) => error.message !== 'killed')
      await advanceReconciliation(worker, run.id)
      const { body } = await call(OPERATOR, 'GET', `/v1/reconciliations/${publicId('rcn', run.id)}`)
      expect(body, `killed after ${statements}`).to.deep.include({ state: 'completed', lines: 4 })
      expect(await kindsOf(body.id), `killed after ${statements}`).to.deep.equal([
        `${good?.reference} matched matched`,
        `${twice?.reference} matched matched`,
        `${twice?.reference} duplicate open`,
        `${less?.reference} amount_differs open`,
        `${missing?.reference} unmatched_in_books open`,
      ])
      expect(body).to.deep.include({ fresh_lines: 4, done_lines: 4 })
      expect(body.balances[0].unexplained.amount).to.equal('5001')
      expect(await worker.db('statement_files').where({ upload_id: run.id })).to.have.length(0)
    }
  })

  it('is done by one worker at a time, and no item is corrected meanwhile', async () => {
    const { worker, api } = await world()
    const [one] = await bank.settled(10n)
    const { id } = await reconcileFile(bank, 'csv', [{ ...bank.line(one, {}), reference: 'X' }])
    const { id: item } = await itemOf(id, 'X')
    await withBank(worker.db, bank.name, async () => {
      expect(await withBank(api.db, bank.name, async () => 'me too')).to.equal(undefined)
      const body = { how: 'match', reason: 'Impatience' }
      const proposed = await call(OPERATOR, 'POST', `/v1/reconciliation_items/${item}/resolve`, {
        body,
      })
      const approving = await approve(proposed.body.id)
      expect(approving.status, approving.text).to.equal(503)
    })
    expect((await itemOf(id, 'X')).state).to.equal('proposed')
  })

  it('is asked for over HTTP with a file, which is bounded and must say what it is', async () => {
    const path = '/v1/banks/east/reconciliations'
    const upload = (body: string, type: string, more: Readonly<Record<string, string>> = {}) =>
      call(OPERATOR, 'POST', path, { body, headers: { 'content-type': type, ...more } })
    const file = csvOf([{ ...bank.line(undefined, {}), reference: newKey(), amount: 1n }])
    const first = await upload(file, 'text/csv')
    expect(first.status, first.text).to.equal(202)
    const again = await upload(file, 'text/csv; charset=utf-8')
    expect([again.status, again.body.id]).to.deep.equal([200, first.body.id])
    const problems = await Promise.all([
      upload(file, 'text/plain'),
      upload(file, 'text/csv', { 'content-encoding': 'gzip' }),
      call(OPERATOR, 'POST', '/v1/banks/nobody/reconciliations', { body: {} }),
    ])
    expect(problems.map(({ status }) => status)).to.deep.equal([415, 415, 404])
    await until(async () => {
      const { body } = await call(OPERATOR, 'GET', `/v1/reconciliations/${first.body.id}`)
      return body.state === 'completed'
    })
    const { body: listed } = await call(OPERATOR, 'GET', '/v1/reconciliations?bank=east&limit=1')
    expect(listed.data[0].id).to.equal(first.body.id)
    const { body: newest } = await call(OPERATOR, 'GET', '/v1/banks/east/reconciliation')
    expect(newest.reconciliation).to.equal(first.body.id)
    const { worker } = await world()
    const metrics = openMetrics('test')
    watchUnexplained({ ...worker, metrics })
    const [unexplained] = newest.data
    expect(await metrics.text()).to.match(
      new RegExp(`unexplained{bank="east",currency="EUR".*} ${unexplained.unexplained.amount}\n`),
    )
  })

  it('takes a file of up to so many bytes', async () => {
    async function* tooLong() {
      for (let part = 0; part < 5; part += 1) yield Buffer.alloc(1024)
    }
    const request = Object.assign(Readable.from(tooLong()), {
      ...{ headers: { 'content-type': 'text/csv' }, complete: false },
    }) as unknown as IncomingMessage
    const upload = uploadIn(request, { types: ['text/csv'], bytesMax: 4_096 })
    const { api } = await world()
    const asked = { bank: bank.name, source: 'csv', requestedBy: 'test' } as const
    const received = receiveStatement(api, asked, upload?.stream ?? tooLong())
    expect(await codeOf(received)).to.equal('body_too_large')
    expect(await api.db('reconciliations').where({ bank: bank.name })).to.have.length(0)
  })

  it('begins by itself once a day, from the hour on that is set', async () => {
    const { worker } = await world()
    const day = '2031-05-06'
    const at = (time: string) => ({ ...worker, now: () => new Date(`${day}T${time}:00Z`) })
    const begun = () => worker.db('reconciliations').where({ scheduled_for: day }).orderBy('bank')
    await sweepReconciliations(at('04:59'))
    expect(await begun()).to.have.length(0)
    await Promise.all([sweepReconciliations(at('05:00')), sweepReconciliations(at('07:00'))])
    const banks = (await begun()).map((one) => one.bank)
    expect(banks).to.deep.equal(['east', 'north', 'south'])
  })
})

async function* streamOf(text: string): AsyncGenerator<Buffer> {
  yield Buffer.from(text)
}

/** A session that breaks after so many statements. */
function mortal(session: Session, statements: number): Session {
  let left = statements
  const live = () => {
    if (left === 0) throw new Error('killed')
    left -= 1
  }
  return {
    run: async (sql, bindings) => {
      live()
      return session.run(sql, bindings)
    },
    // Killed before it commits.
    transaction: (work) =>
      session.transaction(async (trx) => {
        const result = await work(trx)
        live()
        return result
      }),
    copy: async (table, names, rows) => {
      live()
      return session.copy(table, names, rows)
    },
  }
}
