/** What merchants call what was paid: the references of their orders. */
import type { Knex } from 'knex'
import type { Uuid } from '../../ledger/index.ts'
import type { Kind } from '../ids.ts'

export interface Subject {
  readonly kind: Kind | undefined
  readonly id: Uuid
}

/** By the id of the payment, refund or dispute; what is none, or of no order, is left out. */
export async function orderReferences(
  db: Knex,
  subjects: readonly Subject[],
): Promise<ReadonlyMap<Uuid, string>> {
  const of = (kind: Kind) => subjects.filter((one) => one.kind === kind).map(({ id }) => id)
  const asked = { payments: of('pay'), refunds: of('rfd'), disputes: of('dsp') }
  if (Object.values(asked).every((ids) => ids.length === 0)) return new Map()
  const { rows } = await db.raw<{ rows: { id: Uuid; reference: string }[] }>(
    `SELECT s.id, o.reference
       FROM (SELECT id, id AS payment_id FROM unnest(:payments::uuid[]) id
             UNION ALL SELECT id, payment_id FROM refunds WHERE id = ANY (:refunds::uuid[])
             UNION ALL SELECT id, payment_id FROM disputes WHERE id = ANY (:disputes::uuid[])) s
       JOIN payments p ON p.id = s.payment_id
       JOIN orders o ON o.id = p.order_id`,
    asked,
  )
  return new Map(rows.map(({ id, reference }) => [id, reference]))
}
