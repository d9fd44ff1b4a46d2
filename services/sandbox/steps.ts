/** What a step of the story is, and who takes it. */
import { formatMoney } from '../../ledger/index.ts'
import { CAFE, OPERATOR } from './cast.ts'
import type { Answer } from './client.ts'

export interface Line {
  readonly who: string
  readonly what: string
  readonly amount?: string
  readonly fee?: string
  readonly state: string
  readonly ms: number
  /** What there is to say besides, a line each. */
  readonly notes?: readonly string[]
}

export type Tell = (line: Line) => void

export const person = ({ sub }: { readonly sub: string }) => ({ sub, scope: 'person' })
export const cafe = { sub: CAFE.sub, scope: 'merchant' }
export const operator = { sub: OPERATOR.sub, scope: 'operator' }
export const money = (amount: unknown, currency: unknown = 'EUR') =>
  formatMoney({ amount: BigInt(String(amount)), currency: String(currency) })

/** A step that must succeed, timed and told. */
export async function step(
  tell: Tell,
  who: string,
  what: string,
  work: () => Promise<Answer>,
  more: (body: Answer['body']) => Partial<Line> = () => ({}),
): Promise<Answer> {
  const started = performance.now()
  const answer = await work()
  if (answer.status >= 400) throw new Error(`${who} ${what}: ${JSON.stringify(answer.body)}`)
  const state = answer.replayed ? 'as before' : 'done'
  const ms = performance.now() - started
  tell({
    who,
    what,
    state,
    ms,
    ...(answer.body['amount'] !== undefined && amountOf(answer.body)),
    ...more(answer.body),
  })
  return answer
}

const amountOf = (body: Answer['body']) => ({ amount: money(body['amount'], body['currency']) })
