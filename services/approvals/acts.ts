/**
 * What a person agrees to, as one text that their phone and we both write, byte for byte. Whoever
 * changes the payee, the amount or anything else writes another text, and the approval is void.
 *
 *   florin-approval-v1
 *   action=payment
 *   person=per_01h455vb4pex5vsknk084sn02q
 *   payee=per_01h455vbqrfx5vsknk084sn02r
 *   amount=1250
 *   currency=EUR
 *   order=
 *   source=
 *   key=6b1f0e7a-pay-bob
 *
 * Lines end with a line feed, all but the last. What is approved is the SHA-256 of it.
 */
import { hash } from 'node:crypto'
import type { Money, Uuid } from '../../ledger/index.ts'
import { type Kind, publicId } from '../ids.ts'

/** The facts of each action, in the order in which they are written. */
export const ACTIONS = {
  payment: ['payee', 'amount', 'currency', 'order', 'source'],
  top_up: ['amount', 'currency', 'source'],
  withdrawal: ['amount', 'currency', 'source'],
  exchange: ['quote', 'amount', 'currency', 'buy_amount', 'buy_currency'],
  pin_reset: [],
  'device.bind': ['thumbprint', 'name'],
  no_pin_limit: ['limit'],
  'totp.enrol': [],
  'totp.remove': [],
  'totp.recovery_codes': [],
  'bank_account.confirm': ['bank_account', 'name'],
  erasure: [],
} as const satisfies Record<string, readonly string[]>

type Action = keyof typeof ACTIONS

/** What stores no answer under its claim, because that would keep a secret, or a person. */
export const UNANSWERED: ReadonlySet<Action> = new Set<Action>([
  ...(['pin_reset', 'totp.enrol', 'totp.remove', 'totp.recovery_codes', 'erasure'] as const),
])

/** What is done to a person's authenticator. */
export type TotpAct = Extract<Action, `totp.${string}`>

/** Something that needs a person's approval. No fact contains a line break. */
interface ActOf<A extends Action> {
  readonly action: A
  readonly person: Uuid
  /** As the API writes them: public ids, amounts in minor units, '' for what is not there. */
  readonly facts: Readonly<Record<(typeof ACTIONS)[A][number], string>>
  /** The Idempotency-Key of the request, so that one approval is good for one request. */
  readonly key: string
}

export type Act = { readonly [A in Action]: ActOf<A> }[Action]

/** What a phone shows a person, and signs the digest of. */
export function textOf({ action, person, facts, key }: Act): string {
  const given: Readonly<Record<string, string>> = facts
  let text = `florin-approval-v1\naction=${action}\nperson=${publicId('per', person)}\n`
  for (const name of ACTIONS[action]) text += `${name}=${given[name] ?? ''}\n`
  return `${text}key=${key}`
}

/** SHA-256 of the text. */
export const digestOf = (act: Act): Buffer => hash('sha256', textOf(act), 'buffer')

export const moneyFacts = ({ amount, currency }: Money) => ({
  amount: amount.toString(),
  currency,
})

/** A public id, or '' where there is nothing to name. */
export const idFact = (kind: Kind, id: Uuid | null | undefined): string =>
  id === null || id === undefined ? '' : publicId(kind, id)
