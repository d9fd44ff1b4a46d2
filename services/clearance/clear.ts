/**
 * All that must be right before the books are asked. Top to bottom: how the payer stands, what they
 * may still spend, how risky it is, what they must show for it, and whether they have shown it.
 */
import type { Claim, Money, Use, Uuid } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import type { Act } from '../approvals/acts.ts'
import { type Approval, type ApprovalBody, approve, signatureIn } from '../approvals/approvals.ts'
import type { Standing } from '../credentials/standing.ts'
import { allowanceOf, usesOf } from '../limits/uses.ts'
import { assess } from '../risk/assess.ts'
import { stepUpReasons } from '../step_up/reasons.ts'
import type { Facts, Rail } from './facts.ts'

/** The request in which it is asked. */
export interface Asking {
  readonly claim: Claim
  /** The Idempotency-Key. */
  readonly key: string
  /** Of the caller, where that is known already. */
  readonly standing: Promise<Standing> | undefined
}

export interface Asked {
  readonly rail: Rail
  readonly payer: Uuid
  readonly payee: Facts['payee']
  readonly money: Money
  /** What the payer must agree to. */
  readonly act: Act
  readonly given: ApprovalBody | undefined
  readonly standing: Promise<Standing> | undefined
}

export interface Clearance {
  readonly approval: Approval
  /** What it uses up, to be submitted with the money. */
  readonly uses: readonly Use[]
  /** The assessment that wants a person to look at it before the payee is paid; null for none. */
  readonly review: Uuid | null
}

/**
 * @throws {ServiceError} for whatever is missing or refused. Nothing is stored then: the same key
 *   may be tried again.
 */
export async function clear(context: Context, asked: Asked): Promise<Clearance> {
  const { rail, payee, money, act, given } = asked
  const standing = await (asked.standing ?? standingOf(context, asked.payer))
  const signature = given && (await signatureIn(context, given, standing))
  const payer = { id: asked.payer, standing }
  const facts: Facts = { rail, payer, payee, money, at: context.now() }
  const limited = await usesOf(context, facts)
  const risk = await assess(context, facts, act.key)
  if (risk.verdict === 'refuse') throw new ServiceError('payment_refused')
  const ruled = await stepUpReasons(context, facts, signature?.device.boundAt)
  const reasons = risk.verdict === 'step_up' ? [...ruled, 'risk' as const] : ruled
  const stepUp = reasons.length > 0
  const demand = { approval: stepUp || !mayGoUnapproved(context, facts), stepUp, reasons }
  const approval = await approve(context, act, given, demand, signature)
  const isUnapproved = approval.factor === 'none'
  const uses = isUnapproved ? [...limited, allowanceOf(context, facts)] : limited
  return { approval, uses, review: risk.verdict === 'hold' ? risk.id : null }
}

/** Small enough for a token alone, as the person and we want it. */
function mayGoUnapproved({ config }: Context, { payer, money }: Facts): boolean {
  const ours = BigInt(config.NO_PIN_LIMIT)
  const own = payer.standing.noPinLimit ?? ours
  return money.amount <= (own < ours ? own : ours)
}

/** @throws {ServiceError} `forbidden` for who was erased, which this process may not know yet. */
async function standingOf({ standings }: Context, person: Uuid): Promise<Standing> {
  const standing = await standings(person)
  if (standing === undefined) throw new ServiceError('forbidden')
  return standing
}
