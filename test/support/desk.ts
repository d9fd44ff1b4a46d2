/** Instructions that wait for a person, and what two operators decide about them. */
import { expect } from 'chai'
import type { Uuid } from '../../ledger/index.ts'
import { recordStep } from '../../services/banking/history.ts'
import { publicId, uuidOf } from '../../services/ids.ts'
import { until } from './abuse.ts'
import { call } from './api.ts'
import { linkedAccount, person, PIN } from './people.ts'
import { together } from './proposals.ts'
import { world } from './world.ts'

/** Once the bank of a payment or a settlement has the instruction, nobody asks it any more. */
export async function givenUp(subject: Uuid) {
  const { owner } = await world()
  const mine = () => owner('instructions').where({ subject_id: subject })
  await until(async () => {
    const { state, leased_until: lease } = await mine().first()
    return state === 'sent' && lease === null
  })
  const [row] = await mine().update({ state: 'manual', reason: 'too_old' }).returning('*')
  await owner.transaction((trx) =>
    recordStep(trx, {
      ...{ instruction: row.id, at: new Date(), event: 'too_old', detail: 'too_old' },
      ...{ from: 'sent', to: 'manual' },
    }),
  )
  return row
}

/** A withdrawal of 10.90 that waits for a person: the bank is told, and nobody knows more. */
export async function waiting() {
  const ada = await person(5_000n)
  const body = { amount: '1090', currency: 'EUR', approval: { pin: PIN } }
  const bank_account = await linkedAccount(ada, 'east')
  const asked = await call(ada, 'POST', '/v1/withdrawals', { body: { ...body, bank_account } })
  expect(asked.status, asked.text).to.equal(202)
  const row = await givenUp(uuidOf(asked.body.id))
  const id = publicId('ins', row.id)
  return { ada, payment: asked.body.id as string, id, reference: row.reference as string }
}

export const decided = (id: string, outcome: string, evidence = 'Called the bank, ticket 4711') =>
  together(`/v1/instructions/${id}/resolve`, { body: { outcome, evidence } })
