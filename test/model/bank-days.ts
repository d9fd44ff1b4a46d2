/**
 * Days at a bank, simulated: instructions on their way, requests and replies that are lost or late,
 * callbacks that come twice, out of order or never. The bank here knows nothing of Florin; what
 * Florin does is decided by its own policy and its own table of states, on a virtual clock.
 */
import { type Event, isOpen, next, type State } from '../../services/banking/machine.ts'
import {
  type Known,
  lookAgainAt,
  mayResend,
  nextStep,
  type Policy,
} from '../../services/banking/policy.ts'
import { openTimeline, type Timeline } from './timeline.ts'

/** A thing somebody might do instead of what the policy says, each of which loses money. */
export type Mistake =
  | 'a timeout is a refusal'
  | 'a timeout is a success'
  | 'a retry has a new reference'
  | 'a retry is made at once'
  | 'not found is final'
  | 'a known reference is a success'

export interface Odds {
  readonly requestLost: number
  readonly replyLost: number
  readonly late: number
  readonly rejected: number
  readonly returned: number
  readonly callbackLost: number
  readonly callbackTwice: number
}

export interface Days {
  readonly instructions: number
  readonly odds: Odds
  readonly policy: Policy
  /** Whether the bank recognises a reference that it has seen. */
  readonly recognises: boolean
  readonly random: () => number
  readonly mistake?: Mistake
}

export interface Outcomes {
  readonly paidTwice: number
  readonly refundedButPaid: number
  readonly settledButNeverPaid: number
  /** Neither final nor with a person in the end. */
  readonly stuck: number
  readonly manual: readonly string[]
  readonly enquiriesMax: number
  readonly states: Readonly<Record<string, number>>
}

/** What the bank has done under one reference. */
interface Held {
  outcome: 'settled' | 'rejected' | 'returned'
}

interface Ours extends Known {
  state: State
  sentAt: Date | null
  lastSentAt: Date | null
  enquiries: number
  submissions: number
  /** All references it was ever sent under: one, unless somebody makes a mistake. */
  readonly references: string[]
}

type Said = 'settled' | 'rejected' | 'returned'

const HOUR_S = 3_600
/** A late request arrives within so long; banks promise less than their cut-off. */
const LATENESS_S = 2 * HOUR_S
const EPOCH = Date.UTC(2026, 0, 1)

/** Everything that is simulated. */
interface World {
  readonly days: Days
  readonly timeline: Timeline
  readonly bank: Map<string, Held>
  /** How often the bank moved money under each reference, less what it sent back. */
  readonly paid: Map<string, number>
}

const isHit = ({ days }: World, chance: number) => days.random() < chance
const at = (seconds: number) => new Date(EPOCH + seconds * 1000)

export function simulate(days: Days): Outcomes {
  const world: World = { days, timeline: openTimeline(), bank: new Map(), paid: new Map() }
  const ours = Array.from({ length: days.instructions }, (_, index): Ours => {
    const untold = { sentAt: null, lastSentAt: null, enquiries: 0, submissions: 0 }
    const one: Ours = { state: 'created', ...untold, references: [`R${index}`] }
    wake(world, one, (index / days.instructions) * HOUR_S)
    return one
  })
  world.timeline.run()
  return judge(ours, world.paid)
}

/** The bank does what it was asked, or not, or again. */
function execute(world: World, one: Ours, reference: string, now: number): void {
  const { days, bank, paid, timeline } = world
  if (bank.has(reference) && days.recognises) return
  const outcome = isHit(world, days.odds.rejected) ? 'rejected' : 'settled'
  bank.set(reference, { outcome })
  tell(world, one, outcome, now)
  if (outcome === 'rejected') return
  paid.set(reference, (paid.get(reference) ?? 0) + 1)
  if (!isHit(world, days.odds.returned)) return
  timeline.add(now + HOUR_S * (1 + 71 * days.random()), (then) => {
    bank.set(reference, { outcome: 'returned' })
    paid.set(reference, (paid.get(reference) ?? 0) - 1)
    tell(world, one, 'returned', then)
    // Where nobody was told, the day's statement shows it.
    timeline.add(then + 24 * HOUR_S, () => hear(one, 'returned'))
  })
}

/** Callbacks take their time, so that they overtake each other. */
function tell(world: World, one: Ours, said: Said, now: number): void {
  const { odds, random } = world.days
  const copies = isHit(world, odds.callbackLost) ? 0 : isHit(world, odds.callbackTwice) ? 2 : 1
  for (let copy = 0; copy < copies; copy += 1) {
    world.timeline.add(now + 1 + 120 * random(), () => hear(one, said))
  }
}

function hear(one: Ours, event: Event): void {
  const to = next(one.state, event)
  if (to !== 'late' && to !== 'duplicate' && to !== 'contradiction') one.state = to
}

const RETRYING: readonly (Mistake | undefined)[] = [
  'a retry is made at once',
  'a retry has a new reference',
  'a known reference is a success',
]

function submit(world: World, one: Ours, now: number): void {
  const { days, bank, timeline } = world
  const { odds, policy, random, mistake } = days
  if (one.submissions > 0 && mistake === 'a retry has a new reference') {
    one.references.push(`${one.references[0]}-${one.submissions}`)
  }
  const reference = one.references.at(-1) ?? ''
  const wasKnown = bank.has(reference) && days.recognises
  hear(one, 'sending')
  one.sentAt ??= at(now)
  one.lastSentAt = at(now)
  one.submissions += 1
  one.enquiries = 0
  const [isLost, isLate] = [isHit(world, odds.requestLost), isHit(world, odds.late)]
  if (!isLost) {
    const arrives = isLate ? now + 20 + (LATENESS_S - 20) * random() : now
    timeline.add(arrives, (then) => execute(world, one, reference, then))
  }
  const isAnswered = !isLost && !isLate && !isHit(world, odds.replyLost)
  hear(one, afterSubmit(isAnswered, wasKnown, mistake))
  const mustRetry = !isAnswered && RETRYING.includes(mistake) && one.submissions < 3
  wake(world, one, now + (mustRetry ? 5 : policy.enquiryFirst_s), mustRetry)
}

function enquire(world: World, one: Ours, now: number): void {
  const { odds, policy, mistake } = world.days
  one.enquiries += 1
  const known = world.bank.get(one.references.at(-1) ?? '')
  const isAnswered = !isHit(world, odds.requestLost) && !isHit(world, odds.replyLost)
  if (isAnswered && known !== undefined) return hear(one, known.outcome)
  if (isAnswered && mistake === 'not found is final') return hear(one, 'rejected')
  hear(one, isAnswered ? 'not_found' : 'unclear')
  if (isAnswered && mayResend(one, at(now), policy)) return submit(world, one, now)
  lookAgain(world, one, now)
}

function lookAgain(world: World, one: Ours, now: number): void {
  const moment = lookAgainAt(one, at(now), world.days.policy)
  wake(world, one, (moment.getTime() - EPOCH) / 1000)
}

function wake(world: World, one: Ours, when: number, mustRetry = false): void {
  world.timeline.add(when, (now) => {
    if (!isOpen(one.state) || one.state === 'manual') return
    const step = mustRetry ? 'submit' : nextStep(one, at(now), world.days.policy)
    if (step === 'submit') return submit(world, one, now)
    if (step === 'enquire') return enquire(world, one, now)
    if (step === 'manual') return hear(one, 'too_old')
    lookAgain(world, one, now)
  })
}

/** What we make of the answer to a request, or of none. */
function afterSubmit(isAnswered: boolean, wasKnown: boolean, mistake: Mistake | undefined): Event {
  if (isAnswered && wasKnown && mistake === 'a known reference is a success') return 'settled'
  // That it knows the reference says nothing about what became of it.
  if (isAnswered) return wasKnown ? 'unclear' : 'accepted'
  if (mistake === 'a timeout is a refusal') return 'rejected'
  return mistake === 'a timeout is a success' ? 'settled' : 'unclear'
}

function judge(ours: readonly Ours[], paid: ReadonlyMap<string, number>): Outcomes {
  const times = (one: Ours) =>
    one.references.reduce((sum, reference) => sum + (paid.get(reference) ?? 0), 0)
  const count = (isSo: (one: Ours) => boolean) => ours.filter(isSo).length
  const states: Record<string, number> = {}
  for (const { state } of ours) states[state] = (states[state] ?? 0) + 1
  return {
    paidTwice: count((one) => times(one) > 1),
    refundedButPaid: count(({ state, ...one }) => {
      return (state === 'rejected' || state === 'returned') && times({ ...one, state }) > 0
    }),
    settledButNeverPaid: count((one) => one.state === 'settled' && times(one) < 1),
    stuck: count(({ state }) => isOpen(state) && state !== 'manual'),
    manual: ours.filter(({ state }) => state === 'manual').map(({ references }) => `${references}`),
    enquiriesMax: Math.max(...ours.map(({ enquiries }) => enquiries)),
    states,
  }
}
