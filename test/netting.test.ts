/**
 * Net settlement between banks, end to end: real payments, real callbacks, windows by the seals.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'chai'
import type { RegisteredBank } from '../services/banks/registry.ts'
import { newId } from '../ledger/index.ts'
import { publicId, uuidOf } from '../services/ids.ts'
import { advanceWindows } from '../services/netting/advance.ts'
import { expectProblem, times, until } from './support/abuse.ts'
import { call, newKey } from './support/api.ts'
import {
  advance,
  arrive,
  at,
  close,
  closed,
  customer,
  expectRanges,
  expectRecount,
  netsOf,
  openNetting,
  read,
  sealAll,
  sealOnce,
  settle,
  settled,
  windowsOf,
} from './support/netting.ts'
import { OPERATOR } from './support/people.ts'
import { NETTED, world } from './support/world.ts'
import { findTold } from './support/told.ts'

describe('net settlement between banks', () => {
  before(openNetting)

  it('moves what came in at one bank to where it went out, by the bank’s callback', async () => {
    const ada = await customer('alder', 'birch')
    await ada.topUp('alder', 10_000n)
    await ada.withdraw('birch', 6_000n)
    const before = { alder: await at('alder'), birch: await at('birch') }
    const window = await closed()
    expect(window).to.deep.include({ state: 'closed', transfers: '2', retained: '4000' })
    const zero = { carried: '0', kept: '0' }
    expect(window.positions).to.deep.equal([
      { bank: 'alder', received: '10000', paid: '0', ...zero, kept: '4000', net: '6000' },
      { bank: 'birch', received: '0', paid: '6000', ...zero, net: '-6000' },
    ])
    const [due] = window.payments
    expect(due).to.deep.include({ from: 'alder', to: 'birch', amount: '6000', state: 'due' })

    const done = await settled(window.id)
    expect(done.payments[0]).to.deep.include({ state: 'settled', reason: null })
    expect(await at('alder')).to.equal(before.alder - 6_000n)
    expect(await at('birch')).to.equal(before.birch + 6_000n)
    // It is paid: paying it is in no later window.
    expect(await closed()).to.deep.include({ transfers: '0', positions: [], payments: [] })
  })

  it('is not booked again when the other bank reports it; what comes twice is', async () => {
    const ada = await customer('alder', 'birch')
    await ada.topUp('alder', 1_100n)
    await ada.withdraw('birch', 1_100n)
    const done = await settled((await closed()).id)
    const before = await at('birch')
    const { owner } = await world()
    const where = { id: uuidOf(done.payments[0].instruction) }
    const { reference: ours, rail } = await owner('instructions').where(where).first()
    // The one of its rails that reaches the other bank.
    expect(rail).to.equal('clearing')
    const words = { remittance: `/RFB/${ours}/INV` }
    await arrive('birch', 1_099n, words)
    expect((await read(done.id)).payments[0].arrived).to.equal(false)
    await Promise.all([arrive('birch', 1_100n, words), arrive('cedar', 1_100n, words)])
    expect((await read(done.id)).payments[0].arrived).to.equal(true)
    // What differs from it in amount is somebody else's money.
    expect(await at('birch')).to.equal(before + 1_099n)
    await arrive('birch', 1_100n, words)
    expect(await at('birch')).to.equal(before + 1_099n + 1_100n)
    await closed()
  })

  it('is closed and settled once, by however many at a time', async () => {
    const ada = await customer('alder', 'cedar')
    await ada.topUp('cedar', 5_000n)
    await ada.withdraw('alder', 5_000n)
    await sealAll()
    const [{ id, number }] = await windowsOf('&state=open')
    const answers = await Promise.all(times(10, () => close(id)))
    for (const { status, body } of answers) expect([status, body.id]).to.deep.equal([202, id])
    const [open, ...others] = await windowsOf('&state=open')
    expect([open.number, others]).to.deep.equal([number + 1, []])
    await Promise.all(times(5, advance))
    expect(netsOf(await read(id))).to.deep.equal({ alder: '-5000', cedar: '5000' })

    const before = await at('alder')
    const [one, other] = await Promise.all([settle(id), settle(id)])
    expect([one.status, other.status]).to.deep.equal([200, 200])
    expect(one.body.approved_at).to.equal(other.body.approved_at)
    await Promise.all(times(5, advance))
    await until(async () => {
      await Promise.all(times(3, advance))
      return (await read(id)).state === 'settled'
    })
    expect(await at('alder')).to.equal(before + 5_000n)
    expect((await settle(id)).status).to.equal(200)
    await advance()
    expect(await at('alder')).to.equal(before + 5_000n)
  })

  it('carries a payment that the bank rejects into the next window', async () => {
    const ada = await customer('alder', 'birch')
    await ada.topUp('alder', 5_050n)
    await ada.topUp('alder', 3_041n)
    await ada.withdraw('birch', 5_050n)
    await ada.withdraw('birch', 3_041n)
    const [first, before] = [await closed(), await at('alder')]
    expect(netsOf(first)).to.deep.equal({ alder: '8091', birch: '-8091' })
    // The sandbox bank rejects what ends with 91.
    const failed = await settled(first.id)
    expect(failed.payments[0]).to.deep.include({ state: 'carried', reason: 'AC04' })
    expect(await at('alder')).to.equal(before)
    expect(await findTold(({ type }) => type === 'netting.carried')).not.to.equal(undefined)

    await ada.topUp('alder', 909n)
    await ada.withdraw('birch', 909n)
    const second = await closed()
    expect(netsOf(second)).to.deep.equal({ alder: '9000', birch: '-9000' })
    expect(second.positions[0].carried).to.equal('8091')
    expect((await read(first.id)).payments[0].carried_into).to.equal(second.id)
    expect((await settled(second.id)).payments[0].state).to.equal('settled')
    expect(await at('alder')).to.equal(before + 909n - 9_000n)
    expect((await closed()).positions).to.deep.equal([])
  })

  it('carries a payment that comes back after it was settled', async () => {
    const ada = await customer('birch', 'cedar')
    for (const amount of [550n, 248n]) {
      await ada.topUp('birch', amount)
      await ada.withdraw('cedar', amount)
    }
    const [window, before] = [await closed(), await at('birch')]
    await settled(window.id)
    // The sandbox bank returns what ends with 98.
    await until(async () => (await read(window.id)).payments[0].state === 'carried')
    expect(await at('birch')).to.equal(before)
    expect((await read(window.id)).state).to.equal('settled')
    expect(netsOf(await closed())).to.deep.equal({ birch: '798', cedar: '-798' })
  })

  it('has each transfer in exactly one window, whoever pays while windows are closed', async () => {
    const banks = NETTED.banks
    const people = await Promise.all(times(8, (n) => customer(...[0, 1].map((m) => nth(n + m)))))
    const work = new AbortController()
    const closings = { count: 0 }
    const closing = (async () => {
      for (; !work.signal.aborted; closings.count += 1) {
        await sealOnce()
        await sleep(100)
        const [open] = await windowsOf('&state=open')
        await Promise.all([close(open.id), close(open.id), advance(), advance()])
      }
    })()
    await Promise.all(
      people.map(async (one, n) => {
        // Until enough windows were closed beside it, whichever is the faster.
        for (let round = 0; round < 2 || (closings.count < 6 && round < 40); round += 1) {
          await one.topUp(nth(n), BigInt(1_000 + 100 * n + 10 * round))
          await one.withdraw(nth(n + 1), BigInt(500 + 10 * round))
        }
      }),
    )
    work.abort()
    await closing
    expect(closings.count, 'windows closed meanwhile').to.be.greaterThan(5)
    await closed()

    const all = await Promise.all((await windowsOf()).map(({ id }: { id: string }) => read(id)))
    const ours = all.filter(({ state }) => state !== 'open')
    await expectRanges(ours)
    await expectRecount(ours, banks)
  })

  it('waits for a rail that is closed, and is refused where none can ever pay', async () => {
    const ada = await customer('alder', 'birch')
    await ada.topUp('alder', 900n)
    await ada.withdraw('birch', 900n)
    const window = await closed()
    const { api } = await world()
    const registry = api.registry as Map<string, RegisteredBank>
    const alder = registry.get('alder')
    if (alder === undefined) throw new Error('alder is not there')
    registry.set('alder', {
      ...alder,
      rails: alder.rails.filter(({ rail }) => rail === 'internal'),
    })
    const path = `/v1/netting_windows/${window.id}/settle`
    const refused = await call(OPERATOR, 'POST', path, { key: newKey() })
    // It will never have room for so much, however long anybody waits.
    registry.set('alder', { ...alder, exposureMax: { SEK: 1n } })
    const tooMuch = await call(OPERATOR, 'POST', path, { key: newKey() })
    registry.set('alder', alder)
    for (const one of [refused, tooMuch]) expectProblem(one, 422, 'no_route')

    const body = { rail: 'clearing', reason: 'A test' }
    const outage = await call(OPERATOR, 'POST', '/v1/banks/alder/outages', { body })
    const { worker } = await world()
    worker.outages.changed()
    expect((await settle(window.id)).status).to.equal(200)
    const said: string[] = []
    const info = (_: object, line: string) => said.push(line)
    await advanceWindows({ ...worker, log: Object.assign(Object.create(worker.log), { info }) })
    expect(said).to.deep.equal(['net payments wait for their bank'])
    expect((await read(window.id)).payments[0].state).to.equal('due')
    await call(OPERATOR, 'POST', `/v1/bank_outages/${outage.body.id}/end`)
    worker.outages.changed()
    await until(async () => {
      await advance()
      return (await read(window.id)).payments[0].state === 'settled'
    })
  })

  it('is refused where nothing is added up, known, or ours at the other bank', async () => {
    const [{ id }] = await windowsOf('&state=open')
    const key = () => ({ key: newKey() })
    const path = `/v1/netting_windows/${id}/settle`
    expectProblem(await call(OPERATOR, 'POST', path, key()), 409, 'netting_window_not_closed')
    const nobody = `/v1/netting_windows/${publicId('nwi', newId())}`
    expectProblem(await call(OPERATOR, 'GET', nobody), 404, 'not_found')
    expectProblem(await call(OPERATOR, 'POST', `${nobody}/close`), 404, 'not_found')
    expectProblem(await call(OPERATOR, 'POST', `${nobody}/settle`, key()), 404, 'not_found')
    const { owner } = await world()
    const ada = await customer('alder', 'cedar')
    await ada.topUp('alder', 700n)
    await ada.withdraw('cedar', 700n)
    const window = await closed()
    const account = owner('bank_accounts').where({ owner: 'florin', bank: 'cedar' })
    await account.clone().update({ deleted_at: new Date() })
    const refused = await call(OPERATOR, 'POST', `/v1/netting_windows/${window.id}/settle`, key())
    await account.clone().update({ deleted_at: null })
    expectProblem(refused, 422, 'bank_account_not_found')
    expect((await settled(window.id)).payments[0].state).to.equal('settled')
  })

  it('cannot be written down in a way that does not add up', async () => {
    const { owner, worker } = await world()
    const window = await closed()
    const window_id = uuidOf(window.id)
    const zero = { received: 0, paid: 0, carried: 0, kept: 0, net: 0 }
    const codeOf = (error: { constraint?: string }) => error.constraint
    const write = (...rows: readonly object[]) =>
      worker
        .db('netting_positions')
        .insert(rows.map((row, n) => ({ window_id, bank: `bank${n}`, ...zero, ...row })))
        .then(() => 'written', codeOf)
    expect(await write({ received: 5, net: 4 })).to.equal('net_is_what_is_left')
    expect(await write({ received: 5, net: 5 })).to.equal('netting_positions_sum_to_zero')
    const kept = 'what_is_kept_is_what_is_retained'
    expect(await write({ carried: 5, kept: 5 })).to.equal(kept)
    const unpaid = [
      { received: 5, net: 5 },
      { paid: 5, net: -5 },
    ]
    expect(await write(...unpaid)).to.equal('netting_obligations_meet_positions')
    const moved = owner('netting_windows').where({ id: window_id }).update({ to_seal: 0 })
    expect(await moved.catch(codeOf)).to.equal('netting_window_continues')
    const skipped = { ...(await owner('netting_windows').where({ id: window_id }).first()) }
    const next = { ...skipped, id: newId(), number: skipped.number + 2, from_seal: 0 }
    expect(await owner('netting_windows').insert(next).catch(codeOf)).to.equal(
      'netting_window_continues',
    )
  })
})

const nth = (n: number): string => NETTED.banks[n % NETTED.banks.length] ?? ''
