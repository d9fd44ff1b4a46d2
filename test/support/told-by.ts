/**
 * Which file of tests tells of which type of event: once all of that file has passed, an event of
 * the type must have been written, and like all events it must fit what is published.
 */
import type { EventType } from '../../services/events/catalogue.ts'

const all = <Type extends EventType>(file: string, ...types: readonly Type[]) =>
  Object.fromEntries(types.map((type) => [type, file])) as Readonly<Record<Type, string>>

export const TOLD_BY = {
  ...all('operators', 'account.closed', 'account.frozen', 'account.unfrozen', 'account.updated'),
  ...all('periods', 'account.period_closed'),
  ...all('bulk', 'ledger.posted'),
  ...all('holds', 'payment.processing', 'payment.authorized', 'payment.captured'),
  ...all('holds', 'payment.completed', 'payment.canceled', 'payment.expired'),
  ...all('reviews', 'payment.review', 'payment.failed'),
  ...all('reversals', 'payment.reversed'),
  ...all('onboarding', 'merchant.draft', 'merchant.review', 'merchant.active'),
  ...all('onboarding', 'merchant.suspended'),
  ...all('orders', 'order.created', 'order.processing', 'order.partially_shipped'),
  ...all('orders', 'order.shipped', 'order.completed', 'order.canceled'),
  ...all('refunds', 'refund.completed'),
  ...all('reserves', 'reserve.held', 'reserve.released'),
  ...all('disputes', 'dispute.opened', 'dispute.evidence_submitted', 'dispute.won'),
  ...all('disputes', 'dispute.lost', 'dispute.reversed'),
  ...all('settlements', 'settlement.processing', 'settlement.settled', 'settlement.failed'),
  ...all('settlements', 'settlement.returned'),
  ...all('settlement-run', 'settlement.carried'),
  ...all('invoices', 'fee_invoice.issued'),
  ...all('recalls', 'instruction.manual'),
  ...all('recalls', 'instruction.returned', 'recall.manual', 'recall.refused', 'recall.returned'),
  ...all('inbox', 'bank_event.contradicted', 'bank_event.parked'),
  ...all('files', 'bank_file.contradicted', 'bank_file.failed'),
  ...all('files', 'incoming_money.received', 'incoming_money.matched'),
  ...all('send-back', 'incoming_money.not_sent_back', 'incoming_money.returning'),
  ...all('send-back', 'incoming_money.sent_back'),
  ...all('netting', 'netting.carried'),
  ...all('exchange', 'exchange.completed'),
  ...all('reconciliation-runs', 'reconciliation.failed', 'reconciliation.unexplained'),
  ...all('devices', 'person.device_bound', 'person.device_revoked'),
  ...all('privacy', 'person.erased'),
  ...all('pins', 'person.pin_changed', 'person.pin_locked', 'person.pin_reset'),
  ...all('totp', 'person.recovery_code_used', 'person.recovery_codes_renewed'),
  ...all('totp', 'person.totp_enrolled', 'person.totp_removed'),
  ...all('totp-once', 'person.totp_locked'),
  ...all('webhooks-days', 'webhook_endpoint.disabled'),
  ...all('webhook-receiver', 'webhook_endpoint.ping'),
} as const satisfies Readonly<Record<EventType, string>>

const fileOf = ({ file = '' }: Mocha.Suite) => /([^/]+)\.test\.ts$/.exec(file)?.[1]

/** Undefined for one that was left out, be it by a name that was asked for. */
const hasPassed = (suite: Mocha.Suite): boolean =>
  suite.tests.every(({ state }) => state === 'passed') && suite.suites.every(hasPassed)

/** What the files that have passed, all of them, should have told and have not. */
export function untold(root: Mocha.Suite, types: ReadonlySet<string>): string[] {
  const files = new Map<string, boolean>()
  for (const suite of root.suites) {
    const file = fileOf(suite)
    if (file !== undefined) files.set(file, (files.get(file) ?? true) && hasPassed(suite))
  }
  return Object.entries(TOLD_BY)
    .filter(([type, file]) => files.get(file) === true && !types.has(type))
    .map(([type, file]) => `${file}.test.ts no longer tells of ${type}`)
}
