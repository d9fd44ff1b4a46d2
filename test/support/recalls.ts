/** Money that was paid out and is asked back. */
import { expect } from 'chai'
import { advanceRecall } from '../../services/banking/recall_steps.ts'
import { publicId, uuidOf } from '../../services/ids.ts'
import { until } from './abuse.ts'
import { type Customer, paidOut } from './paper-customer.ts'
import { together } from './proposals.ts'
import { world } from './world.ts'

export const recall = (id: string, reason = 'DUPL') =>
  together(`/v1/instructions/${publicId('ins', id)}/recalls`, {
    body: { reason, note: 'Paid twice by mistake' },
  })

export async function recallStateOf(recallId: string): Promise<string> {
  const { owner } = await world()
  const row = await owner('recalls')
    .where({ id: uuidOf(recallId) })
    .first()
  return row.state
}

/** A recall that its bank has taken and never answers, as a worker finds it two weeks later. */
export async function unanswered(who: Customer, amount: string) {
  const paid = await paidOut(who, amount)
  const asked = await recall(paid.id)
  expect(asked.status, asked.text).to.equal(201)
  const recallId: string = asked.body.id
  await until(async () => (await recallStateOf(recallId)) === 'accepted')
  const { worker } = await world()
  const later = { ...worker, now: () => new Date(Date.now() + 1_300_000_000) }
  await advanceRecall(later, uuidOf(recallId))
  return { ...paid, recallId }
}
