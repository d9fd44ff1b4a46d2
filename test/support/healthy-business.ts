/** A business in which much has happened, all of it rightly: money in and out, a sale, a batch. */
import { expect } from 'chai'
import { uuidOf } from '../../services/ids.ts'
import { fanOut } from '../../services/webhooks/fan_out.ts'
import { instructionOf, quiet } from './abuse.ts'
import { call } from './api.ts'
import { dispute } from './disputes.ts'
import { authorize, capture } from './held.ts'
import { ended, linkedAccount, merchant, type Person, person, PIN } from './people.ts'
import { paid, refund } from './refunds.ts'
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
  await linkedAccount(shop)
  const batch = await call(shop, 'POST', '/v1/settlements', { body: { currency: 'EUR' } })
  expect((await ended(shop, `/v1/settlements/${batch.body.id}`)).state).to.equal('settled')
  await quiet()
  const { worker, owner } = await world()
  await fanOut(worker)
  const instruction = async (id: string) => (await instructionOf(id)).id as string
  return {
    ...{ topUp: uuidOf(topUp), sale: uuidOf(sale), held: uuidOf(held.id) },
    ...{ refund: uuidOf(back.body.id), dispute: uuidOf(opened.body.id), person: ada.id },
    ...{ settlement: uuidOf(batch.body.id), merchant: uuidOf(shop.id) },
    into: await instruction(topUp),
    out: await instruction(withdrawal),
    rejected: await instruction(refused),
    payout: await instruction(batch.body.id),
    event: (await owner('events').first('id')).id as string,
  }
}

async function moved(who: Person, path: string, what: object): Promise<string> {
  const body = { ...what, currency: 'EUR', approval: { pin: PIN } }
  const asked = await call(who, 'POST', path, { body })
  expect(asked.status, asked.text).to.equal(202)
  await ended(who, `/v1/payments/${asked.body.id}`)
  return asked.body.id
}
