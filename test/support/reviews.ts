/** Payments that wait for an operator, for tests of what may become of them. */
import { expect } from 'chai'
import { expireReviews } from '../../services/payments/expiry.ts'
import { publicId, uuidOf } from '../../services/ids.ts'
import { call } from './api.ts'
import { expireAll } from './held.ts'
import { OPERATOR, type Person, person, payment, PIN } from './people.ts'
import { together } from './proposals.ts'
import { rule, tiered } from './risk.ts'
import { world } from './world.ts'

/** Somebody whose payments are all held for a review. */
export async function suspect(balance: bigint) {
  const who = await tiered(balance)
  const held = { tier: who.tier, verdict: 'hold', rails: ['wallet', 'order', 'bank'] }
  return { ...who, rule: await rule({ ...held, reason: 'looks odd' }) }
}

export const reviewOf = async (paid: string) => {
  const { owner } = await world()
  return owner('reviews')
    .where({ payment_id: uuidOf(paid) })
    .first()
}

/** A payment of `amount` that waits, and its review as operators see it. */
export async function waiting(ada: Person, amount: string, more: object = {}) {
  const body = 'order' in more ? { ...orderOf(amount), ...more } : await personOf(amount, more)
  const paid = await call(ada, 'POST', '/v1/payments', { body })
  expect(paid.status, paid.text).to.equal(202)
  expect(paid.body.state).to.equal('review')
  const { id } = await reviewOf(paid.body.id)
  return { payment: paid.body, review: publicId('rev', id), text: paid.text, body }
}

const personOf = async (amount: string, more: object) => payment(await person(), amount, more)
const orderOf = (amount: string) => ({ amount, currency: 'EUR', approval: { pin: PIN } })

/** A release takes two operators. */
export function decide(review: string, what: 'release' | 'refuse', key?: string) {
  const path = `/v1/reviews/${review}/${what}`
  const asked = { body: { reason: 'I asked them' }, ...(key !== undefined && { key }) }
  return what === 'release' ? together(path, asked) : call(OPERATOR, 'POST', path, asked)
}

/** As workers would that look `later_s` seconds from now. */
export async function runOut(later_s: number): Promise<void> {
  const { worker } = await world()
  await expireAll(later_s)
  await expireReviews({ ...worker, now: () => new Date(Date.now() + later_s * 1000) })
}
