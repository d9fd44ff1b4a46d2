/** Rules are bounded where they are added: with one too many nothing could be paid at all. */
import { expect } from 'chai'
import { expectProblem, statusesOf, times } from './support/abuse.ts'
import { call } from './support/api.ts'
import { OPERATOR, payment, person } from './support/people.ts'
import { world } from './support/world.ts'

const TIER = 'nobody'

const KINDS = [
  [
    'limit_rules',
    { scope: 'payer', period: 'day', count_max: 1, tier: TIER },
    `INSERT INTO limit_rules (id, scope, period, count_max, tier, after_change, valid_from,
                              created_by, created_at)
     SELECT gen_random_uuid(), 'payer', 'day', 1, ?, false, now(), 'test', now()
       FROM generate_series(1, ?)`,
  ],
  [
    'step_up_rules',
    { kind: 'amount', tier: TIER },
    `INSERT INTO step_up_rules (id, kind, amount_from, tier, valid_from, created_by, created_at)
     SELECT gen_random_uuid(), 'amount', 0, ?, now(), 'test', now() FROM generate_series(1, ?)`,
  ],
] as const

describe('rules', () => {
  for (const [table, terms, fill] of KINDS) {
    it(`are a thousand at most, and all can pay: ${table}`, async () => {
      const { owner } = await world()
      const row = await owner(table).where('valid_from', '<=', new Date()).count({ count: '*' })
      await owner.raw(fill, [TIER, 999 - Number(row[0]?.['count'])])
      const add = () => call(OPERATOR, 'POST', `/v1/${table}`, { body: terms })
      const answers = await Promise.all(times(3, add))
      expect(statusesOf(answers)).to.deep.equal([201, 409, 409])
      expectProblem(await add(), 409, 'too_many_rules')
      const [ada, ben] = [await person(5_000n), await person()]
      const paid = await call(ada, 'POST', '/v1/payments', { body: payment(ben, '100') })
      expect(paid.status, paid.text).to.equal(201)
    })
  }
})
