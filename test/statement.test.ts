/** Statements: what they say, that they add up, and that their length costs nothing. */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'chai'
import { findAccounts, newId, openAccount } from '../ledger/index.ts'
import { csvCell, statementText } from '../services/books/statement.ts'
import { statementCommand } from '../services/cli/statement.ts'
import { publicId, uuidOf } from '../services/ids.ts'
import { expectProblem, until } from './support/abuse.ts'
import { call, newKey, tokenOf } from './support/api.ts'
import { times } from './support/books.ts'
import { OPERATOR, payment, type Person, person } from './support/people.ts'
import { world } from './support/world.ts'

const DAY_MS = 86_400_000

async function account(type: 'wallet' | 'bank' = 'wallet', openedDaysAgo = 0): Promise<string> {
  const { api, owner } = await world()
  const key = { owner: `statement ${newKey()}`, type, currency: 'EUR' } as const
  const id = await openAccount(api.db, key)
  const opened_at = new Date(Date.now() - openedDaysAgo * DAY_MS)
  if (openedDaysAgo > 0) await owner('accounts').where({ id }).update({ opened_at })
  return publicId('acc', id)
}

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
  const done = await call(OPERATOR, 'POST', '/v1/ledger/bulk', { body })
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
    const [ada, ben]: Person[] = (await Promise.all([person(1_000n), person()])) as never
    await call(ada as Person, 'POST', '/v1/payments', { body: payment(ben as Person, '10') })
    const { body } = await call(ada as Person, 'GET', '/v1/accounts')
    const path = `/v1/accounts/${body.data[0].id}/statement`
    const own = await call(ada as Person, 'GET', path)
    expect(amounts(own.body)).to.deep.equal(['1000', '10'])
    expectProblem(await call(ben as Person, 'GET', path), 404, 'not_found')
  })
})

/** One account with so many entries, written by the database itself. */
async function longAccount(entries: number): Promise<string> {
  const { owner } = await world()
  const [bank, wallet] = [uuidOf(await account('bank')), uuidOf(await account())]
  await owner.transaction(async (trx) => {
    await trx.raw('SET LOCAL statement_timeout = 0')
    for (const id of [bank, wallet]) {
      const side = id === bank ? 'debits_posted' : 'credits_posted'
      await trx('accounts')
        .where({ id })
        .update({ [side]: entries, last_entry: entries })
    }
    await trx.raw(
      `INSERT INTO transfers (id, kind, debit_account_id, credit_account_id, amount, currency, code,
              reference, debit_entry, credit_entry, debit_balance, credit_balance)
       SELECT gen_random_uuid(), 'single', ?, ?, 1, 'EUR', 'test', ?, n, n, n, n
         FROM generate_series(1, ?) AS n`,
      [bank, wallet, newId(), entries],
    )
  })
  return publicId('acc', wallet)
}

describe('a long statement', () => {
  const ENTRIES = Number(process.env['ENTRIES'] ?? 200_000)
  let long: string
  before(async () => {
    long = await longAccount(ENTRIES)
  }).timeout(120_000)

  const open = async (format: string) => {
    const { apiUrl } = await world()
    const headers = { authorization: `Bearer ${await tokenOf(OPERATOR)}` }
    const controller = new AbortController()
    const path = `/v1/accounts/${long}/statement?format=${format}`
    const response = await fetch(`${apiUrl}${path}`, { headers, signal: controller.signal })
    expect(response.status).to.equal(200)
    return { controller, reader: response.body?.getReader() as ReadableStreamDefaultReader }
  }

  it('takes no more memory than a short one', async () => {
    const { reader } = await open('csv')
    const before = process.memoryUsage().rss
    const started = performance.now()
    let [most, bytes, tail] = [before, 0, '']
    for (;;) {
      const { done, value } = await reader.read()
      if (done) break
      bytes += value.length
      tail = Buffer.from(value).toString().slice(-200)
      most = Math.max(most, process.memoryUsage().rss)
    }
    const grown_mb = Math.round((most - before) / 1e6)
    const rate = Math.round(ENTRIES / ((performance.now() - started) / 1_000))
    process.stdout.write(
      `      ${ENTRIES} entries, ${bytes} bytes, ${rate} entries/s, ${grown_mb} MB more memory\n`,
    )
    expect(tail).to.match(new RegExp(`closing,,,,,,${ENTRIES},EUR`))
    expect(bytes).to.be.greaterThan(ENTRIES * 100)
    expect(grown_mb).to.be.lessThan(120)
  }).timeout(300_000)

  it('waits for a slow reader, and keeps no connection meanwhile', async () => {
    const { api } = await world()
    const asked: string[] = []
    const listen = ({ sql }: { sql: string }) => sql.includes('entries') && asked.push(sql)
    api.db.on('query', listen)
    const { controller, reader } = await open('json')
    await reader.read()
    // Until everything between it and us is full.
    const isQuiet = async (before = asked.length) => {
      await pause(700)
      return asked.length === before
    }
    await until(isQuiet)
    const soon = asked.length
    expect(await isQuiet()).to.equal(true)
    expect(soon).to.be.lessThan(ENTRIES / 1_000)
    expect(api.db.client.pool.numUsed()).to.equal(0)
    controller.abort()
    await pause(300)
    const afterwards = asked.length
    await pause(300)
    expect(asked.length, 'nobody reads any more').to.equal(afterwards)
    api.db.removeListener('query', listen)
  }).timeout(60_000)

  it('is one of few at a time, and gives its place up when its reader leaves', async () => {
    const readers = await Promise.all(times(4, () => open('json')))
    expectProblem(await statement(long), 503, 'saturated')
    for (const { controller } of readers) controller.abort()
    const short = await account()
    await until(async () => (await statement(short)).status === 200)
  }).timeout(60_000)

  it('breaks off where it does not add up, rather than pretend', async () => {
    const { api } = await world()
    const [found] = await findAccounts(api.db, { id: uuidOf(await account()) })
    if (found === undefined) throw new Error('no account')
    const { text } = await statementText(api.db, found, { format: 'csv' })
    const seen: string[] = []
    for await (const chunk of text) seen.push(chunk)
    expect(seen.join('')).to.match(/closing/)
  })

  it('is written to a file by the command, with words for what is wrong', async () => {
    const { url } = await world()
    const folder = await mkdtemp(join(tmpdir(), 'florin-statement-'))
    const file = join(folder, 'a.csv')
    const saved = process.env['DATABASE_URL']
    process.env['DATABASE_URL'] = url
    try {
      expect(await statementCommand([long, '--out', file])).to.equal(0)
      const lines = (await readFile(file, 'utf8')).trimEnd().split('\r\n')
      expect(lines).to.have.length(ENTRIES + 3)
      expect(await quietly(() => statementCommand(['acc_x']))).to.equal(2)
      expect(await quietly(() => statementCommand([long, '--format', 'pdf']))).to.equal(2)
      expect(await quietly(() => statementCommand([long, '--from', '2001-01-01']))).to.equal(1)
      expect(await quietly(() => statementCommand([publicId('acc', newId())]))).to.equal(1)
    } finally {
      if (saved === undefined) delete process.env['DATABASE_URL']
      else process.env['DATABASE_URL'] = saved
      await rm(folder, { recursive: true })
    }
  }).timeout(60_000)
})

/** Without what it says on standard error. */
async function quietly<T>(work: () => Promise<T>): Promise<T> {
  const write = process.stderr.write.bind(process.stderr)
  process.stderr.write = () => true
  try {
    return await work()
  } finally {
    process.stderr.write = write
  }
}
