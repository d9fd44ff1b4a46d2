/**
 * Whether what customers were told is so. Judged by the journal of those who asked and by the rows
 * that are there; it shares nothing with whoever wrote either.
 */
import type { Knex } from 'knex'
import { publicId } from '../../services/ids.ts'
import type { Answer, Asks, Entry } from './journal.ts'

/** A row of the database that somebody must have asked for. */
export interface Effect {
  /** As the API calls it. */
  readonly id: string
  readonly amount: bigint
  /** Who asked: what tokens say, and the key; refunds keep none. */
  readonly who?: string
  readonly key?: string
  /** What a refund is of. */
  readonly of?: string
}

export interface Finding {
  readonly what: 'lost' | 'duplicated' | 'invented' | 'changed' | 'told_otherwise'
  /** The key or the id. */
  readonly where: string
}

/** What was asked under a key, and all that was answered. */
interface Intent {
  readonly asks: Asks
  readonly answers: readonly Answer[]
}

/** By key. */
export type Intents = ReadonlyMap<string, Intent>

export function intentsOf(entries: readonly Entry[]): Intents {
  const intents = new Map<string, { asks: Asks; answers: Answer[] }>()
  for (const entry of entries) {
    if (entry.kind === 'asks') intents.set(entry.key, { asks: entry, answers: [] })
    else intents.get(entry.key)?.answers.push(entry)
  }
  return intents
}

/** What was asked and done, in the order in which it was asked, with what was told of it. */
export const madeOf = (intents: Intents) =>
  [...intents.values()].flatMap(({ asks, answers }) => {
    const made = answers.find(isMade)
    return made === undefined || made.text === '' ? [] : [{ asks, made: bodyOf(made) }]
  })

const isMade = (answer: Answer | undefined) => answer !== undefined && answer.status < 300
const bodyOf = ({ text }: Answer): Readonly<Record<string, unknown>> => JSON.parse(text)

/** X1 and X2: all that was acknowledged is there as it was asked for, and nothing else is. */
export function judgeEffects(intents: Intents, effects: readonly Effect[]): Finding[] {
  const byId = new Map(effects.map((effect) => [effect.id, effect]))
  const told = new Map<string, Asks>()
  const found: Finding[] = []
  for (const [key, { asks, answers }] of intents) {
    const made = answers.find(isMade)
    if (made === undefined || !isOfMoney(asks.path)) continue
    const id = String(bodyOf(made)['id'])
    const other = told.get(id)
    if (other !== undefined)
      found.push({ what: 'lost', where: `${key}: told that of ${other.key}` })
    told.set(id, asks)
    const effect = byId.get(id)
    if (effect === undefined) found.push({ what: 'lost', where: key })
    else if (!isAsAsked(asks, effect)) found.push({ what: 'changed', where: key })
  }
  return [...found, ...invented(intents, effects, told), ...doubled(effects)]
}

const REFUND = /^\/v1\/payments\/(.+)\/refunds$/

/** What leaves a payment or a refund behind. */
const isOfMoney = (path: string) =>
  ['/v1/payments', '/v1/top_ups', '/v1/withdrawals'].includes(path) || REFUND.test(path)

function isAsAsked({ who, key, path, body }: Asks, effect: Effect): boolean {
  const [, of] = REFUND.exec(path) ?? []
  const isTheirs = of === undefined ? effect.who === who && effect.key === key : effect.of === of
  const amount = body?.['amount']
  return isTheirs && (amount === undefined || BigInt(amount as string) === effect.amount)
}

/** There, though no customer was told of it in the end. Every request has an answer by then. */
function invented(
  intents: Intents,
  effects: readonly Effect[],
  told: ReadonlyMap<string, Asks>,
): Finding[] {
  return effects
    .filter(({ id }) => !told.has(id))
    .map(({ id, key }) => {
      const isKnown = key !== undefined && intents.has(key)
      return { what: isKnown ? ('duplicated' as const) : ('invented' as const), where: key ?? id }
    })
}

function doubled(effects: readonly Effect[]): Finding[] {
  const seen = new Set<string>()
  return effects.flatMap(({ who, key }) => {
    if (key === undefined) return []
    const name = `${who} ${key}`
    if (seen.has(name)) return [{ what: 'duplicated' as const, where: name }]
    seen.add(name)
    return []
  })
}

/** The books refused: that is kept, and the same key never succeeds. */
const REFUSED_BY_BOOKS = 402

/**
 * Whether the answer is kept. What is refused before the books are asked is not: the next try under
 * the key may succeed.
 */
const isKept = (answer: Answer) =>
  isMade(answer) || answer.isReplayed || answer.status === REFUSED_BY_BOOKS

/** X5: under one key there is one answer, byte for byte, for ever; all but one say so. */
export function judgeAnswers(intents: Intents): Finding[] {
  return [...intents].flatMap(([where, { answers }]) => {
    const begun = answers.findIndex(isKept)
    const kept = begun === -1 ? [] : answers.slice(begun)
    const [first] = kept
    const isOne = kept.every(({ status, text }) => status === first?.status && text === first.text)
    const areFirst = kept.filter(({ isReplayed }) => !isReplayed).length
    return isOne && areFirst <= 1 ? [] : [{ what: 'told_otherwise' as const, where }]
  })
}

/** Every payment and every refund that is there. */
export async function readEffects(db: Knex): Promise<Effect[]> {
  const payments = await db('payments')
    .join('people', 'people.id', 'payments.payer_id')
    .select('payments.id', 'payments.amount', 'people.subject', 'payments.idempotency_key')
  const refunds = await db('refunds').select('id', 'amount', 'payment_id')
  return [
    ...payments.map((row) => ({
      ...{ id: publicId('pay', row.id), amount: BigInt(row.amount) },
      ...{ who: row.subject, key: row.idempotency_key },
    })),
    ...refunds.map((row) => ({
      ...{ id: publicId('rfd', row.id), amount: BigInt(row.amount) },
      of: publicId('pay', row.payment_id),
    })),
  ]
}
