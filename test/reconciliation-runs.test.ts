/** How reconciliations come about: asked for, begun by the clock, killed, one at a time. */
import { expect } from 'chai'
import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import { uploadIn } from '../services/http/uploads.ts'
import { publicId } from '../services/ids.ts'
import { openMetrics } from '../services/metrics.ts'
import { reconcile } from '../services/reconciliation/reconcile.ts'
import { type Session, withBank } from '../services/reconciliation/session.ts'
import { toldBy } from '../services/reconciliation/sources.ts'
import { watchRuns, watchUnexplained } from '../services/reconciliation/unexplained.ts'
import { receiveStatement } from '../services/reconciliation/uploads.ts'
import { advanceReconciliation, sweepReconciliations } from '../services/reconciliation/work.ts'
import { until } from './support/abuse.ts'
import { call, newKey } from './support/api.ts'
import { OPERATOR } from './support/people.ts'
import { approve } from './support/proposals.ts'
import {
  bankOfItsOwn,
  csvOf,
  itemOf,
  kindsOf,
  type OwnBank,
  reconcileFile,
} from './support/reconciliation.ts'
import { codeOf } from './support/sandbox-bank.ts'
import { world } from './support/world.ts'

describe('reconciliations', () => {
  let bank: OwnBank
  beforeEach(async () => (bank = await bankOfItsOwn()))

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

  it('that comes to nothing is told, and how old the newest complete one is', async () => {
    const { api, worker } = await world()
    const lines: unknown[] = []
    const log = { ...worker.log, error: (said: unknown) => lines.push(said) } as never
    const asked = { bank: bank.name, source: 'csv', requestedBy: 'test' } as const
    const { run } = await receiveStatement(api, asked, streamOf('no,statement\n1,2\n'))
    await advanceReconciliation({ ...worker, log }, run.id)
    const id = publicId('rcn', run.id)
    const { body } = await call(OPERATOR, 'GET', `/v1/reconciliations/${id}`)
    expect(body.state).to.equal('failed')
    const told = await api.db('events').where({ object_id: id })
    expect(told.map(({ type }) => type)).to.deep.equal(['reconciliation.failed'])
    expect(told[0].data).to.deep.equal(body)
    expect(lines).to.deep.equal([{ bank: bank.name, reconciliation: id, failure: body.failure }])
    const metrics = openMetrics('test')
    const later = () => new Date(Date.now() + 3_600_000)
    watchRuns({ ...worker, metrics, now: later, banks: new Map([[bank.name, {} as never]]) })
    const text = await metrics.text()
    expect(text).to.match(new RegExp(`reconciliations_failed{bank="${bank.name}".*} 1\n`))
    expect(text).to.match(new RegExp(`age_seconds{bank="${bank.name}".*} 3[6-9]\\d\\d\\.`))
  })

  it('of nearly as many lines as a statement may have is warned of, at four fifths', async () => {
    const { api, worker } = await world()
    const warnings: unknown[] = []
    const log = { ...worker.log, warn: (said: unknown) => warnings.push(said) } as never
    const lines = (await bank.settled(1n, 2n, 3n, 4n)).map((one) => bank.line(one, {}))
    for (const [linesMax, count] of [
      [6, 0],
      [5, 1],
    ] as const) {
      const config = { ...worker.config, STATEMENT_LINES_MAX: linesMax }
      const file = `${csvOf(lines)}${'\n'.repeat(linesMax - 5)}`
      const asked = { bank: bank.name, source: 'csv', requestedBy: 'test' } as const
      const { run } = await receiveStatement(api, asked, streamOf(file))
      await advanceReconciliation({ ...worker, config, log }, run.id)
      expect(await api.db('reconciliations').where({ id: run.id }).first()).to.include({
        ...{ state: 'completed', lines: 4n },
      })
      expect(warnings, `of ${linesMax}`).to.have.length(count)
    }
    expect(warnings).to.deep.equal([{ bank: bank.name, lines: 4, linesMax: 5 }])
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
    const able = [...worker.banks.values()].filter(({ capabilities }) =>
      capabilities.has('statement'),
    )
    expect(banks).to.deep.equal(able.map(({ name }) => name).sort())
    expect(banks).to.include.members(['east', 'north', 'south'])
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
