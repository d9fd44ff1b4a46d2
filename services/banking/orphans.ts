/**
 * Events about instructions that we do not know. Most are early: our own commit is still under way,
 * or a file of the bank overtook it. They are looked at again and again, ever further apart, and
 * what is still unknown after a while is somebody's to find out about.
 */
import type { BankEvent } from '../../adapters/adapter.ts'
import type { Context } from '../context.ts'
import { dispose, type Heard, lockHeard, recordBankEvent } from './inbox.ts'

/**
 * What an orphan means for the money at last. None is booked: an event does not say whether money
 * came or went, so only the bank's statement can tell, and a person who reads it.
 */
const ORPHANS = {
  settled: 'unknown_money_moved',
  returned: 'unknown_money_came_back',
  rejected: 'nothing_moved',
  recall_refused: 'nothing_moved',
  received: 'nothing_moved',
} as const satisfies Record<BankEvent['outcome'], string>

/** @param heard about an instruction that this bank has none of. */
export async function parkOrphan(context: Context, heard: Heard): Promise<void> {
  const { db, config, now, log } = context
  const at = now()
  const age_s = (at.getTime() - heard.received_at.getTime()) / 1000
  await db.transaction(async (trx) => {
    const locked = await lockHeard(trx, heard.id)
    if (locked === undefined) return
    const other = await trx('instructions')
      .where({ reference: heard.reference })
      .whereNot({ bank: heard.bank })
      .first('id')
    if (other !== undefined) {
      log.error({ bank: heard.bank, event: heard.event_id }, 'a bank reports on another bank’s')
      await dispose(trx, heard.id, 'contradiction')
      return recordBankEvent(trx, 'contradicted', heard, 'cross_bank', at)
    }
    const isOld = age_s >= config.ORPHAN_ALERT_S
    await dispose(trx, heard.id, isOld ? 'parked' : 'orphan')
    if (isOld) await recordBankEvent(trx, 'parked', heard, ORPHANS[heard.outcome], at)
  })
}
