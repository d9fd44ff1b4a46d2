/** Rules of a test's own: they bind people of a tier that nobody else is in. */
import { expect } from 'chai'
import { publicId } from '../../services/ids.ts'
import { call, newSubject } from './api.ts'
import { OPERATOR, type Person, person } from './people.ts'
import { world } from './world.ts'

/** Somebody with money, in a tier of their own unless one is given. */
export async function tiered(balance: bigint, tier = newSubject('t')) {
  const who = await person(balance)
  const answer = await knownAs(who, { tier })
  expect(answer.status, answer.text).to.equal(200)
  return { ...who, tier }
}

/** What an operator says of a person. */
export const knownAs = (who: Person, body: object) =>
  call(OPERATOR, 'PUT', `/v1/people/${publicId('per', who.id)}`, { body })

export const newRule = (more: object) => ({
  ...{ kind: 'amount', parameters: { above: '0' }, rails: ['wallet'], currency: 'EUR' },
  ...{ verdict: 'refuse', when_unavailable: 'allow', reason: 'a test', tier: 'nobody' },
  ...more,
})

/** @returns the rule as the API shows it; in force with the answer. */
export async function rule(more: object) {
  const made = await call(OPERATOR, 'POST', '/v1/risk_rules', { body: newRule(more) })
  expect(made.status, made.text).to.equal(201)
  return made.body
}

/** What was recorded about the payments that somebody asked for, the oldest first. */
export async function assessmentsOf({ id }: Person) {
  const { owner } = await world()
  return owner('risk_assessments').where({ person_id: id }).orderBy('id')
}
