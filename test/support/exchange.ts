/** Rates, quotes and exchanges for tests. Rates are everybody’s: each test has pairs of its own. */
import { expect } from 'chai'
import { call } from './api.ts'
import { OPERATOR, type Person, PIN } from './people.ts'
import { world } from './world.ts'

export const newRate = (base: string, quote: string, rate: string, more: object = {}) => ({
  ...{ base, quote, rate, source: 'A test', observed_at: secondsAgo(1), valid_for_s: 3_600 },
  ...more,
})

export const secondsAgo = (seconds: number): string =>
  new Date(Date.now() - seconds * 1000).toISOString()

export async function postRate(base: string, quote: string, rate: string, more: object = {}) {
  const body = newRate(base, quote, rate, more)
  const posted = await call(OPERATOR, 'POST', '/v1/fx_rates', { body })
  expect(posted.status, posted.text).to.equal(201)
  return posted.body
}

export const askQuote = (who: Person, sell: string, buy: string, amount: string, side = 'sell') =>
  call(who, 'POST', '/v1/fx_quotes', { body: { sell, buy, amount, side } })

export async function quoted(
  who: Person,
  sell: string,
  buy: string,
  amount: string,
  side = 'sell',
) {
  const answer = await askQuote(who, sell, buy, amount, side)
  expect(answer.status, answer.text).to.equal(201)
  return answer.body
}

export const agree = (who: Person, quote: string, more: { key?: string; pin?: string } = {}) => {
  const { key, pin = PIN } = more
  const body = { quote, approval: { pin } }
  return call(who, 'POST', '/v1/exchanges', { body, ...(key !== undefined && { key }) })
}

/** Posted balances by 'type currency', the person's and those of the platform's own accounts. */
async function balances(who: Person): Promise<Record<string, bigint>> {
  const { owner } = await world()
  const ours = await call(who, 'GET', '/v1/accounts')
  const platform = await owner('accounts').where({ owner: 'florin' })
  return Object.fromEntries([
    ...ours.body.data.map(
      (one: { type: string; currency: string; posted: { amount: string } }) =>
        [`${one.type} ${one.currency}`, BigInt(one.posted.amount)] as const,
    ),
    ...platform.map(
      (row) => [`${row.type} ${row.currency}`, row.credits_posted - row.debits_posted] as const,
    ),
  ])
}

/** What the work changed, by account; accounts that stayed as they were are left out. */
export async function changesOf(who: Person, work: () => Promise<unknown>) {
  const before = await balances(who)
  await work()
  const after = await balances(who)
  const changes = Object.keys(after).map((name) => [
    ...[name, (after[name] ?? 0n) - (before[name] ?? 0n)],
  ])
  return Object.fromEntries(changes.filter(([, change]) => change !== 0n))
}
