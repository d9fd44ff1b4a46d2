/**
 * A bank behind the wire of the sandbox's protocol, in virtual time. Its log of what it paid is the
 * truth; it knows nothing of Florin but what is sent to it.
 */
import { Response } from 'undici'
import type { Fetch } from '../../adapters/fetch.ts'
import type { Schedule } from './schedule.ts'
import type { Swarm } from './faults.ts'

export interface Letter {
  readonly event_id: string
  readonly reference: string
  readonly outcome: string
  readonly amount: string
  readonly currency: string
  readonly occurred_at: string
  readonly reason?: string
}

interface Held {
  readonly asked: Asked
  state: 'accepted' | 'settled' | 'rejected' | 'returned'
  /** Its latest word; what it tells, and answers when asked. */
  word?: Letter
}

interface Asked {
  readonly reference: string
  readonly direction: 'debit' | 'credit'
  readonly amount: string
  readonly currency: string
}

export interface SimulatedBank {
  readonly fetch: Fetch
  /** How often the money of each reference moved, less what went back. */
  readonly paid: ReadonlyMap<string, number>
  readonly held: ReadonlyMap<string, Held>
  /** What it holds of ours. */
  readonly balance: () => bigint
  /** As its statement of the day would: tells everything again. */
  readonly tellAll: () => void
}

export interface BankOptions {
  readonly schedule: Schedule
  readonly swarm: Swarm
  readonly random: () => number
  /** Brings a letter to Florin in so many seconds, again and again until it is taken. */
  readonly send: (in_s: number, letter: Letter) => void
}

const HOUR_S = 3_600
const CURTAIN = Object.assign(new Error('refused'), { code: 'ECONNREFUSED' })
const json = (status: number, body: object) => new Response(JSON.stringify(body), { status })

interface Books extends BankOptions {
  readonly held: Map<string, Held>
  readonly paid: Map<string, number>
  balance: bigint
  events: number
}

function move(books: Books, { reference, direction, amount }: Asked, times: 1 | -1): void {
  const { paid, schedule } = books
  paid.set(reference, (paid.get(reference) ?? 0) + times)
  books.balance += BigInt(times) * (direction === 'debit' ? 1n : -1n) * BigInt(amount)
  schedule.note(`the bank ${times === 1 ? 'pays' : 'takes back'} ${reference}`)
}

function decide(books: Books, one: Held, state: 'settled' | 'rejected' | 'returned'): void {
  const { reference, amount, currency } = one.asked
  const occurred_at = books.schedule.now().toISOString()
  const reason = state === 'settled' ? {} : { reason: 'AC06' }
  const said = { reference, amount, currency, occurred_at, ...reason }
  one.state = state
  one.word = { event_id: `${reference}_${(books.events += 1)}`, outcome: state, ...said }
  tell(books, one.word)
}

function tell({ swarm, random, schedule, send }: Books, word: Letter): void {
  const soon_s = () => 1 + random() * (swarm.hits('callbackLate') ? 3 * HOUR_S : 60)
  if (swarm.hits('wrongAmount')) {
    send(soon_s(), { ...word, event_id: `${word.event_id}W`, amount: `${word.amount}0` })
  }
  if (swarm.hits('callbackLost')) return schedule.note(`lost: ${word.event_id}`)
  send(soon_s(), word)
  if (swarm.hits('callbackTwice')) send(soon_s(), word)
}

/** What it makes of a request, when that arrives. */
function take(books: Books, asked: Asked): Held {
  const { held, swarm, random, schedule } = books
  const known = held.get(asked.reference)
  if (known !== undefined && !swarm.kinds.includes('forgetful')) return known
  const one: Held = { asked, state: 'accepted' }
  held.set(asked.reference, one)
  const wait_s = random() < 0.2 ? random() * 2 * HOUR_S : random() * 30
  schedule.plan(wait_s, () => {
    if (swarm.hits('rejected')) return decide(books, one, 'rejected')
    move(books, asked, 1)
    decide(books, one, 'settled')
    if (!swarm.hits('returned')) return
    schedule.plan(HOUR_S * (1 + 59 * random()), () => {
      move(books, asked, -1)
      decide(books, one, 'returned')
    })
  })
  return one
}

function submitted(books: Books, asked: Asked): Response {
  const { reference } = asked
  const isKnown = books.held.has(reference) && books.swarm.kinds.includes('duplicateReference')
  const one = take(books, asked)
  if (isKnown) return json(409, { error: 'duplicate_reference', reference })
  if (one.state === 'rejected') return json(422, { ...one.word, state: 'rejected' })
  return one.state === 'settled'
    ? json(200, { ...one.word, state: 'settled' })
    : json(202, { reference, state: 'accepted' })
}

function enquired({ held, swarm }: Books, reference: string): Response {
  const one = held.get(reference)
  const isHidden = one?.state === 'accepted' && swarm.hits('hidden')
  if (one === undefined || isHidden) return json(404, { reference, error: 'not_found' })
  return json(200, { reference, ...one.word, state: one.state })
}

/** What a call comes to; undefined when nothing comes back. */
async function answer(
  books: Books,
  path: string,
  asked: Asked | undefined,
): Promise<Response | undefined> {
  const { swarm, random, schedule } = books
  if (swarm.hits('refused')) throw new TypeError('fetch failed', { cause: CURTAIN })
  if (swarm.hits('requestLost')) return undefined
  if (asked !== undefined && swarm.hits('late')) {
    // Later than anybody waits, earlier than the bank's cut-off.
    schedule.plan(20 + random() * 1.5 * HOUR_S, () => void take(books, asked))
    return undefined
  }
  const reference = path.split('/').at(-1) ?? ''
  const given = asked === undefined ? enquired(books, reference) : submitted(books, asked)
  if (swarm.hits('replyLate')) await schedule.sleep(60 + random() * HOUR_S)
  if (swarm.hits('garbage')) return new Response('<html>Welcome', { status: 200 })
  return swarm.hits('replyLost') ? undefined : given
}

export function openSimulatedBank(options: BankOptions): SimulatedBank {
  const books: Books = { ...options, held: new Map(), paid: new Map(), balance: 0n, events: 0 }
  const { schedule, random, send, held, paid } = books
  return {
    ...{ paid, held, balance: () => books.balance },
    tellAll() {
      for (const { word } of held.values()) if (word !== undefined) send(random() * 60, word)
    },
    async fetch(url, { method, body }) {
      const path = new URL(url).pathname
      if (path.startsWith('/accounts/')) return json(200, { result: 'match' })
      schedule.step()
      const asked = typeof body === 'string' ? (JSON.parse(body) as Asked) : undefined
      schedule.note(`${method} ${asked?.reference ?? path}`)
      await schedule.sleep(random() * 2)
      const given = await answer(books, path, asked)
      await schedule.mayStop()
      if (given === undefined) await schedule.sleep(15)
      schedule.step()
      if (given === undefined) throw new DOMException('the bank is silent', 'TimeoutError')
      schedule.note(`is answered ${given.status}`)
      return given
    },
  }
}
