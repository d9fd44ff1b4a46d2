/** Statements: what they say, by which time, to whom, and that they add up. */
import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'chai'
import { csvCell } from '../services/books/statement.ts'
import { expectProblem } from './support/abuse.ts'
import { call, newKey } from './support/api.ts'
import { account } from './support/bulk.ts'
import { OPERATOR, payment, person } from './support/people.ts'
import { together } from './support/proposals.ts'

const DAY_MS = 86_400_000

interface Move {
  readonly amount: string
  readonly isOut?: boolean
  readonly effective_at?: string
}

/** Each a unit of its own; codes are words, for CSV to be tried on. */
async function moves(bank: string, wallet: string, all: readonly Move[]): Promise<void> {
  const units = all.map(({ isOut = false, ...move }) => ({
    ...{ key: newKey(), reason: 'a test' },
    transfers: [
      {
        ...{ kind: 'single', currency: 'EUR', code: 'correction', ...move },
        ...(isOut ? { debit: wallet, credit: bank } : { debit: bank, credit: wallet }),
      },
    ],
  }))
  const body = { mode: 'atomic', units }
  const done = await together('/v1/ledger/bulk', { body })
  expect(done.body.state, done.text.slice(0, 500)).to.equal('done')
}

const statement = (id: string, query = '') =>
  call(OPERATOR, 'GET', `/v1/accounts/${id}/statement${query}`)
const daysAgo = (days: number) => new Date(Date.now() - days * DAY_MS).toISOString()
const amounts = (body: { entries: { amount: string }[] }) =>
  body.entries.map(({ amount }) => amount)

/** A document of comma-separated values, quotes undone. */
const cellsOf = (csv: string): string[][] =>
  csv
    .trimEnd()
    .split('\r\n')
    .map((line) => line.split(',').map((cell) => cell.replace(/^"|"$/g, '').replace(/""/g, '"')))

describe('a statement', () => {
  it('has the balance before, every entry in order, and the balance after', async () => {
    const [bank, wallet] = [await account('bank'), await account()]
    await moves(bank, wallet, [{ amount: '100' }, { amount: '30', isOut: true }, { amount: '5' }])
    const { status, body, headers } = await statement(wallet)
    expect(status).to.equal(200)
    expect(headers.get('content-disposition')).to.match(/^attachment; filename="acc_.*\.json"$/)
    expect(body.opening_balance).to.deep.equal({ amount: '0', currency: 'EUR' })
    expect(amounts(body)).to.deep.equal(['100', '30', '5'])
    const balances = body.entries.map((entry: { balance: string }) => entry.balance)
    expect(balances).to.deep.equal(['100', '70', '75'])
    expect(body.closing_balance.amount).to.equal('75')
    expect(body.count).to.equal('3')
    const { body: page } = await call(OPERATOR, 'GET', `/v1/accounts/${wallet}/entries`)
    expect(page.data.toReversed()).to.deep.equal(body.entries)
  })

  it('begins where the one before ends', async () => {
    const [bank, wallet] = [await account('bank'), await account()]
    const bounds: string[] = []
    for (const amount of ['1', '2', '3', '4']) {
      await moves(bank, wallet, [{ amount }])
      await pause(3)
      bounds.push(new Date().toISOString())
      await pause(3)
    }
    const [first, second, third] = bounds
    const one = await statement(wallet, `?from=${first}&to=${second}`)
    const two = await statement(wallet, `?from=${second}&to=${third}`)
    expect([amounts(one.body), amounts(two.body)]).to.deep.equal([['2'], ['3']])
    expect(one.body.closing_balance).to.deep.equal(two.body.opening_balance)
    expect(two.body.opening_balance.amount).to.equal('3')
    const pages = `/v1/accounts/${wallet}/entries?from=${first}&to=${third}&limit=1`
    const page = await call(OPERATOR, 'GET', pages)
    const next = await call(OPERATOR, 'GET', `${pages}&cursor=${page.body.next_cursor}`)
    const end = await call(OPERATOR, 'GET', `${pages}&cursor=${next.body.next_cursor}`)
    const seen = [page, next, end].flatMap(({ body }) => body.data.map((one: Move) => one.amount))
    expect(seen).to.deep.equal(['3', '2'])
  })

  it('counts by the time that is asked for', async () => {
    const [bank, wallet] = [await account('bank', 50), await account('wallet', 50)]
    await moves(bank, wallet, [
      { amount: '10', effective_at: daysAgo(30) },
      { amount: '20', effective_at: daysAgo(10) },
      { amount: '40' },
    ])
    const through = daysAgo(20)
    const next = Date.parse(through) + 1
    const moment = (days: number) => new Date(next - (days - 20) * DAY_MS).toISOString()
    const body = { through, reason: 'month end' }
    const closed = await call(OPERATOR, 'POST', `/v1/ledger/accounts/${wallet}/periods`, { body })
    expect(closed.body.balance.amount, closed.text).to.equal('10')
    await moves(bank, wallet, [{ amount: '80', effective_at: daysAgo(25) }])
    const asked = async (by: string, from: number, to: number) => {
      const query = `?by=${by}&from=${moment(from)}&to=${moment(to)}`
      const { body } = await statement(wallet, query)
      const entries = await call(OPERATOR, 'GET', `/v1/accounts/${wallet}/entries${query}`)
      expect(entries.body.data.map((one: Move) => one.amount).toReversed()).to.deep.equal(
        amounts(body),
      )
      return [body.opening_balance.amount, ...amounts(body), body.closing_balance.amount]
    }
    expect(await asked('effective', 40, 20)).to.deep.equal(['0', '10', '80', '90'])
    expect(await asked('booked', 40, 20)).to.deep.equal(['0', '10', '10'])
    expect(await asked('booked', 20, 5)).to.deep.equal(['10', '20', '80', '110'])
    expect(await asked('effective', 20, 5)).to.deep.equal(['90', '20', '110'])
    expect(await asked('recorded', 20, 5)).to.deep.equal(['0', '0'])
  })

  it('is refused for a span that cannot be told', async () => {
    const wallet = await account()
    const [past, now, future] = [daysAgo(1), new Date().toISOString(), daysAgo(-1)]
    for (const query of [`from=${past}`, `to=${future}`, `from=${now}&to=${now}`]) {
      expectProblem(await statement(wallet, `?${query}`), 422, 'moment_not_answerable')
      const entries = await call(OPERATOR, 'GET', `/v1/accounts/${wallet}/entries?${query}`)
      expectProblem(entries, 422, 'moment_not_answerable')
    }
    for (const query of ['from=now', 'format=pdf', 'by=hand', 'at=x', `from=${now}&from=${now}`]) {
      expectProblem(await statement(wallet, `?${query}`), 400, 'invalid_request')
    }
    const path = `/v1/accounts/${wallet}/entries?by=booked`
    expectProblem(await call(OPERATOR, 'GET', path), 400, 'invalid_request')
  })

  it('comes as CSV that a spreadsheet can do nothing bad with', async () => {
    const [bank, wallet] = [await account('bank'), await account()]
    await moves(bank, wallet, [{ amount: '100' }, { amount: '30', isOut: true }])
    const { text, headers } = await statement(wallet, '?format=csv')
    expect(headers.get('content-type')).to.equal('text/csv; charset=utf-8')
    const [head, ...lines] = cellsOf(text)
    const columns = lines.map((cells) =>
      Object.fromEntries(cells.map((cell, n) => [head?.[n], cell])),
    )
    expect(columns.map(({ line, balance }) => [line, balance])).to.deep.equal([
      ...[
        ['opening', '0'],
        ['entry', '100'],
        ['entry', '70'],
        ['closing', '70'],
      ],
    ])
    expect(columns[1]?.['recorded_at']).to.match(/^\d{4}-.*Z$/)
    const harmless = ['=1+1', '+1', '@A1', '-cmd', '\tx', '|calc', '=HYPERLINK("x")'].map(csvCell)
    for (const cell of harmless) expect(cell).to.match(/^"?'/)
    expect(['-12', '0', 'a"b', 'a,b', 'plain'].map(csvCell)).to.deep.equal([
      ...['-12', '0', '"a""b"', '"a,b"', 'plain'],
    ])
  })

  it('is its owner’s, like the account', async () => {
    const [ada, ben] = await Promise.all([person(1_000n), person()])
    await call(ada, 'POST', '/v1/payments', { body: payment(ben, '10') })
    const { body } = await call(ada, 'GET', '/v1/accounts')
    const path = `/v1/accounts/${body.data[0].id}/statement`
    const own = await call(ada, 'GET', path)
    expect(amounts(own.body)).to.deep.equal(['1000', '10'])
    expectProblem(await call(ben, 'GET', path), 404, 'not_found')
  })
})
