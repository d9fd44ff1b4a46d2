/** The table of an instruction's states: what must hold whatever else it says. */
import { expect } from 'chai'
import { type Event, isOpen, next, NEXT, type State } from '../services/banking/machine.ts'

const STATES = Object.keys(NEXT) as State[]
const EVENTS = Object.keys(NEXT.created) as Event[]
const WORDS = ['settled', 'rejected', 'returned'] as const
/** Before any bank has heard of it. */
const ENDINGS: readonly Event[] = ['canceled', 'refused']
const isWord = (event: Event) => WORDS.some((word) => word === event)

describe('an instruction', () => {
  it('knows what comes of every event in every state', () => {
    expect(STATES).to.have.length(7)
    for (const state of STATES) expect(Object.keys(NEXT[state]), state).to.have.members(EVENTS)
  })

  it('is ended by the bank’s word, or before it is sent, and by nothing on the way', () => {
    for (const state of STATES.filter(isOpen)) {
      for (const event of EVENTS.filter((one) => !isWord(one) && !ENDINGS.includes(one))) {
        const to = next(state, event)
        const stays = to === 'late' || isOpen(to as State)
        expect(stays, `${event} when ${state} gives ${to}`).to.equal(true)
      }
    }
  })

  it('is canceled or refused by us only where no bank can have heard of it', () => {
    for (const event of ENDINGS) {
      const ended = STATES.filter((state) => next(state, event) === 'rejected')
      expect(ended, event).to.deep.equal(['created'])
    }
  })

  it('is never made sendable again once the bank may have it', () => {
    for (const state of ['unknown', 'manual', 'settled', 'rejected', 'returned'] as const) {
      const back = EVENTS.filter((event) => next(state, event) === 'created')
      expect(back, state).to.deep.equal([])
    }
  })

  it('does not go back from what the bank has said', () => {
    for (const state of STATES.filter((one) => !isOpen(one))) {
      for (const event of EVENTS) {
        const to = next(state, event)
        if (to === 'late' || to === 'duplicate' || to === 'contradiction') continue
        expect([state, event, to]).to.deep.equal(['settled', 'returned', 'returned'])
      }
    }
  })
})
