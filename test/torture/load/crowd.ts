/**
 * The process in which people pay: all at once and again and again, whenever they come, or until
 * they know what became of it. It is one of its own, so that nobody waits for another; what it
 * could not do itself, it says.
 */
import type { Payer } from '../../bench/payments.ts'
import { openPayments } from '../../bench/payments.ts'
import { openTokens } from './tokens.ts'
import { type Insisted, insist, type Insisting } from './insisting.ts'
import { arrive, type Offering, type Offered, press, type Pressed, type Pressing } from './pace.ts'

interface Meeting {
  readonly port: number
  readonly people: readonly Payer[]
  readonly tokenUrl: string
  readonly seed: number
}

export type Order = Pressing | Offering | Insisting
/** What comes of each. */
export interface Done {
  readonly press: Pressed
  readonly arrive: Offered
  readonly insist: Insisted
}

type Answered = (order: Order) => Promise<Done[Order['do']]>

async function meet({ port, people, tokenUrl, seed }: Meeting): Promise<Answered> {
  const tokens = await openTokens(people, tokenUrl)
  const payments = openPayments(people, seed, tokens.of)
  const on = { port, payments, seed }
  return async (order) => {
    if (order.do === 'press') return press(on, order)
    return order.do === 'arrive' ? arrive(on, order) : insist(on, order)
  }
}

let met: Answered | undefined

async function told(message: Meeting | Order): Promise<unknown> {
  if (!('do' in message)) {
    met = await meet(message)
    return 'met'
  }
  return met?.(message)
}

// Nobody is waiting any more.
process.once('disconnect', () => process.exit(0))
process.on('message', (message: Meeting | Order) => {
  void told(message).then((answer) => process.send?.(answer))
})
