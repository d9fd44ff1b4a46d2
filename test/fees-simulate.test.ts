/**
 * `florin fees simulate` over a month of generated payments: five thousand, a million with
 * RUN_LONG=1. The figures are printed.
 */
import { expect } from 'chai'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Knex } from 'knex'
import { connect, formatMoney } from '../ledger/index.ts'
import { publicId } from '../services/ids.ts'
import { type ModelTerms, modelPrice, simple } from './model/fees.ts'
import { ROOT } from './support/source.ts'
import { world } from './support/world.ts'

const IS_LONG = process.env['RUN_LONG'] !== undefined
const PAYMENTS = IS_LONG ? 1_000_000 : 5_000
const MERCHANTS = IS_LONG ? 10_000 : 20
const AT_ONCE = Math.min(PAYMENTS, 100_000)
const PER_SECOND_MIN = 200_000

const DRAFT: ModelTerms = {
  ...simple('0', 0n, '20'),
  floor: '30',
  cap: '900',
  components: [
    {
      ...{ kind: 'tiers', of: 'month', mode: 'graduated' },
      steps: [
        { up_to: '100000', percent: '2.5', fixed: '10' },
        { up_to: null, percent: '1.1', fixed: '0' },
      ],
    },
    { kind: 'percent', percent: '0.5', when: { rails: ['wallet'], countries: ['CH', 'US'] } },
  ],
}

const text = (url: string, words: readonly string[]) =>
  new Promise<{ code: number; out: string; err: string }>((resolve, reject) => {
    const child = spawn(process.execPath, ['services/cli/florin.mjs', ...words], {
      cwd: ROOT,
      env: { ...process.env, DATABASE_URL: url },
    })
    const [out, err]: [string[], string[]] = [[], []]
    child.stdout.on('data', (bytes: Buffer) => out.push(bytes.toString()))
    child.stderr.on('data', (bytes: Buffer) => err.push(bytes.toString()))
    once(child, 'close').then(
      ([code]) => resolve({ code, out: out.join(''), err: err.join('') }),
      reject,
    )
  })

/** A month and a day before and after it; each day of a merchant has several payments. */
const FILL = `
  INSERT INTO merchants (id, subject, name, state, created_at)
  SELECT ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 's' || n, 'Shop ' || n,
         'active', '2026-01-01' FROM generate_series(1, (:merchants)::int) n;
  INSERT INTO payments (id, kind, state, payer_id, payee_id, transfer_id, amount, fee, tax, net,
         currency, approval, approval_digest, created_at, changed_at, fee_at, fee_volume,
         fee_country)
  SELECT gen_random_uuid(), CASE WHEN n % 49 = 7 THEN 'person' ELSE 'order' END, 'completed',
         gen_random_uuid(),
         ('00000000-0000-7000-8000-' || lpad(to_hex(1 + n % (:merchants)::int), 12, '0'))::uuid,
         gen_random_uuid(), amount, fee, 0, amount - fee, 'EUR', 'none', '', at, at, at, 0,
         (ARRAY['CH', 'DE', NULL])[1 + n % 3]
    FROM (SELECT n, 1 + (n::bigint * 7919) % 20000 AS amount,
                 ((n::bigint * 7919) % 20000) / 50 AS fee,
                 timestamptz '2026-09-30 00:00Z' + (n::bigint * 1000003 % 2764800) * interval '1 s'
                 AS at
            FROM generate_series((:from)::int, (:to)::int) n) AS made`

interface PaidRow {
  readonly payee_id: string
  readonly amount: bigint
  readonly fee: bigint
  readonly fee_at: Date
  readonly fee_country: string | null
}

/** The same in another way: all rows at once, and the model. */
async function expectedOf(db: Knex) {
  const rows = await db.transaction(async (trx) => {
    await trx.raw('SET LOCAL transaction_timeout = 0; SET LOCAL statement_timeout = 0')
    const found: PaidRow[] = await trx('payments')
      .where({ kind: 'order' })
      .whereRaw("fee_at >= '2026-10-01Z' AND fee_at < '2026-11-01Z'")
      .select('payee_id', 'amount', 'fee', 'fee_at', 'fee_country')
    return found
  })
  const paidOn = new Map<string, bigint>()
  const dayOf = (at: Date) => at.toISOString().slice(0, 10)
  for (const { payee_id, amount, fee_at } of rows) {
    const key = `${payee_id} ${dayOf(fee_at)}`
    paidOn.set(key, (paidOn.get(key) ?? 0n) + amount)
  }
  const days = Array.from({ length: 31 }, (_, at) => `2026-10-${`${at + 1}`.padStart(2, '0')}`)
  const sums = new Map<string, { payments: number; now: bigint; draft: bigint; refused: number }>()
  for (const { payee_id: id, amount, fee, fee_at, fee_country: country } of rows) {
    const before = days.slice(0, days.indexOf(dayOf(fee_at)))
    const volume = before.reduce((sum, day) => sum + (paidOn.get(`${id} ${day}`) ?? 0n), 0n)
    const at = fee_at.toISOString()
    const price = modelPrice(DRAFT, { amount, volume, rail: 'wallet', country, category: null, at })
    const sum = sums.get(id) ?? { payments: 0, now: 0n, draft: 0n, refused: 0 }
    sum.payments += 1
    if (price === undefined) sum.refused += 1
    else {
      sum.now += fee
      sum.draft += price.fee + price.tax
    }
    sums.set(id, sum)
  }
  return sums
}

describe('a simulation of fees', () => {
  let db: Knex
  let [url, folder, file] = ['', '', '']

  before(async function () {
    this.timeout(600_000)
    const { newDatabase } = await world()
    url = (await newDatabase()).url
    db = connect({ url, connectionsMax: 2, applicationName: 'test simulation' })
    const [shops = '', payments = ''] = FILL.split(';')
    await db.raw(shops, { merchants: MERCHANTS })
    for (let from = 1; from <= PAYMENTS; from += AT_ONCE) {
      await db.transaction(async (trx) => {
        await trx.raw('SET LOCAL transaction_timeout = 0; SET LOCAL statement_timeout = 0')
        await trx.raw(payments, { merchants: MERCHANTS, from, to: from + AT_ONCE - 1 })
      })
    }
    await db.raw('ANALYZE payments')
    folder = await mkdtemp(join(tmpdir(), 'florin-fees-'))
    file = join(folder, 'draft.json')
    const { surcharge_rails: _none, ...sent } = DRAFT
    await writeFile(file, JSON.stringify({ ...sent, currency: 'EUR' }))
  })
  after(async () => {
    await db.destroy()
    await rm(folder, { recursive: true })
  })

  it('shows what each merchant would pay, as the model says, and all together', async () => {
    const done = await text(url, ['fees', 'simulate', '--draft', file, '--month', '2026-10'])
    expect(done.code, done.err).to.equal(0)
    const lines = done.out.trim().split('\n')
    const expected = await expectedOf(db)
    expect(expected.size).to.equal(MERCHANTS)
    const cells = new Map(lines.map((line) => [line.split(' ')[0], line.split(/ {2,}/)]))
    const say = (amount: bigint) => formatMoney({ amount, currency: 'EUR' })
    const all = { payments: 0, now: 0n, draft: 0n, refused: 0 }
    const count = (n: number) => n.toLocaleString('en')
    for (const [id, { payments, now, draft, refused }] of expected) {
      const [, ...shown] = cells.get(publicId('mer', id)) ?? []
      expect([shown[0], shown[1], ...shown.slice(3)], id).to.deep.equal([
        ...[count(payments), count(refused), say(now), say(draft), say(draft - now)],
      ])
      all.payments += payments
      all.refused += refused
      all.now += now
      all.draft += draft
    }
    expect(all.refused).to.be.greaterThan(0)
    expect(cells.get('all')?.slice(1)).to.include.members([
      ...[count(all.payments), say(all.now), say(all.draft), say(all.draft - all.now)],
    ])
    const [, speed = '0'] = /([0-9,]+) payments\/s/.exec(done.out) ?? []
    process.stdout.write(`      ${lines.at(-1)}\n`)
    if (IS_LONG) expect(Number(speed.replaceAll(',', ''))).to.be.greaterThan(PER_SECOND_MIN)
  }).timeout(600_000)

  it('is of one merchant where it is named, or where the draft is its own', async () => {
    const [{ id }] = await db('merchants').where({ name: 'Shop 3' }).select('id')
    const mer = publicId('mer', id)
    const words = ['fees', 'simulate', '--draft', file, '--month', '2026-10', '--merchant', mer]
    const named = await text(url, words)
    expect(named.code, named.err).to.equal(0)
    expect(named.out.match(/mer_/g)).to.deep.equal(['mer_'])
    const { payments } = (await expectedOf(db)).get(id)!
    expect(named.out).to.contain(`${payments.toLocaleString('en')} payments in`)
  }).timeout(600_000)

  it('says what is wrong with what it is told', async () => {
    const exit = async (...words: string[]) =>
      (await text(url, ['fees', 'simulate', ...words])).code
    expect(await exit('--draft', file)).to.equal(2)
    expect(await exit('--draft', file, '--month', '2026-13')).to.equal(2)
    const nobody = publicId('fee', '00000000-0000-7000-8000-000000000001')
    expect(await exit('--draft', nobody, '--month', '2026-10')).to.equal(2)
    await writeFile(join(folder, 'bad.json'), '{"percent": "1", "currency": "EUR"}')
    expect(await exit('--draft', join(folder, 'bad.json'), '--month', '2026-10')).to.equal(2)
  }).timeout(60_000)
})
