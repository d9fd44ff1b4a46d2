/** Two operators who decide what is left to them: by the bank's own log, or as they like. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Knex } from 'knex'
import { publicId } from '../../services/ids.ts'
import { readBankLog } from './agree.ts'
import type { Ask, Asked } from './asking.ts'
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
      const path = `/v1/instructions/${publicId('ins', id)}/resolve`
      await decideTogether(ask, path, { outcome, evidence: 'The bank’s own log' })
      decided += 1
    }
  }
  await until(async () => (await db('instructions').where({ state: 'manual' })).length === 0)
  return decided
}

/**
 * A bank tells once that it sent money back. Where that word was lost its statement shows it, and
 * operators say so of the instruction.
 * @returns how many there were.
 * @throws {Error} where reconciliation has not named one, to the cent.
 */
export async function decideReturns(db: Knex, town: Town, ask: Ask): Promise<number> {
  let decided = 0
  for (const bank of BANKS) {
    const { returned } = readBankLog(town.journalOf(bank))
    const missed = () =>
      db('instructions')
        .where({ bank, state: 'settled' })
        .whereIn('reference', [...returned.keys()])
    for (const { id, reference } of await missed()) {
      const item = await db('reconciliation_items')
        .where({ bank, reference, kind: 'unmatched_in_statement', state: 'open' })
        .first('statement_amount')
      if (item === undefined || BigInt(item.statement_amount) !== returned.get(reference)) {
        throw new Error(`reconciliation does not show that ${bank} returned ${reference}`)
      }
      const path = `/v1/instructions/${publicId('ins', id)}/resolve`
      await decideTogether(ask, path, { outcome: 'returned', evidence: 'The bank’s statement' })
      decided += 1
    }
    await until(async () => (await missed()).length === 0)
  }
  return decided
}

/** Half of what is contested, so that some of it is open in the end, as it is on any day. */
export async function decideDisputes(db: Knex, ask: Ask): Promise<number> {
  const open = await db('disputes')
    .whereIn('state', ['needs_evidence', 'under_review'])
    .orderBy('id')
  const decided = open.filter((_, index) => index % 2 === 0)
  for (const [index, { id }] of decided.entries()) {
    const outcome = index % 2 === 0 ? 'won' : 'lost'
    const path = `/v1/disputes/${publicId('dsp', id)}/resolve`
    await decideTogether(ask, path, { outcome, note: 'Both were heard' })
  }
  return decided.length
}

async function decideTogether(ask: Ask, path: string, body: Asked['body'] & object) {
  const asOperator = { scope: 'operator', method: 'POST' } as const
  const key = `decision-${path.replaceAll('/', '-')}`
  const proposed = await ask({ ...asOperator, who: 'olga', path, body, key })
  if (proposed.status !== 202) throw new Error(`not proposed: ${JSON.stringify(proposed.body)}`)
  const approval = `/v1/proposals/${String(proposed.body['id'])}/approve`
  const approved = await ask({ ...asOperator, who: 'otto', path: approval })
  if (approved.status !== 200) throw new Error(`not approved: ${JSON.stringify(approved.body)}`)
}

/** Has each bank's own statement reconciled, as of now: what was late before is not any more. */
export async function reconcileAll(ask: Ask, when: 'at-rest' | 'at-last'): Promise<void> {
  const asOperator = { scope: 'operator', who: 'olga' } as const
  for (const bank of BANKS) {
    const path = `/v1/banks/${bank}/reconciliations`
    const key = `reconciliation-${when}-${bank}`
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
