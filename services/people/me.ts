/** A person as they see themselves: who they are to us, and what they can agree with. */
import type { Knex } from 'knex'
import { answerOnce, type Claim, type Outcome, type Uuid } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { publicId } from '../ids.ts'
import type { Act } from '../approvals/acts.ts'
import { allFactors, type ApprovalBody, approve } from '../approvals/approvals.ts'
import { hasTotp } from '../totp/check.ts'
import { countDevices } from './devices.ts'
import type { Person } from './parties.ts'
import { recordSecurity } from '../security/log.ts'

export const PIN_STATES = ['none', 'set', 'locked'] as const

/** @param db sees what the caller has just changed. */
export async function showMe(context: Context, { id, alias, name }: Person, db: Knex) {
  const row: Row = await db('people')
    .leftJoin('pins', 'pins.person_id', 'people.id')
    .where({ id })
    .first(...['tier', 'no_pin_limit', 'security_changed_at', 'hash', 'locked_until'])
  const devices = await countDevices(db, id)
  const totp = await hasTotp({ ...context, db }, id)
  const ours = BigInt(context.config.NO_PIN_LIMIT)
  const own = row.no_pin_limit ?? ours
  return {
    ...{ id: publicId('per', id), alias, name, tier: row.tier },
    no_pin_limit: (own < ours ? own : ours).toString(),
    factors: { pin: pinState(row, context.now()), totp, devices },
    security_changed_at: row.security_changed_at?.toISOString() ?? null,
  }
}

interface Row {
  readonly tier: string
  readonly no_pin_limit: bigint | null
  readonly security_changed_at: Date | null
  readonly hash: string | null
  readonly locked_until: Date | null
}

function pinState({ hash, locked_until: until }: Row, now: Date): (typeof PIN_STATES)[number] {
  if (hash === null) return 'none'
  return until !== null && until > now ? 'locked' : 'set'
}

/**
 * Lowers how much the person pays without an approval. False when it would not be lower: what makes
 * a stolen token worth more takes more than a token.
 */
export async function lowerNoPinLimit(
  context: Context,
  person: Uuid,
  limit: bigint,
): Promise<boolean> {
  return context.db.transaction(async (trx) => {
    const lowered = await trx('people')
      .where({ id: person })
      .whereRaw('coalesce(no_pin_limit, ?) >= ?', [context.config.NO_PIN_LIMIT, limit.toString()])
      .update({ no_pin_limit: limit.toString() })
    if (lowered > 0) await recordLimit(trx, context, person, limit)
    return lowered > 0
  })
}

/**
 * Sets how much the person pays without an approval, up to what we allow.
 * @throws {ServiceError} `no_pin_limit_too_high`, and what `approve` throws.
 */
export async function setNoPinLimit(
  context: Context,
  person: Person,
  { limit, approval }: { readonly limit: bigint; readonly approval: ApprovalBody | undefined },
  { claim, key }: { readonly claim: Claim; readonly key: string },
): Promise<Outcome> {
  if (limit > BigInt(context.config.NO_PIN_LIMIT)) throw new ServiceError('no_pin_limit_too_high')
  const facts = { limit: limit.toString() }
  const act: Act = { action: 'no_pin_limit', person: person.id, key, facts }
  await approve(context, act, approval, await allFactors(context, person.id))
  return answerOnce(context.db, claim, async (trx) => {
    await trx('people').where({ id: person.id }).update({ no_pin_limit: facts.limit })
    await recordLimit(trx, context, person.id, limit)
    return JSON.stringify(await showMe(context, person, trx))
  })
}

async function recordLimit(
  trx: Knex.Transaction,
  context: Context,
  person: Uuid,
  limit: bigint,
): Promise<void> {
  const entry = { subject: publicId('per', person), detail: { limit: limit.toString() } }
  await recordSecurity({ ...context, db: trx }, { kind: 'no_pin_limit_changed', ...entry })
}
