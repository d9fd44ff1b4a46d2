/**
 * Settlement: each entry of a merchant in one batch, batches that meet the balance, payouts that
 * fail. SEED repeats the histories.
 */
import { expect } from 'chai'
import { claimOf } from '../ledger/index.ts'
import { uuidOf } from '../services/ids.ts'
import { settle } from '../services/settlements/settle.ts'
import { expectProblem, quiet, times } from './support/abuse.ts'
import { call, newKey } from './support/api.ts'
import { merchantBalance } from './support/people.ts'
import { randomOf } from './support/random.ts'
import { batchesOf, ends, stall, type Stall } from './support/stall.ts'
import { world } from './support/world.ts'

const SEED = Number(process.env['SEED'] ?? 815)

/** The bank settles, rejects or returns by the last two digits of what it is to pay. */
const DIGITS = { settled: 0n, failed: 91n, returned: 98n } as const
type End = keyof typeof DIGITS

/** Adds a payment that makes the payout end as wished; what is paid then must be the model's. */
async function settleAs(one: Stall, end: End) {
  const wanted = one.model.next(one.held(), 1n).payout
  if (wanted > 0n) {
    const more = (DIGITS[end] - (wanted % 100n) + 200n) % 100n
    await one.move(['payment', more + 100n])
  }
  const expected = one.model.next(one.held(), 1n)
  const asked = await call(one.shop, 'POST', '/v1/settlements', { body: { currency: 'EUR' } })
  if (expected.payout === 0n) {
    expectProblem(asked, 422, 'nothing_to_settle')
    return
  }
  expect(asked.status, asked.text).to.equal(202)
  const { net, carried_in, payout, carried_out } = asked.body
  const shown = [net, carried_in, payout, carried_out].map(BigInt)
  const { net: sum, carriedIn, payout: paid, carriedOut } = expected
  expect(shown, asked.text).to.deep.equal([sum, carriedIn, paid, carriedOut])
  one.model.made(expected)
  await ends(one, asked.body.id, end)
  if (end === 'failed') one.model.add('payout_rejected', paid)
  if (end === 'returned') one.model.add('return', paid)
  const { refund = 0n, reserve = 0n, dispute = 0n } = expected.byCode
  const released = expected.byCode['reserve_released'] ?? 0n
  const { refunds, reserves, disputes } = asked.body
  const seen = [refunds, reserves, disputes].map(BigInt)
  expect(seen).to.deep.equal([refund, reserve + released, dispute])
}

/** Days of trade between two batches. */
async function trade(one: Stall, random: () => number): Promise<string[]> {
  const payments: string[] = []
  const upTo = (most: number) => BigInt(1 + Math.floor(random() * most))
  for (let left = 1 + Math.floor(random() * 5); left > 0; left -= 1) {
    const [gross, fee, tax] = [500n + upTo(9_000), upTo(90), upTo(20)]
    payments.push(await one.move(['payment', gross], ['fee', -fee], ['tax', -tax]))
    const free = one.model.balance() - one.held()
    if (random() < 0.4) {
      const refund = (free * upTo(60)) / 100n
      if (refund > 0n) await one.move(['refund', -refund], ['fee_returned', 3n])
    }
    if (random() < 0.2) await one.move(['reserve', -50n])
    if (random() < 0.2) await one.move(['reserve_released', 20n])
    if (random() < 0.2) await one.move(['dispute', -100n])
    if (random() < 0.2) await one.move(['adjustment', 7n])
    if (random() < 0.2) await one.hold(upTo(40))
  }
  return payments
}

/** What a merchant can check with nothing but its statements and its balance. */
async function expectClosed(one: Stall, payments: readonly string[]): Promise<void> {
  const batches = await batchesOf(one)
  let [to, carried] = ['0', '0']
  const found: string[] = []
  for (const [index, batch] of batches.entries()) {
    const { number, from_entry, carried_in, total, payout, carried_out, net, lines } = batch
    expect([number, from_entry, carried_in]).to.deep.equal([index + 1, to, carried])
    const nets = lines.map((line: { net: string }) => BigInt(line.net))
    expect(nets.reduce((sum: bigint, one: bigint) => sum + one, 0n)).to.equal(BigInt(net))
    expect(BigInt(total)).to.equal(BigInt(carried_in) + BigInt(net))
    expect(BigInt(carried_out)).to.equal(BigInt(total) - BigInt(payout))
    found.push(...lines.filter(isPayment).map(({ id }: { id: string }) => uuidOf(id)))
    ;[to, carried] = [batch.to_entry, carried_out]
  }
  const settled = new Set(payments)
  expect(found.filter((id) => settled.has(id))).to.have.members([...payments])
  const { owner } = await world()
  const { rows } = await owner.raw('SELECT balance_after(?, ?) AS balance', [one.account, to])
  const later = await owner('settlements')
    .where({ account_id: one.account })
    .where('payout_entry', '>', to)
    .sum('payout as sum')
    .first()
  expect(rows[0].balance).to.equal(BigInt(carried) + BigInt(later?.['sum'] ?? 0))
}

const isPayment = ({ code }: { code: string }) => code === 'payment'

describe('a merchant that is settled', () => {
  it(`is owed to the cent what a list of all that happened says (SEED=${SEED})`, async () => {
    await Promise.all(
      times(6, async (index) => {
        const random = randomOf(SEED + index)
        const one = await stall()
        const payments: string[] = []
        for (let batch = 0; batch < 5; batch += 1) {
          payments.push(...(await trade(one, random)))
          const ends: readonly End[] = ['settled', 'settled', 'failed', 'returned']
          await settleAs(one, ends[Math.floor(random() * ends.length)] ?? 'settled')
        }
        await one.move(['payment', 100_000n])
        await settleAs(one, 'settled')
        expect(await merchantBalance(one.shop)).to.equal(one.model.balance())
        await expectClosed(one, payments)
      }),
    )
    await quiet()
  }).timeout(120_000)

  it('is paid no more than is there, and what it owes is carried until it is earned', async () => {
    const one = await stall()
    await one.move(['payment', 10_000n])
    await settleAs(one, 'settled')
    const { owner } = await world()
    await owner('accounts').where({ id: one.account }).update({ floor: '-50000' })
    await one.move(['refund', -3_000n])
    await settleAs(one, 'settled')
    await one.move(['payment', 2_000n])
    await settleAs(one, 'settled')
    await one.move(['payment', 5_000n])
    await one.hold(1_500n)
    await settleAs(one, 'settled')
    const [, batch] = await batchesOf(one)
    expect([batch.net, batch.carried_in]).to.deep.equal(['4100', '0'])
    expect([batch.payout, batch.carried_out]).to.deep.equal(['2600', '1500'])
    await quiet()
  })

  it('twice at once is settled once, and may ask again under the same key', async () => {
    const one = await stall()
    await one.move(['payment', 5_000n])
    const { api } = await world()
    const request = { currency: 'EUR', bankAccount: undefined }
    const claims = times(4, () => claimOf(one.shop.id, 'test', newKey(), newKey()))
    const answers = await Promise.allSettled(
      claims.map((claim) => settle(api, uuidOf(one.shop.id), request, claim)),
    )
    const done = answers.filter(({ status }) => status === 'fulfilled')
    expect(done).to.have.length(1)
    for (const answer of answers) {
      if (answer.status === 'fulfilled') continue
      expect(['settlement_exists', 'nothing_to_settle']).to.include(answer.reason.code)
    }
    await quiet()
    expect(await batchesOf(one)).to.have.length(1)
  })
})

describe('Postgres', () => {
  const broken = async (change: object): Promise<string | undefined> => {
    const one = await stall()
    await one.move(['payment', 5_000n])
    await call(one.shop, 'POST', '/v1/settlements', { body: { currency: 'EUR' } })
    await quiet()
    await one.move(['payment', 700n])
    const { owner } = await world()
    const { shop, account } = one
    const row = {
      ...{ id: crypto.randomUUID(), merchant_id: uuidOf(shop.id), account_id: account },
      ...{ currency: 'EUR', number: 2, from_entry: 1, to_entry: 3, state: 'carried' },
      ...{ payments: 1, gross: 700, fee: 0, tax: 0, refunds: 0, fees_returned: 0, reserves: 0 },
      ...{ disputes: 0, reversals: 0, returned_payouts: 0, splits: 0, other: 0, net: 700 },
      ...{ carried_in: 0, total: 700, payout: 0, carried_out: 700 },
      ...{ created_at: new Date(), changed_at: new Date(), ...change },
    }
    return owner
      .transaction(async (trx) => {
        const outcome = await trx('settlements')
          .insert(row)
          .then(
            () => undefined,
            (error: { constraint: string }) => error.constraint,
          )
        if (outcome === undefined) await trx.rollback()
        return outcome
      })
      .catch(() => undefined)
  }

  const CASES: readonly (readonly [
    what: string,
    change: object,
    constraint: string | undefined,
  ])[] = [
    ['nothing where all is right', {}, undefined],
    ['a batch twice', { number: 1 }, 'settlement_exists'],
    ['a gap before a batch', { from_entry: 2 }, 'settlement_continues'],
    ['a batch that leaves one out', { number: 3 }, 'settlement_continues'],
    ['an entry in two batches', { from_entry: 0 }, 'settlement_continues'],
    [
      'a carry that was not left',
      { carried_in: 5, total: 705, carried_out: 705 },
      'settlement_continues',
    ],
    [
      'lines that are not the entries',
      { gross: 701, net: 701, total: 701, carried_out: 701 },
      'settlement_meets_balance',
    ],
    ['an end that is none', { to_entry: 4 }, 'settlement_meets_balance'],
    ['a net that is no sum', { gross: 701 }, 'net_is_sum_of_lines'],
    ['a total that is no sum', { total: 701, carried_out: 701 }, 'total_is_carried_and_net'],
    ['a carry that is no rest', { carried_out: 1 }, 'carried_is_what_is_left'],
    ['a payout that has not left', { payout: 700, carried_out: 0 }, 'payout_has_left'],
  ]
  for (const [what, change, constraint] of CASES) {
    it(`refuses ${what}`, async () => {
      expect(await broken(change)).to.equal(constraint)
    })
  }
})
