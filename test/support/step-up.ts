/** Rules of step-up, and payments that need it. */
import { randomUUID } from 'node:crypto'
import { expect } from 'chai'
import { type Answer, call, newKey, tokenOf } from './api.ts'
import { OPERATOR, payment, type Person, PIN } from './people.ts'
import { codeAt } from './totp.ts'
import { world } from './world.ts'

/** Rules of one test are about nobody but its people, who are of a tier of their own. */
export async function tierOf(...people: readonly Person[]): Promise<string> {
  const { owner } = await world()
  const tier = `t${randomUUID().replaceAll('-', '').slice(0, 20)}`
  await owner('people').whereIn('id', ids(people)).update({ tier })
  return tier
}

const ids = (people: readonly Person[]) => people.map(({ id }) => id)

export async function rule(terms: object): Promise<string> {
  const made = await call(OPERATOR, 'POST', '/v1/step_up_rules', { body: terms })
  expect(made.status, made.text).to.equal(201)
  return made.body.id
}

export const pay = (from: Person, to: Person, amount: string, approval: object, key = newKey()) =>
  call(from, 'POST', '/v1/payments', { body: payment(to, amount, { approval }), key })

export const withPin = { pin: PIN }
export const withCode = ({ secret }: { readonly secret: string }) => ({
  ...{ pin: PIN, totp: codeAt(secret, new Date()) },
})

export const LARGE = { kind: 'amount', currency: 'EUR', amount_from: '5000' }

export async function payAt(
  apiUrl: string,
  who: Person,
  body: object,
  key = newKey(),
): Promise<Pick<Answer, 'status'>> {
  const response = await fetch(`${apiUrl}/v1/payments`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${await tokenOf(who)}`,
      'content-type': 'application/json',
      'idempotency-key': key,
    },
    body: JSON.stringify(body),
  })
  await response.arrayBuffer()
  return { status: response.status }
}
