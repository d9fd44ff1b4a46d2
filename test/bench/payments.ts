/** Payments as phones send them: each of one cent, to a friend, under a key never used before. */
import { newId } from '../../ledger/index.ts'
import { openDice } from './load.ts'
import { type Phone, signer } from './phones.ts'

export interface Payer {
  readonly alias: string
  readonly token: string
  /** The person's public id, by which others pay them. */
  readonly id: string
  /** By which they agree to what they pay; a token is enough where there is none. */
  readonly phone: Phone | undefined
}

export interface Payment {
  readonly key: string
  /** The whole of the request, head and body. */
  readonly request: string
}

export interface Payments {
  readonly next: () => Payment
  /** What phones do ahead of time costs this machine nothing while it is measured. */
  readonly prepare: (count: number) => void
}

/** How many others somebody pays. */
const FRIENDS = 10

/** @param tokenOf asked anew for each: tokens do not live long. */
export function openPayments(
  people: readonly Payer[],
  seed: number,
  tokenOf: (payer: Payer) => string = ({ token }) => token,
): Payments {
  const dice = openDice(seed)
  const signers = people.map((one) => one.phone && signer(one.id, one.phone))
  const make = () => {
    const index = dice(people.length)
    const [payer, payee] = [people[index], people[(index + 1 + dice(FRIENDS)) % people.length]]
    if (payer === undefined || payee === undefined) throw new Error('there is nobody')
    const [key, asked] = [newId(), { payee: `@${payee.alias}`, amount: '1', currency: 'EUR' }]
    const device = signers[index]?.({ ...asked, payee: payee.id }, key)
    const approval = device && { approval: { device } }
    const body = JSON.stringify({ ...asked, note: 'lunch', ...approval })
    const request =
      'POST /v1/payments HTTP/1.1\r\nhost: 127.0.0.1\r\n' +
      `authorization: Bearer ${tokenOf(payer)}\r\n` +
      `content-type: application/json\r\nidempotency-key: ${key}\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
    return { key, request }
  }
  const made: Payment[] = []
  return {
    prepare(count) {
      while (made.length < count) made.push(make())
    },
    next: () => made.pop() ?? make(),
  }
}
