/**
 * How risky a payment is. Rules are in memory; what they must look up is looked up only where one
 * in force asks for it. With no rule about such a payment nothing is looked up at all.
 *
 * This is a screen and no limit: of payments made at the same moment none may know of the others.
 */
import { newId, type Uuid } from '../../ledger/index.ts'
import type { Facts } from '../clearance/facts.ts'
import type { Context } from '../context.ts'
import { payeeById } from '../people/parties.ts'
import { publicId } from '../ids.ts'
import type { Known, RuleKind, Side } from './kinds.ts'
import { ListUnavailable } from './lists.ts'
import { concerns, type Judgement, type Rule, verdictOf } from './verdict.ts'

export interface Assessment extends Judgement {
  /** What was recorded; null for "allow", of which nothing is. */
  readonly id: Uuid | null
}

const ALLOWED: Assessment = { id: null, verdict: 'allow', rules: [], reasons: [] }

/**
 * @param key the Idempotency-Key of the request, by which the record is found again.
 * @throws {ServiceError} never: what follows from the verdict is the caller's business.
 */
export async function assess(context: Context, facts: Facts, key: string): Promise<Assessment> {
  const inForce = await context.screen.rules.at(facts.at)
  const rules = inForce.filter((rule) => concerns(rule, facts))
  if (rules.length === 0) return ALLOWED
  const known = await lookUp(context, rules, facts)
  const judgement = verdictOf(rules, known)
  if (judgement.verdict === 'allow') return ALLOWED
  return { ...judgement, id: await record(context, judgement, known, key) }
}

async function lookUp(context: Context, rules: readonly Rule[], facts: Facts): Promise<Known> {
  const { looks } = context.screen
  const isAsked = (kind: RuleKind) => rules.some((rule) => rule.kind === kind)
  const windows = new Set(
    rules.flatMap((rule) => (rule.kind === 'velocity' ? rule.parameters.window_s : [])),
  )
  const [recent, firstPaidAt, countries, listed] = await Promise.all([
    Promise.all([...windows].map(async (s) => [s, await looks.recent(facts, s)] as const)),
    isAsked('new_payee') ? looks.firstPaidAt(facts) : undefined,
    isAsked('country') ? countriesOf(context, facts) : {},
    isAsked('list') ? listedOf(context, facts) : NOBODY,
  ])
  return { facts, recent: new Map(recent), firstPaidAt, countries, listed }
}

const NOBODY = { payer: [], payee: [] }

async function countriesOf({ screen }: Context, { payer, payee }: Facts) {
  const [ofPayer, ofPayee] = await Promise.all([
    screen.looks.country('person', payer.id),
    payee === null ? undefined : screen.looks.country(payee.kind, payee.id),
  ])
  return {
    ...(ofPayer !== undefined && { payer: ofPayer }),
    ...(ofPayee !== undefined && { payee: ofPayee }),
  }
}

async function listedOf(context: Context, { payer, payee }: Facts): Promise<Known['listed']> {
  const { screen, log } = context
  const names = await Promise.all([
    payeeById(context, 'person', payer.id),
    payee === null ? undefined : payeeById(context, payee.kind, payee.id),
  ])
  const entriesOf = async (side: 0 | 1) => {
    const name = names[side]?.name
    // Whoever was erased has no name left, and can neither pay nor be paid.
    return name === undefined || name === null
      ? []
      : (await screen.lists.check([name])).map(({ entry }) => entry)
  }
  try {
    const [ofPayer, ofPayee] = await Promise.all([entriesOf(0), entriesOf(1)])
    return { payer: ofPayer, payee: ofPayee }
  } catch (error) {
    if (!(error instanceof ListUnavailable)) throw error
    log.error({ reason: error.message }, 'the sanctions list cannot be asked')
    return 'unavailable'
  }
}

/** What was judged and how, without names: whoever may see those looks them up by the ids. */
async function record(
  { db, now }: Context,
  { verdict, rules, reasons }: Judgement,
  known: Known,
  key: string,
): Promise<Uuid> {
  const { rail, payer } = known.facts
  const id = newId()
  await db('risk_assessments').insert({
    ...{ id, person_id: payer.id, idempotency_key: key, rail, verdict, created_at: now() },
    ...{ rules: JSON.stringify(rules), reasons: JSON.stringify(reasons) },
    facts: JSON.stringify(summaryOf(known)),
  })
  return id
}

function summaryOf({ facts, recent, firstPaidAt, countries, listed }: Known) {
  const { payer, payee, money, at } = facts
  const sides: readonly Side[] = ['payer', 'payee']
  return {
    payee: payee === null ? null : publicId(payee.kind === 'person' ? 'per' : 'mer', payee.id),
    ...{ amount: money.amount.toString(), currency: money.currency, tier: payer.standing.tier },
    at: at.toISOString(),
    recent: [...recent].map(([window_s, { payments, amount }]) => ({
      ...{ window_s, payments: payments.toString(), amount: amount.toString() },
    })),
    first_paid_at: firstPaidAt?.toISOString() ?? null,
    countries: Object.fromEntries(sides.map((side) => [side, countries[side] ?? null])),
    listed: listed === 'unavailable' ? null : { payer: listed.payer, payee: listed.payee },
  }
}
