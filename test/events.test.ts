/** What is promised of events; that all of them keep it, each file of tests finds at its end. */
import { existsSync } from 'node:fs'
import { expect } from 'chai'
import { newId } from '../ledger/index.ts'
import { CATALOGUE, EVENT_TYPES } from '../services/events/catalogue.ts'
import { eventOut } from '../services/events/events.ts'
import { eventId } from '../services/events/identity.ts'
import { TOLD_BY, untold } from './support/told-by.ts'

const AT = new Date('2026-11-28T12:00:00.000Z')

describe('events', () => {
  it('are told by a file of tests, each type', () => {
    expect(Object.keys(TOLD_BY).sort()).to.deep.equal([...EVENT_TYPES].sort())
    for (const file of new Set(Object.values(TOLD_BY))) {
      expect(existsSync(new URL(`${file}.test.ts`, import.meta.url)), file).to.equal(true)
    }
  })

  it('are missed when such a file passes without them, and only then', () => {
    const suite = (state: string) => ({
      file: '/a/exchange.test.ts',
      suites: [],
      tests: [{ state }],
    })
    const missed = (state: string, ...types: string[]) =>
      untold({ suites: [suite(state)] } as never, new Set(types))
    expect(missed('passed')).to.have.length(1)
    expect(missed('passed', 'exchange.completed')).to.deep.equal([])
    expect(missed('failed')).to.deep.equal([])
  })

  it('tell the chat app null of whatever it is not shown of the object', () => {
    const data = { id: 'x', paid_from: { balance: '1' }, shares_returned: '2' }
    const toldOf = (object: string, reader: Parameters<typeof eventOut>[1]) =>
      EVENT_TYPES.filter((type) => CATALOGUE[type].object === object).map((type) => {
        const stored = { id: newId(), type, object_id: 'x', version: 1, data, created_at: AT }
        return eventOut(stored, reader).data
      })
    const { shares_returned, ...ofBoth } = { ...data, paid_from: null }
    expect(toldOf('Refund', 'chat')).to.deep.equal([{ ...ofBoth, shares_returned: null }])
    expect(toldOf('Dispute', 'chat')).to.deep.equal(
      Array.from({ length: 5 }, () => ({ ...ofBoth, shares_returned })),
    )
    for (const object of ['Refund', 'Dispute', 'Payment']) {
      for (const told of toldOf(object, 'merchant')) expect(told).to.equal(data)
    }
    for (const told of toldOf('Payment', 'chat')) expect(told).to.equal(data)
  })

  it('have ids that follow from what they tell, and do not change between versions', () => {
    const told = { type: 'order.shipped', object: 'ord_1', version: 3, at: AT } as const
    expect(eventId(told)).to.equal('01a22206-ca00-8003-9fbf-05fca65882f7')
    expect(eventId({ ...told, version: 2 }) < eventId(told)).to.equal(true)
  })
})
