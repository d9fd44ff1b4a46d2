/** Callbacks that no bank would send. */
import { createHmac } from 'node:crypto'
import { BREAKS, QUERIES, TEXTS } from './bad.ts'
import type { Operation } from './document.ts'
import { type Bad, type Cast, type Workshop, written } from './requests.ts'
import type { Dice } from './values.ts'

const FORGED_SECRET = `whsec_${Buffer.alloc(32, 99).toString('base64')}`

/** Unsigned, signed by somebody else, long ago, for another bank; or signed, and no event. */
export function badCallback(workshop: Workshop, cast: Cast, operation: Operation): Bad {
  const { dice, newKey } = workshop
  const { pick, happens } = dice
  const [bank, other] = [pick(cast.banks), pick(cast.banks)]
  const event = JSON.stringify({ type: 'payment.settled', data: { reference: pick(TEXTS) } })
  const body = Buffer.from(happens(0.5) ? event : pick(BREAKS)(event, dice))
  const [id, now] = [newKey(), Math.floor(Date.now() / 1000)]
  const at = `${pick([now, now, now - 3600, now + 3600, -1, 'now'])}`
  const strange = other.name === bank.name ? undefined : other.secret
  const signature = wrongSignature(dice, { id, at, body }, bank.secret, strange)
  const headers = [
    ...[['content-type', 'application/json'] as const, ['webhook-id', id] as const],
    ...[['webhook-timestamp', at] as const, ['webhook-signature', signature] as const],
  ].filter(([, value]) => value !== '' && happens(0.97))
  const params = { bank: happens(0.9) ? bank.name : pick(QUERIES) }
  const draft = { params, query: [], body: null }
  return { ...written(workshop, cast, { kind: 'callback', operation }, draft), body, headers }
}

/** Or a right one, of what is no event or comes at the wrong time. */
function wrongSignature(
  { pick }: Dice,
  { id, at, body }: { readonly id: string; readonly at: string; readonly body: Buffer },
  secret: string,
  strange: string | undefined,
): string {
  const sign = (by: string) =>
    `v1,${createHmac('sha256', Buffer.from(by.slice(6), 'base64'))
      .update(`${id}.${at}.`)
      .update(body)
      .digest('base64')}`
  const signed = sign(secret)
  return pick([
    ...[signed, signed, sign(FORGED_SECRET), strange === undefined ? '' : sign(strange)],
    ...['', 'v1,', 'v2,AAAA', 'v1,AAAA '.repeat(50), signed.toLowerCase()],
  ])
}
