/**
 * Takes all windows as far as they can go. Any number of workers may do it, at any time: each step
 * is a compare-and-set of its own, and whoever dies between two leaves the next one to be done.
 */
import { lastSeal } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { addUp, beginClosing } from './close.ts'
import { beginPayments, endWindows } from './settle.ts'
import { findWindows, openFirst } from './windows.ts'

/** So many windows of one kind are looked at in one go: one for each currency is usual. */
const WINDOWS_MAX = 200

export async function advanceWindows(context: Context): Promise<void> {
  await openWindows(context)
  await closeDue(context)
  const closing = await findWindows(context.db, { state: 'closing', limit: WINDOWS_MAX })
  for (const { id } of closing) {
    try {
      await addUp(context, id)
    } catch (error) {
      context.log.error({ err: error, window: id }, 'a window was not added up; it is tried again')
    }
  }
  await beginPayments(context)
  await endWindows(context)
}

/** Every currency of every bank has one. */
async function openWindows({ config, db, now }: Context): Promise<void> {
  const currencies = new Set(config.BANKS.flatMap((bank) => bank.currencies))
  const open = await findWindows(db, { state: 'open', limit: WINDOWS_MAX })
  for (const { currency } of open) currencies.delete(currency)
  for (const currency of currencies) {
    await openFirst(db, currency, { method: config.NETTING_METHOD, at: now() })
  }
}

/** A window in which nothing was sealed stays open: it would be empty. */
async function closeDue(context: Context): Promise<void> {
  const { config, db, now } = context
  const length_s = config.NETTING_WINDOW_S
  if (length_s === 0) return
  const since = new Date(now().getTime() - length_s * 1000)
  const open = await findWindows(db, { state: 'open', limit: WINDOWS_MAX })
  const newest = await lastSeal(db)
  for (const { id, opened_at, from_seal } of open) {
    if (opened_at > since || from_seal === newest) continue
    await db.transaction((trx) => beginClosing(context, trx, id, null))
  }
}
