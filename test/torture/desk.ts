/** Two operators who decide what is left to them by the bank's own log, and reconcile. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Knex } from 'knex'
import { publicId } from '../../services/ids.ts'
import { readBankLog } from './agree.ts'
import type { Ask } from './asking.ts'
import { BANKS, type Town } from './town.ts'

const WAIT_MS = 30_000

/** @returns how many they decided. */
export async function decideByBankLog(db: Knex, town: Town, ask: Ask): Promise<number> {
  let decided = 0
  for (const bank of BANKS) {
    const { moved } = readBankLog(town.journalOf(bank))
    const waiting = await db('instructions').where({ bank, state: 'manual' })
    for (const { id, reference } of waiting) {
      const outcome = (moved.get(reference) ?? 0n) === 0n ? 'rejected' : 'settled'
      await decideTogether(ask, publicId('ins', id), outcome)
      decided += 1
    }
  }
  await until(async () => (await db('instructions').where({ state: 'manual' })).length === 0)
  return decided
}

async function decideTogether(ask: Ask, id: string, outcome: string): Promise<void> {
  const asOperator = { scope: 'operator', method: 'POST' } as const
  const proposed = await ask({
    ...{ ...asOperator, who: 'olga', path: `/v1/instructions/${id}/resolve` },
    ...{ body: { outcome, evidence: 'The bank’s own log' }, key: `decision-${id}` },
  })
  if (proposed.status !== 202) throw new Error(`not proposed: ${JSON.stringify(proposed.body)}`)
  const path = `/v1/proposals/${String(proposed.body['id'])}/approve`
  const approved = await ask({ ...asOperator, who: 'otto', path })
  if (approved.status !== 200) throw new Error(`not approved: ${JSON.stringify(approved.body)}`)
}

/** Has each bank's own statement reconciled, as of now: what was late before is not any more. */
export async function reconcileAll(ask: Ask): Promise<void> {
  const asOperator = { scope: 'operator', who: 'olga' } as const
  for (const bank of BANKS) {
    const path = `/v1/banks/${bank}/reconciliations`
    const key = `reconciliation-at-rest-${bank}`
    const asked = await ask({ ...asOperator, method: 'POST', path, body: {}, key })
    if (asked.status >= 300) throw new Error(`not reconciled: ${asked.text}`)
    const run = `/v1/reconciliations/${String(asked.body['id'])}`
    await until(async () => {
      const { body } = await ask({ ...asOperator, method: 'GET', path: run })
      if (body['state'] === 'failed') throw new Error(`it failed: ${JSON.stringify(body)}`)
      return body['state'] === 'completed'
    })
  }
}

async function until(isTrue: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + WAIT_MS
  while (!(await isTrue())) {
    if (performance.now() > deadline) throw new Error('what operators asked for was never done')
    await sleep(200)
  }
}
