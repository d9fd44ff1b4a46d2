/** Why a payment needs a second factor. Only what a rule in force asks for is looked up. */
import type { Facts } from '../clearance/facts.ts'
import type { Context } from '../context.ts'
import { concerns, type Known, reasonsOf, type StepUpKind } from './rules.ts'

/**
 * Empty where none is needed. Without a rule in force this asks the database nothing.
 * @param deviceBoundAt of the device that approves, where one does.
 */
export async function stepUpReasons(
  context: Context,
  facts: Facts,
  deviceBoundAt: Date | undefined,
): Promise<readonly StepUpKind[]> {
  const inForce = await context.stepUpRules.at(facts.at)
  const rules = inForce.filter((rule) => concerns(rule, facts))
  if (rules.length === 0) return []
  const kinds = new Set(rules.map(({ kind }) => kind))
  const known: Known = {
    firstPaidAt: kinds.has('new_payee') ? await firstPaidAt(context, facts) : null,
    deviceBoundAt: deviceBoundAt ?? null,
  }
  return reasonsOf(rules, facts, known)
}

/** Once it is true it stays true: whoever was paid before is not asked about again. */
async function firstPaidAt(context: Context, { payer, payee }: Facts): Promise<Date | null> {
  if (payee === null) return null
  const found = await context.memory.recall(`paid ${payer.id} ${payee.id}`, async () => {
    const row = await context
      .db('payments')
      .where({ payer_id: payer.id, payee_id: payee.id })
      .whereIn('state', ['completed', 'reversed'])
      .orderBy('id')
      .first('created_at')
    return row?.created_at as Date | undefined
  })
  return found ?? null
}
