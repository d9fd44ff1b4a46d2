/** A net payment at its other end: what is known as ours, and what two banks disagree about. */
import { expect } from 'chai'
import type { BankAdapter } from '../adapters/adapter.ts'
import { uuidOf } from '../services/ids.ts'
import { until } from './support/abuse.ts'
import {
  advance,
  arrive,
  at,
  closed,
  customer,
  openNetting,
  read,
  settle,
  settled,
  tell,
} from './support/netting.ts'
import { itemOf, reconcileFile } from './support/reconciliation.ts'
import { world } from './support/world.ts'

describe('a net payment that arrives', () => {
  before(openNetting)

  it('is known by what it is called from end to end where no words were passed on', async () => {
    const ada = await customer('alder', 'birch')
    await ada.topUp('alder', 1_200n)
    await ada.withdraw('birch', 1_200n)
    const done = await settled((await closed()).id)
    const before = await at('birch')
    const { owner } = await world()
    const where = { id: uuidOf(done.payments[0].instruction) }
    const { reference: endToEndId } = await owner('instructions').where(where).first()
    // Two references are no word of which it is.
    const other = `${endToEndId.slice(0, -4)}ZZZZ`
    await arrive('birch', 1_200n, { remittance: other, endToEndId })
    expect(await at('birch')).to.equal(before + 1_200n)
    const reference = await arrive('birch', 1_200n, { remittance: 'Our payment', endToEndId })
    expect((await read(done.id)).payments[0].arrived).to.equal(true)
    expect(await at('birch')).to.equal(before + 1_200n)
    // The other bank's statement shows it by its own reference.
    const date = new Date().toISOString().slice(0, 10)
    const line = { date, reference, amount: 1_200n, currency: 'SEK', description: '' }
    const { id } = await reconcileFile({ name: 'birch' }, 'csv', [line])
    expect((await itemOf(id, reference)).state).to.equal('matched')
    await closed()
  })

  it('waits for a person where one bank has it and the other says it did not pay', async () => {
    const { worker, owner } = await world()
    const [banks, alder] = [worker.banks as Map<string, BankAdapter>, worker.banks.get('alder')]
    if (alder === undefined) throw new Error('alder is not there')
    const ada = await customer('alder', 'birch')
    await ada.topUp('alder', 1_300n)
    await ada.withdraw('birch', 1_300n)
    const window = await closed()
    const accepted = async () => ({ state: 'accepted' }) as const
    banks.set('alder', { ...alder, submit: accepted, enquire: accepted })
    try {
      expect((await settle(window.id)).status).to.equal(200)
      await advance()
      const [payment] = (await read(window.id)).payments
      const row = owner('instructions').where({ id: uuidOf(payment.instruction) })
      await until(async () => (await row.clone().first()).state === 'sent')
      const { reference } = await row.clone().first()
      await arrive('birch', 1_300n, { remittance: reference })
      const before = [await at('alder'), await at('birch')]
      await tell('alder', 1_300n, { outcome: 'rejected', reference, reason: 'AC04' })
      const { state, reason } = await row.clone().first()
      expect([state, reason]).to.deep.equal(['manual', 'rejected_after_arrival'])
      expect((await read(window.id)).payments[0].state).to.equal('instructed')
      expect([await at('alder'), await at('birch')]).to.deep.equal(before)
      await tell('alder', 1_300n, { outcome: 'settled', reference })
      expect((await read(window.id)).payments[0].state).to.equal('settled')
    } finally {
      banks.set('alder', alder)
    }
    await closed()
  })
})
