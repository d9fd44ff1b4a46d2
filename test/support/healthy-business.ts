/** A business in which much has happened, all of it rightly: money in and out, a sale, a batch. */
import { expect } from 'chai'
import { merchantAccountOf, walletOf } from '../../services/books/chart.ts'
import { uuidOf } from '../../services/ids.ts'
import { fanOut } from '../../services/webhooks/fan_out.ts'
import { instructionOf, quiet } from './abuse.ts'
import { call, newSubject } from './api.ts'
import { decide, dispute } from './disputes.ts'
import { agree, postRate, quoted } from './exchange.ts'
import { authorize, capture, payOrder } from './held.ts'
import { ended, linkedAccount, merchant, type Person, person, PIN } from './people.ts'
import { paid, refund } from './refunds.ts'
import { keep, releaseIn, reserveRule, reservesOf, rolling } from './reserves.ts'
import { world } from './world.ts'

export type HealthyBusiness = Awaited<ReturnType<typeof openHealthyBusiness>>

/** @returns the ids, as Postgres has them, of one of each. */
export async function openHealthyBusiness() {
  const fees = { percent: '1', fixed: '10', tax_percent: '20', refund_fees: 'pro_rata' }
  const [ada, shop] = await Promise.all([person(100_000n), merchant(fees)])
  const bank_account = await linkedAccount(ada)
  const own = (path: string, amount: string) => moved(ada, path, { amount, bank_account })
  const [topUp, withdrawal] = [
    await own('/v1/top_ups', '5000'),
    await own('/v1/withdrawals', '600'),
  ]
  const refused = await own('/v1/top_ups', '591')
  const held = await authorize(ada, shop, '3000')
  expect((await capture(shop, held.id, { amount: '1000' })).status).to.equal(200)
  const [sale, contested] = [await paid(ada, shop, '20000'), await paid(ada, shop, '4000')]
  const back = await refund(shop, sale, { amount: '500' })
  expect(back.status, back.text).to.equal(201)
  const opened = await dispute(ada, contested)
  expect(opened.status, opened.text).to.equal(201)
  const traded = await trade(ada)
  await linkedAccount(shop)
  const batch = await call(shop, 'POST', '/v1/settlements', { body: { currency: 'EUR' } })
  expect((await ended(shop, `/v1/settlements/${batch.body.id}`)).state).to.equal('settled')
  await quiet()
  const { worker, owner } = await world()
  await fanOut(worker)
  const instruction = async (id: string) => (await instructionOf(id)).id as string
  return {
    ...{ topUp: uuidOf(topUp), withdrawal: uuidOf(withdrawal) },
    ...{ sale: uuidOf(sale), held: uuidOf(held.id) },
    ...{ refund: uuidOf(back.body.id), dispute: uuidOf(opened.body.id), person: ada.id },
    ...{ settlement: uuidOf(batch.body.id), merchant: uuidOf(shop.id), ...traded },
    into: await instruction(topUp),
    out: await instruction(withdrawal),
    rejected: await instruction(refused),
    payout: await instruction(batch.body.id),
    event: (await owner('events').first('id')).id as string,
  }
}

/** A market that shares what it is paid, gives back, loses a dispute; and money exchanged. */
async function trade(ada: Person) {
  const [market, baker, farmer, ben] = await Promise.all([
    ...([merchant(), merchant(), merchant()] as const),
    person(100n),
  ])
  await reserveRule(market, rolling('10', 30))
  const beneficiaries = [
    { merchant: baker.id, amount: '300' },
    { merchant: farmer.id, amount: '500' },
  ]
  const what = { reference: newSubject('r'), description: 'Bread, eggs', splits: { beneficiaries } }
  const order = { ...what, amount: '10000', currency: 'EUR' }
  const asked = await call(market, 'POST', '/v1/orders', { body: order })
  const shared = await payOrder(ada, asked.body.id, '10000')
  expect(shared.status, shared.text).to.equal(201)
  const back = await refund(market, shared.body.id, { amount: '5000' })
  expect(back.status, back.text).to.equal(201)
  const lost = await dispute(ada, await paid(ada, market, '2000'))
  expect((await decide(lost.body.id, 'lost')).status).to.equal(200)
  await keep(market)
  const [reserve] = await reservesOf(market)
  await releaseIn(32)
  await postRate('EUR', 'USD', '1.0842', { spread_bps: 50 })
  const bought = await agree(ada, (await quoted(ada, 'EUR', 'USD', '1000')).id)
  expect(bought.status, bought.text).to.equal(201)
  const { worker } = await world()
  return {
    ...{ shared: uuidOf(shared.body.id), given: uuidOf(back.body.id) },
    ...{ lost: uuidOf(lost.body.id), reserve: uuidOf(reserve!.id) },
    exchange: uuidOf(bought.body.id),
    /** Accounts of others: a person's and a merchant's. */
    stranger: await walletOf(worker, ben.id, 'EUR'),
    rival: await merchantAccountOf(worker, uuidOf(baker.id), 'EUR'),
  }
}

async function moved(who: Person, path: string, what: object): Promise<string> {
  const body = { ...what, currency: 'EUR', approval: { pin: PIN } }
  const asked = await call(who, 'POST', path, { body })
  expect(asked.status, asked.text).to.equal(202)
  await ended(who, `/v1/payments/${asked.body.id}`)
  return asked.body.id
}
