/**
 * Takes a recall one step further. Like an instruction: leased, its state committed before the
 * call, and sent again under the same reference, which the bank knows it by.
 */
import { BankError } from '../../adapters/adapter.ts'
import type { Uuid } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { findInstruction, type Instruction } from './instructions.ts'
import { type Recall, type RecallState, recordRecall } from './recalls.ts'

/** For what is done around the call. */
const LEASE_MARGIN_MS = 5_000
const UNDER_WAY: readonly RecallState[] = ['requested', 'sent', 'unknown', 'accepted']
/** After a call that failed the wait doubles from here to here. */
const [RETRY_FIRST_MS, RETRY_LAST_MS] = [5_000, 900_000]

export async function advanceRecall(context: Context, id: Uuid): Promise<void> {
  const recall = await lease(context, id)
  if (recall === undefined) return
  const age_s = (context.now().getTime() - recall.created_at.getTime()) / 1000
  if (age_s >= context.config.RECALL_MANUAL_AFTER_S) return giveToPerson(context, recall)
  if (recall.state === 'accepted') return
  const instruction = await findInstruction(context.db, { id: recall.instruction_id })
  if (instruction !== undefined) await send(context, recall, instruction)
}

async function lease({ db, now, config }: Context, id: Uuid): Promise<Recall | undefined> {
  const at = now()
  const until = new Date(at.getTime() + config.BANK_TIMEOUT_MS + LEASE_MARGIN_MS)
  const rows: Recall[] = await db('recalls')
    .where({ id })
    .whereIn('state', UNDER_WAY)
    .where('next_at', '<=', at)
    .where((free) => void free.whereNull('leased_until').orWhere('leased_until', '<', at))
    .update({ lease: db.raw('lease + 1'), leased_until: until })
    .returning('*')
  return rows[0]
}

/** That it is sent is committed before the call; a late answer of the bank's is never undone. */
async function send(context: Context, recall: Recall, original: Instruction): Promise<void> {
  const bank = context.banks.get(original.bank)
  if (bank === undefined) throw new Error(`recall ${recall.id} is for a bank we do not have`)
  const submissions = recall.submissions + 1
  const nextAt = retryAt(context.now(), submissions)
  if (!(await write(context, recall, { state: 'sent', submissions, nextAt }))) return
  const { reference, reason } = recall
  const { money } = original
  const asked = { reference, original: { reference: original.reference, money }, reason }
  try {
    await context.breakers.call(bank.name, () => bank.recall(asked))
  } catch (error) {
    if (!(error instanceof BankError)) throw error
    const untouched = error.code === 'bank_unreachable' && submissions === 1
    await write(context, recall, { state: untouched ? 'requested' : 'unknown', nextAt })
    return
  }
  const { created_at: since } = recall
  const giveUpAt = new Date(since.getTime() + context.config.RECALL_MANUAL_AFTER_S * 1000)
  await write(context, recall, { state: 'accepted', nextAt: giveUpAt })
}

const retryAt = (now: Date, submissions: number) =>
  new Date(now.getTime() + Math.min(RETRY_LAST_MS, RETRY_FIRST_MS * 2 ** (submissions - 1)))

interface Progress {
  readonly state: RecallState
  readonly nextAt: Date
  readonly submissions?: number
}

/** False: the lease is lost, or the bank's answer was there first. */
async function write(
  { db, now }: Context,
  { id, lease: held }: Recall,
  { state, nextAt, submissions }: Progress,
): Promise<boolean> {
  const changed = await db('recalls')
    .where({ id, lease: held })
    .whereIn('state', UNDER_WAY)
    .update({
      ...{ state, next_at: nextAt, changed_at: now() },
      ...(submissions === undefined ? { leased_until: null } : { submissions }),
    })
  return changed === 1
}

async function giveToPerson({ db, now }: Context, recall: Recall): Promise<void> {
  const [state, changed_at] = ['manual' as const, now()]
  await db.transaction(async (trx) => {
    const changed = await trx('recalls')
      .where({ id: recall.id, lease: recall.lease })
      .whereIn('state', UNDER_WAY)
      .update({ state, changed_at, leased_until: null })
    if (changed === 1) await recordRecall(trx, 'manual', { ...recall, state, changed_at })
  })
}
