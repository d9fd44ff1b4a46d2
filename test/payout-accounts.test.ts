/** Where merchants are paid out: to the account that two operators looked at, and to no other. */
import { expect } from 'chai'
import { bankAccountOf } from '../services/banking/bank_accounts.ts'
import { merchantOwner } from '../services/books/chart.ts'
import { uuidOf } from '../services/ids.ts'
import { payoutAccounts } from '../services/settlements/payout_accounts.ts'
import { batchOf, draftBatches, makeBatch } from '../services/settlements/settle.ts'
import { expectProblem, instructionOf, unchanged, until } from './support/abuse.ts'
import { call, type Who } from './support/api.ts'
import { onboarded } from './support/onboarding.ts'
import { linkedAccount, type Merchant, merchant, person } from './support/people.ts'
import { paid } from './support/refunds.ts'
import { decide, suspect, waiting } from './support/reviews.ts'
import { world } from './support/world.ts'

const payOut = (shop: Merchant, more: object = {}) =>
  call(shop, 'POST', '/v1/settlements', { body: { currency: 'EUR', ...more } })

const unlink = (who: Who, account: string) => call(who, 'DELETE', `/v1/bank_accounts/${account}`)

const reviewedOf = async (shop: Merchant): Promise<string> =>
  (await call(shop, 'GET', `/v1/merchants/${shop.id}`)).body.settlement_account.id

/** By the account that a run goes by for all of its merchants. */
async function runsTo(shop: Merchant): Promise<string | undefined> {
  const { worker } = await world()
  const id = uuidOf(shop.id)
  return (await payoutAccounts(worker.db, [id])).get(id)?.id
}

/** What Postgres says to a batch that is paid out there. */
async function refusalAt(
  shop: Merchant,
  find: () => Promise<string>,
  before?: () => Promise<void>,
) {
  const { worker } = await world()
  const id = uuidOf(shop.id)
  const account = await bankAccountOf(worker.db, merchantOwner(id), uuidOf(await find()))
  await before?.()
  const [draft] = await draftBatches(worker, [{ merchant: id, currency: 'EUR' }])
  const terms = { minimum: 1n, cutOff: null, bankAccount: account.id }
  const { outcome } = await makeBatch(worker, batchOf(draft!, terms, worker), account)
  return (JSON.parse(outcome.answer) as { refused?: string }).refused
}

describe('the account that was reviewed', () => {
  it('is where a merchant is paid out, whoever links another', async () => {
    const [ada, shop] = await Promise.all([person(20_000n), onboarded({})])
    await paid(ada, shop, '10000')
    const [reviewed, other] = [await reviewedOf(shop), await linkedAccount(shop, 'south')]
    const refused = await unchanged(() => payOut(shop, { bank_account: other }))
    expectProblem(refused, 422, 'bank_account_not_reviewed')
    expect(await refusalAt(shop, async () => other)).to.equal('bank_account_not_reviewed')
    expect(await runsTo(shop)).to.equal(uuidOf(reviewed))
    const made = await payOut(shop)
    expect(made.status, made.text).to.equal(202)
    const { owner } = await world()
    const batch = await owner('settlements')
      .where({ id: uuidOf(made.body.id) })
      .first('bank_account_id')
    expect(batch.bank_account_id).to.equal(uuidOf(reviewed))
  })

  it('is waited for while it is not linked: the money stays here', async () => {
    const [ada, shop] = await Promise.all([person(20_000n), onboarded({})])
    await paid(ada, shop, '10000')
    expect((await unlink(shop, await reviewedOf(shop))).status).to.equal(204)
    await linkedAccount(shop, 'south')
    expect(await runsTo(shop)).to.equal(undefined)
    expectProblem(await unchanged(() => payOut(shop)), 422, 'bank_account_not_found')
  })
})

describe('an account that was unlinked', () => {
  it('is told to no bank, whoever had looked it up before', async () => {
    const [ada, shop] = await Promise.all([person(20_000n), merchant()])
    await paid(ada, shop, '10000')
    const account = await linkedAccount(shop)
    expect(await runsTo(shop)).to.equal(uuidOf(account))
    const refusal = await refusalAt(
      shop,
      async () => account,
      async () => {
        expect((await unlink(shop, account)).status).to.equal(204)
      },
    )
    expect(refusal).to.equal('bank_account_not_found')
  })

  it('is told to no bank when a payment from it is released from its review', async () => {
    const [ada, ben] = await Promise.all([suspect(0n), person()])
    const source = await linkedAccount(ada)
    const { payment, review } = await waiting(ada, '4000', { payee: ben.alias, source })
    const { owner } = await world()
    const blocked =
      "SELECT FROM pg_locks WHERE NOT granted AND locktype IN ('tuple', 'transactionid')"
    // It is looked up before the payment is locked, and unlinked before the bank would be told.
    const { released } = await owner.transaction(async (trx) => {
      const id = uuidOf(payment.id)
      await trx('payments').where({ id }).forUpdate().first('id')
      const asked = decide(review, 'release')
      await until(async () => (await owner.raw(blocked)).rows.length > 0)
      expect((await unlink(ada, source)).status).to.equal(204)
      return { released: asked }
    })
    expectProblem(await released, 422, 'bank_account_not_found')
    expect(await instructionOf(payment.id)).to.equal(undefined)
    const still = await call(ada, 'GET', `/v1/payments/${payment.id}`)
    expect(still.body.state).to.equal('review')
    const refused = await decide(review, 'refuse')
    expect(refused.body.payment.state, refused.text).to.equal('failed')
  })
})
