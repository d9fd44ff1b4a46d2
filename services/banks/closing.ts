/** How operators close a bank or a rail, and open it again. */
import { newId, type Uuid } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { publicId } from '../ids.ts'
import { recordSecurity } from '../security/log.ts'
import { fromRow, type Outage, type Row } from './outages.ts'

export interface NewOutage {
  readonly bank: string
  readonly rail: string | null
  /** Now, where it is undefined or past. */
  readonly from: Date | undefined
  /** Until somebody ends it, where it is undefined. */
  readonly to: Date | undefined
  readonly reason: string
}

/** It is in force in this process at once, in others within `RULES_AGE_MS`. */
export async function closeBank(
  context: Context,
  { bank, rail, from, to, reason }: NewOutage,
  createdBy: string,
): Promise<Outage> {
  const at = context.now()
  const validFrom = from === undefined || from < at ? at : from
  if (to !== undefined && to <= validFrom) {
    throw new ServiceError('invalid_request', { detail: 'to: is not after from' })
  }
  const made = { id: newId(), bank, rail, reason, createdBy, validFrom, validTo: to ?? null }
  await context.db.transaction(async (trx) => {
    await trx('bank_outages').insert({
      ...{ id: made.id, bank, rail, reason, valid_from: validFrom, valid_to: made.validTo },
      ...{ created_by: createdBy, created_at: at },
    })
    const subject = publicId('out', made.id)
    await recordSecurity({ ...context, db: trx }, { kind: 'bank_closed', subject })
  })
  context.outages.changed()
  return made
}

/** @throws {ServiceError} `not_found` where there is none that could still end. */
export async function openBank(context: Context, id: Uuid): Promise<Outage> {
  const at = context.now()
  const ended = await context.db.transaction(async (trx) => {
    const [row]: Row[] = await trx('bank_outages')
      .where({ id })
      .where((open) => void open.whereNull('valid_to').orWhere('valid_to', '>', at))
      .update({ valid_to: trx.raw('greatest(valid_from, ?::timestamptz)', [at]) })
      .returning('*')
    if (row === undefined) throw new ServiceError('not_found')
    const subject = publicId('out', id)
    await recordSecurity({ ...context, db: trx }, { kind: 'bank_opened', subject })
    return fromRow(row)
  })
  context.outages.changed()
  return ended
}

/** An outage as the API shows it. */
export const outageOut = (outage: Outage) => ({
  ...{ id: publicId('out', outage.id), bank: outage.bank, rail: outage.rail },
  ...{ reason: outage.reason, created_by: outage.createdBy },
  from: outage.validFrom.toISOString(),
  to: outage.validTo?.toISOString() ?? null,
})
