/** Statements of any length: what they cost, who waits for whom, and the command for them. */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'chai'
import { findAccounts, newId } from '../ledger/index.ts'
import { statementText } from '../services/books/statement.ts'
import { statementCommand } from '../services/cli/statement.ts'
import { publicId, uuidOf } from '../services/ids.ts'
import { expectProblem, until } from './support/abuse.ts'
import { call, tokenOf } from './support/api.ts'
import { times } from './support/books.ts'
import { account } from './support/bulk.ts'
import { OPERATOR } from './support/people.ts'
import { world } from './support/world.ts'

const statement = (id: string) => call(OPERATOR, 'GET', `/v1/accounts/${id}/statement`)

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
  const ENTRIES = Number(process.env['ENTRIES'] ?? 30_000)
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
