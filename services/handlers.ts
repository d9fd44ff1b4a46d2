/** What a worker does when the doorbell rings, and who waits for a bank's word. */
import type { Context } from './context.ts'
import { advanceInstruction } from './banking/advance.ts'
import { applyCallback } from './banking/callbacks.ts'
import { sentBack } from './banking/send_back.ts'
import { advanceRecall } from './banking/recall_steps.ts'
import type { Dependants } from './banking/resolve.ts'
import { netPayment } from './netting/settle.ts'
import { bankFunded, ownMoney } from './payments/outcomes.ts'
import type { Bell, Handlers } from './queue.ts'
import { advanceReconciliation } from './reconciliation/work.ts'
import { paidOut } from './settlements/outcomes.ts'

export const DEPENDANTS: Dependants = {
  payment: bankFunded,
  top_up: ownMoney,
  withdrawal: ownMoney,
  settlement: paidOut,
  netting: netPayment,
  send_back: sentBack,
}

export function openHandlers(context: Context): Handlers {
  return {
    instruction: measured(context, 'instruction', (id) =>
      advanceInstruction(context, DEPENDANTS, id),
    ),
    callback: measured(context, 'callback', (id) => applyCallback(context, DEPENDANTS, id)),
    reconciliation: measured(context, 'reconciliation', (id) => advanceReconciliation(context, id)),
    recall: measured(context, 'recall', (id) => advanceRecall(context, id)),
  }
}

function measured({ metrics, log }: Context, bell: Bell, handle: Handlers[Bell]): Handlers[Bell] {
  return async (id) => {
    const started = performance.now()
    let outcome: 'done' | 'failed' = 'failed'
    try {
      await handle(id)
      outcome = 'done'
    } catch (error) {
      log.error({ err: error, bell, id }, 'a ring could not be handled; the sweep rings again')
      throw error
    } finally {
      metrics.ringHandled({ bell, outcome }, (performance.now() - started) / 1000)
    }
  }
}
