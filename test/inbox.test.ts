/** The inbox of the banks: what comes early, late, from the wrong bank, or of nobody. */
import { randomUUID } from 'node:crypto'
import { expect } from 'chai'
import type { BankEvent, BankReport } from '../adapters/adapter.ts'
import { newId } from '../ledger/index.ts'
import { applyCallback } from '../services/banking/callbacks.ts'
import { sweep } from '../services/banking/sweep.ts'
import { writeDown } from '../services/banking/inbox.ts'
import { DEPENDANTS } from '../services/handlers.ts'
import { publicId } from '../services/ids.ts'
import { quiet, until } from './support/abuse.ts'
import {
  bankAlertsOf,
  deliver,
  dispositionsOf,
  openTopUp,
  report,
} from './support/abuse-callbacks.ts'
import { call } from './support/api.ts'
import { ended, linkedAccount, OPERATOR, person, walletBalance } from './support/people.ts'
import { world } from './support/world.ts'

const settled = (reference: string, more: Partial<BankReport> = {}): BankReport => ({
  ...{ eventId: randomUUID(), reference, outcome: 'settled', occurredAt: new Date() },
  ...{ money: { amount: 100n, currency: 'EUR' }, ...more },
})

async function heard(bank: string, event: BankEvent, source: 'callback' | 'file' = 'file') {
  const { worker } = await world()
  const { ids } = await writeDown(worker, worker.db, { bank, source }, [event])
  return ids[0] ?? ''
}

const rowOf = async (id: string) => {
  const { owner } = await world()
  return owner('callbacks').where({ id }).first()
}

describe('an event about an instruction that we do not know', () => {
  before(quiet)

  it('is applied when the instruction turns up, within a minute (abuse 72)', async () => {
    const { worker, owner } = await world()
    const one = await openTopUp()
    const row = await owner('instructions').where({ id: one.id }).first()
    // As if our own commit were still under way: the bank’s word comes first.
    const early = newId().replaceAll('-', '').toUpperCase()
    const id = await heard('south', settled(early, moneyOf(one.amount)))
    await applyCallback(worker, DEPENDANTS, id)
    expect((await rowOf(id)).disposition).to.equal('orphan')
    await owner('instructions').where({ id: row.id }).update({ reference: early })
    await until(async () => (await rowOf(id)).disposition === 'applied')
    const { looks } = await rowOf(id)
    expect(looks).to.be.lessThan(5)
    expect((await ended(one.who, `/v1/payments/${one.payment}`)).state).to.equal('completed')
    // The bank’s own books know it by the first reference.
    const { reference } = one
    await owner('instructions').where({ id: row.id }).update({ reference })
    await owner('callbacks').where({ id }).update({ reference })
  })

  const moneyOf = (amount: string) => ({ money: { amount: BigInt(amount), currency: 'EUR' } })

  it('is looked at ever less often, each wait a quarter of its age', async () => {
    const { worker } = await world()
    const id = await heard('south', settled('NOBODYKNOWSTHAT'))
    const waits: number[] = []
    for (const age_s of [0, 60, 600, 3_000]) {
      const at = new Date((await rowOf(id)).received_at.getTime() + age_s * 1000)
      await applyCallback({ ...worker, now: () => at }, DEPENDANTS, id)
      waits.push(((await rowOf(id)).next_at.getTime() - at.getTime()) / 1000)
    }
    expect(waits).to.deep.equal([2, 15, 150, 750])
  })

  it('is given to a person after an hour, once, and is not looked at any more', async () => {
    const { worker } = await world()
    const reference = `NOBODY${Date.now()}`
    const id = await heard('south', settled(reference))
    const late = new Date(Date.now() + 3_601_000)
    const later = { ...worker, now: () => late }
    await Promise.all([1, 2, 3].map(() => applyCallback(later, DEPENDANTS, id)))
    await applyCallback(later, DEPENDANTS, id)
    expect((await rowOf(id)).disposition).to.equal('parked')
    expect(await bankAlertsOf({ reference })).to.deep.equal(['unknown_money_moved'])
    const { body } = await call(OPERATOR, 'GET', '/v1/bank_events?limit=1')
    expect(body.data[0]).to.include({ id: publicId('bev', id), disposition: 'parked', reference })
  })

  it('rings no sweep before it is due', async () => {
    const { worker } = await world()
    const id = await heard('south', settled('NOBODYKNOWSWHY'))
    await applyCallback(worker, DEPENDANTS, id)
    const rung: string[] = []
    const queue = {
      ...worker.queue,
      ring: async () => {},
      ringAgain: async (_: string, ids: readonly string[]) => void rung.push(...ids),
    }
    await sweep({ ...worker, queue })
    expect(rung).not.to.include(id)
    const { received_at } = await rowOf(id)
    await sweep({ ...worker, queue, now: () => new Date(received_at.getTime() + 20_000) })
    expect(rung).to.include(id)
  })
})

describe('an event in a file', () => {
  before(quiet)

  it('about another bank’s instruction moves nothing and is an alert (abuse 16)', async () => {
    const one = await openTopUp()
    const { worker } = await world()
    const id = await heard('north', settled(one.reference))
    await applyCallback(worker, DEPENDANTS, id)
    expect((await rowOf(id)).disposition).to.equal('contradiction')
    expect(await bankAlertsOf(one)).to.deep.equal(['cross_bank'])
    expect(await walletBalance(one.who)).to.equal(0n)
    expect((await deliver(report(one))).status).to.equal(200)
    await ended(one.who, `/v1/payments/${one.payment}`)
  })

  it('is the same event when it came as a callback before', async () => {
    const one = await openTopUp()
    const text = report(one)
    await deliver(text)
    await ended(one.who, `/v1/payments/${one.payment}`)
    const { event_id: eventId } = JSON.parse(text)
    const money = { amount: BigInt(one.amount), currency: 'EUR' }
    const id = await heard('south', settled(one.reference, { eventId, money }))
    expect((await rowOf(id)).source).to.equal('callback')
    expect(await dispositionsOf(one)).to.deep.equal(['applied'])
  })
})

describe('an instruction that has ended', () => {
  it('has evidence that was applied, by callback or by enquiry', async () => {
    const ada = await person(0n, { withPin: false })
    const body = { bank_account: await linkedAccount(ada, 'south'), amount: '592', currency: 'EUR' }
    const asked = await call(ada, 'POST', '/v1/top_ups', { body })
    await ended(ada, `/v1/payments/${asked.body.id}`, 15_000)
    const { owner } = await world()
    const { rows } = await owner.raw(
      `SELECT i.reference FROM instructions i
        WHERE i.state IN ('settled', 'rejected', 'returned') AND i.submissions > 0
          AND NOT EXISTS (SELECT FROM callbacks c WHERE c.bank = i.bank
            AND c.reference = i.reference AND c.disposition = 'applied')
          AND i.bank = 'south' AND i.created_at > now() - interval '5 seconds'`,
    )
    expect(rows).to.deep.equal([])
    const evidence = await owner('callbacks')
      .join('instructions', 'instructions.reference', 'callbacks.reference')
      .where({ disposition: 'applied', source: 'enquiry' })
      .first('callbacks.id')
    expect(evidence).not.to.equal(undefined)
  })

  it('keeps its evidence although the worker died before it could say so', async () => {
    const one = await openTopUp()
    const { worker } = await world()
    const money = { amount: BigInt(one.amount), currency: 'EUR' }
    const id = await heard('south', settled(one.reference, { money }))
    // Many at once, as if each had been rung for again.
    await Promise.all(Array.from({ length: 8 }, () => applyCallback(worker, DEPENDANTS, id)))
    expect((await rowOf(id)).disposition).to.equal('applied')
    expect(await walletBalance(one.who)).to.equal(BigInt(one.amount))
  })
})
