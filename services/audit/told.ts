/** What must be so of answers, events and webhooks: whatever happened was told, and once. */
import { always, drained, type Invariant, publicIdSql } from './invariants.ts'

/** The public ids of what there is, each with the event that must have told of it. */
const HAPPENED = `
  SELECT ${publicIdSql('pay', 'id')} AS object, 'payment.' || state AS type FROM payments
   UNION ALL
  SELECT ${publicIdSql('set', 'id')}, 'settlement.' || state FROM settlements
   UNION ALL
  SELECT ${publicIdSql('rfd', 'id')}, 'refund.completed' FROM refunds
   UNION ALL
  SELECT ${publicIdSql('exc', 'id')}, 'exchange.completed' FROM exchanges
   UNION ALL
  SELECT ${publicIdSql('rsv', 'id')}, 'reserve.held' FROM reserves
   UNION ALL
  SELECT ${publicIdSql('inc', 'id')}, 'incoming_money.' || state FROM incoming_money
   WHERE state <> 'unmatched'
   UNION ALL
  SELECT ${publicIdSql('dsp', 'id')}, 'dispute.' || CASE state WHEN 'needs_evidence' THEN 'opened'
         WHEN 'under_review' THEN 'evidence_submitted' ELSE state END FROM disputes
   UNION ALL
  SELECT ${publicIdSql('ins', 'id')}, 'instruction.manual' FROM instructions
   WHERE state = 'manual'
   UNION ALL
  SELECT ${publicIdSql('rcl', 'id')}, 'recall.' || state FROM recalls
   WHERE state IN ('returned', 'refused', 'manual')`

/** Answers go after thirty days at the earliest. */
const STORED_FOR = `interval '29 days'`
/** An answer begins with the id of what it is about. */
const NAMED = `substring(answer FROM '^\\{"id":"(pay_[0-9a-hjkmnp-tv-z]{26})"')`

export const TOLD: readonly Invariant[] = [
  ...always({
    whatever_happened_was_told: `
      SELECT object || ' ' || type AS subject FROM (${HAPPENED}) h
       WHERE NOT EXISTS (SELECT FROM events e WHERE (e.object_id, e.type) = (h.object, h.type))`,
    events_of_an_object_are_numbered: `
      SELECT object_id AS subject FROM events GROUP BY object_id
      HAVING count(*) <> max(version) OR count(DISTINCT version) <> max(version)`,
    deliveries_are_of_events: `
      SELECT d.id AS subject FROM webhook_deliveries d LEFT JOIN events e ON e.id = d.event_id
       WHERE e.id IS NULL`,
    what_was_delivered_was_answered: `
      SELECT d.id AS subject FROM webhook_deliveries d
       WHERE d.state = 'delivered' AND NOT EXISTS (
               SELECT FROM webhook_attempts a WHERE a.delivery_id = d.id AND a.fault IS NULL)`,
    attempts_are_counted: `
      SELECT d.id AS subject FROM webhook_deliveries d
        LEFT JOIN webhook_attempts a ON a.delivery_id = d.id
       GROUP BY d.id HAVING count(a.number) <> d.attempts
                         OR coalesce(max(a.number), 0) <> d.attempts`,
    payments_have_their_answer: `
      SELECT p.id AS subject FROM payments p
        LEFT JOIN (SELECT DISTINCT ${NAMED} AS object FROM claims) c
               ON c.object = ${publicIdSql('pay', 'p.id')}
       WHERE p.idempotency_key IS NOT NULL AND p.created_at > now() - ${STORED_FOR}
         AND c.object IS NULL`,
    answers_are_about_payments_that_exist: `
      SELECT c.id AS subject FROM claims c
       WHERE ${NAMED} IS NOT NULL
         AND ${NAMED} NOT IN (SELECT ${publicIdSql('pay', 'id')} FROM payments)`,
    keys_pay_once: `
      SELECT id AS subject FROM (
        SELECT id, created_at - lag(created_at) OVER (
                 PARTITION BY payer_id, idempotency_key,
                              CASE WHEN kind IN ('person', 'order') THEN 'payment' ELSE kind END
                 ORDER BY created_at) AS since
          FROM payments WHERE idempotency_key IS NOT NULL) again
       WHERE since < ${STORED_FOR}`,
  }),
  ...drained({
    events_have_become_deliveries: `
      SELECT e.id AS subject FROM events e, webhook_progress p
       WHERE (e.transaction_id, e.id) > (p.transaction_id, p.event_id)`,
    no_delivery_waits: `
      SELECT d.id AS subject FROM webhook_deliveries d
        JOIN webhook_endpoints e ON e.id = d.endpoint_id
       WHERE d.state = 'waiting' AND e.state = 'enabled' AND e.deleted_at IS NULL
         AND d.next_at < now() - interval '1 minute'`,
  }),
]
