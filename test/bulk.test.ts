/** Many units at once: in order, atomic or each for itself, known again, and kind to others. */
import { expect } from 'chai'
import { openAccount } from '../ledger/index.ts'
import { personOwner } from '../services/books/chart.ts'
import { publicId, uuidOf } from '../services/ids.ts'
import { expectProblem, send, unchanged } from './support/abuse.ts'
import { call, newKey } from './support/api.ts'
import { times } from './support/books.ts'
import { account, balance, bulk, move, statesOf, unit, type Unit } from './support/bulk.ts'
import { authorize } from './support/held.ts'
import { merchant, OPERATOR, payment, person, SECOND_OPERATOR } from './support/people.ts'
import { together } from './support/proposals.ts'
import { world } from './support/world.ts'

describe('a bulk', () => {
  it('does each unit in its order, each seeing what the ones before it left', async () => {
    const [bank, ada, ben] = [await account('bank'), await account(), await account()]
    const done = await bulk('each', [
      unit([move(ada, ben, '10')]),
      unit([move(bank, ada, '100')]),
      unit([move(ada, ben, '60'), move(ben, ada, '5')]),
      unit([move(ada, ben, '46')]),
      unit([move(ada, ben, '45')]),
    ])
    expect(done.status, done.text).to.equal(200)
    expect(done.body.state).to.equal('done')
    expect(statesOf(done)).to.deep.equal([
      ...['insufficient_funds', 'accepted', 'accepted', 'insufficient_funds', 'accepted'],
    ])
    const [, , third] = done.body.results
    expect(third.transfers).to.have.length(2)
    expect(third.unit).to.equal(third.transfers[0])
    expect([await balance(ada), await balance(ben)]).to.deep.equal([0n, 100n])
    const { owner } = await world()
    const event = await owner('events').where({ object_id: third.unit }).first()
    expect(event.type).to.equal('ledger.posted')
    const who = { operator: OPERATOR.sub, approved_by: SECOND_OPERATOR.sub }
    expect(event.data).to.deep.include({ ...who, reason: 'a test' })
  })

  it('that is atomic happens altogether or not at all', async () => {
    const [bank, ada, ben] = [await account('bank'), await account(), await account()]
    const good = unit([move(bank, ada, '100')])
    const work = () =>
      bulk('atomic', [good, unit([move(ada, ben, '101')]), unit([move(bank, ben, '1')])])
    const undone = await unchanged(work, { except: ['claims', 'proposals'] })
    expect(undone.body.state).to.equal('undone')
    expect(statesOf(undone)).to.deep.equal(['undone', 'insufficient_funds', 'undone'])
    const done = await bulk('atomic', [good, unit([move(ada, ben, '100')])])
    expect(done.body.state).to.equal('done')
    expect(statesOf(done)).to.deep.equal(['accepted', 'accepted'])
    expect([await balance(ada), await balance(ben)]).to.deep.equal([0n, 100n])
  })

  it('is answered the same when it comes again, and refused when it is another', async () => {
    const [bank, ada] = [await account('bank'), await account()]
    for (const mode of ['each', 'atomic']) {
      const [key, units] = [newKey(), [unit([move(bank, ada, '1')]), unit([move(ada, ada, '1')])]]
      const first = await bulk(mode, units, key)
      const again = await unchanged(() => bulk(mode, units, key))
      expect(again.text).to.equal(first.text)
      expectProblem(await bulk(mode, units.slice(1), key), 422, 'idempotency_key_reused')
    }
    expect(await balance(ada)).to.equal(1n)
    const [key, units] = [newKey(), [unit([move(bank, ada, '1')])]]
    const crowd = await Promise.all(times(10, () => bulk('each', units, key)))
    expect(new Set(crowd.map(({ text }) => text)).size).to.equal(1)
    expect(await balance(ada)).to.equal(2n)
  })

  it('knows a unit again from another bulk', async () => {
    const [bank, ada] = [await account('bank'), await account()]
    const [paid, broke] = [unit([move(bank, ada, '10')]), unit([move(ada, bank, '99')])]
    const first = await bulk('each', [paid, broke])
    const other = { ...paid, transfers: [move(bank, ada, '11')] }
    const second = await bulk('each', [unit([move(bank, ada, '1')]), paid, broke, other])
    expect(statesOf(second)).to.deep.equal([
      ...['accepted', 'replayed accepted', 'replayed insufficient_funds'],
      'idempotency_key_reused',
    ])
    expect(second.body.results[1].unit).to.equal(first.body.results[0].unit)
    expect(await balance(ada)).to.equal(11n)
    const atomic = await bulk('atomic', [unit([move(bank, ada, '1')]), paid])
    expect(statesOf(atomic)).to.deep.equal(['undone', 'idempotency_key_reused'])
    expect(await balance(ada)).to.equal(11n)
  })

  it('keeps the keys of one operator apart from another’s', async () => {
    const [bank, ada] = [await account('bank'), await account()]
    const units = [unit([move(bank, ada, '10')])]
    await bulk('each', units)
    const oscar = { sub: 'oscar', scope: 'operator' }
    const other = await together('/v1/ledger/bulk', { body: { mode: 'each', units } }, oscar)
    expect(statesOf(other)).to.deep.equal(['accepted'])
    expect(await balance(ada)).to.equal(20n)
  })

  it('has each key once, or says so', async () => {
    const [bank, ada] = [await account('bank'), await account()]
    const one = unit([move(bank, ada, '10')])
    const changed = { ...one, reason: 'another' }
    const each = await bulk('each', [one, one, changed])
    expect(statesOf(each)).to.deep.equal([
      ...['accepted', 'replayed accepted', 'idempotency_key_reused'],
    ])
    expect(each.body.results[1].unit).to.equal(each.body.results[0].unit)
    expect(await balance(ada)).to.equal(10n)
    const two = unit([move(bank, ada, '10')])
    const atomic = await bulk('atomic', [two, two])
    expect(atomic.body.state).to.equal('undone')
    expect(statesOf(atomic)).to.deep.equal(['undone', 'idempotency_key_reused'])
    expect(await balance(ada)).to.equal(10n)
  })

  it('is conditional on what is available, and on nothing having happened', async () => {
    const [bank, ada, ben] = [await account('bank'), await account(), await account()]
    const when = (condition: object) =>
      unit([move(ada, ben, '1')], { conditions: [{ account: ada, ...condition }] })
    const done = await bulk('each', [
      unit([move(bank, ada, '100')]),
      when({ available_at_least: '101' }),
      when({ available_at_least: '100' }),
      when({ available_at_least: '100' }),
      when({ last_entry: '1' }),
      when({ last_entry: '2' }),
      when({ last_entry: '3', available_at_least: '98' }),
      when({ last_entry: '4', available_at_least: '98' }),
    ])
    expect(statesOf(done)).to.deep.equal([
      ...['accepted', 'condition_failed', 'accepted', 'condition_failed', 'condition_failed'],
      ...['accepted', 'accepted', 'condition_failed'],
    ])
    const { body } = await call(OPERATOR, 'GET', `/v1/accounts/${ada}`)
    expect([body.version, body.posted.amount]).to.deep.equal(['4', '97'])
  })

  it('holds, captures in parts, releases, and reverses', async () => {
    const [bank, ada, ben] = [await account('bank'), await account(), await account()]
    await bulk('each', [unit([move(bank, ada, '100')])])
    const until = new Date(Date.now() + 60_000).toISOString()
    const held = await bulk('each', [
      unit([move(ada, ben, '60', { kind: 'pending', expires_at: until })]),
      unit([move(ada, ben, '40', { kind: 'pending' })]),
    ])
    const [first, second] = held.body.results.map((one: { unit: string }) => one.unit)
    const { body } = await call(OPERATOR, 'GET', `/v1/accounts/${ada}`)
    expect(body.available.amount).to.equal('0')
    expect(body.holds.map((one: { hold: string }) => one.hold)).to.deep.equal([second, first])
    const code = 'test'
    const done = await bulk('each', [
      unit([{ kind: 'post', hold: first, amount: '20', code }]),
      unit([{ kind: 'post', hold: first, amount: '50', code }]),
      unit([{ kind: 'post', hold: first, amount: '10', final: true, code }]),
      unit([{ kind: 'void', hold: first, code }]),
      unit([{ kind: 'void', hold: second, code }]),
    ])
    expect(statesOf(done)).to.deep.equal([
      ...['accepted', 'amount_exceeds_hold', 'accepted', 'hold_resolved', 'accepted'],
    ])
    expect([await balance(ada), await balance(ben)]).to.deep.equal([70n, 30n])
    const original = done.body.results[0].unit
    const reversal = () => unit([{ kind: 'reversal', original, code }])
    const back = await bulk('each', [reversal(), reversal()])
    expect(statesOf(back)).to.deep.equal(['accepted', 'already_reversed'])
    expect([await balance(ada), await balance(ben)]).to.deep.equal([90n, 10n])
    const { body: entries } = await call(OPERATOR, 'GET', `/v1/accounts/${ada}/entries?limit=1`)
    expect(entries.data[0].kind).to.equal('reversal')
  })

  it('may say when it happened, but not that it has not happened yet', async () => {
    const [bank, ada] = [await account('bank'), await account()]
    const [then, soon] = [Date.now() - 86_400_000, Date.now() + 86_400_000]
    const at = (ms: number) => ({ effective_at: new Date(ms).toISOString() })
    const done = await bulk('each', [
      unit([move(bank, ada, '10', at(then))]),
      unit([move(bank, ada, '10', at(soon))]),
    ])
    expect(statesOf(done)).to.deep.equal(['accepted', 'effective_in_future'])
    const { body } = await call(OPERATOR, 'GET', `/v1/accounts/${ada}/entries`)
    expect(body.data[0].effective_at).to.equal(new Date(then).toISOString())
  })

  it('is well formed, and an operator’s', async () => {
    const [bank, ada, stranger] = [await account('bank'), await account(), await person()]
    const good = move(bank, ada, '1')
    const { kind: _kind, ...kindless } = good
    const bad = [
      ...[
        {},
        { mode: 'each' },
        { mode: 'each', units: [] },
        { mode: 'some', units: [unit([good])] },
      ],
      ...[unit([]), unit([good], { key: 'short' }), unit([good], { extra: 1 }), { key: newKey() }],
      ...[unit([good], { reason: '' }), unit([good], { conditions: [{ account: ada }] })],
      ...[unit([kindless]), unit([{ ...good, kind: 'void' }]), unit([{ ...good, hold: ada }])],
      ...[unit([{ ...good, amount: '0' }]), unit([{ ...good, amount: 1 }])],
      ...[unit([{ ...good, debit: 'acc_1' }]), unit([{ ...good, code: 'Odd Code' }])],
      ...[unit([{ ...good, expires_at: '2030-01-01T00:00:00Z' }]), unit(times(101, () => good))],
      unit([{ ...good, effective_at: '2026-01-01' }]),
    ].map((one) => ('transfers' in one || 'key' in one ? { mode: 'each', units: [one] } : one))
    const many = { mode: 'each', units: times(1_001, () => unit([good])) }
    await unchanged(async () => {
      for (const body of [...bad, many]) {
        const answer = await call(OPERATOR, 'POST', '/v1/ledger/bulk', { body })
        expect(answer.status, `${answer.text} ${JSON.stringify(body).slice(0, 200)}`).to.equal(400)
      }
      const body = { mode: 'each', units: [unit([good])] }
      const post = (who = OPERATOR, key?: null) =>
        call(who, 'POST', '/v1/ledger/bulk', { body, ...(key === null && { key }) })
      expectProblem(await post(OPERATOR, null), 400, 'idempotency_key_missing')
      expectProblem(await post(stranger), 403, 'forbidden')
      const bytes = JSON.stringify({ ...body, x: 'x'.repeat(1024 * 1024) })
      expectProblem(
        await send(OPERATOR, 'POST', '/v1/ledger/bulk', { bytes }),
        413,
        'body_too_large',
      )
      const elsewhere = JSON.stringify({ x: 'x'.repeat(17 * 1024) })
      const other = await send(OPERATOR, 'POST', '/v1/merchants', { bytes: elsewhere })
      expectProblem(other, 413, 'body_too_large')
    })
  })

  it('refuses unit by unit what the books refuse (abuse 30)', async () => {
    const [bank, ada] = [await account('bank'), await account()]
    const nobody = publicId('acc', '00000000-0000-7000-8000-000000000000')
    const nothing = publicId('trf', '00000000-0000-7000-8000-000000000000')
    const code = 'test'
    const done = await bulk('each', [
      unit([move(bank, nobody, '1')]),
      unit([move(nobody, ada, '1')]),
      unit([move(ada, ada, '1')]),
      unit([{ ...move(bank, ada, '1'), currency: 'USD' }]),
      unit([{ kind: 'void', hold: nothing, code }]),
      unit([{ kind: 'reversal', original: nothing, code }]),
      unit([move(bank, ada, '1')]),
    ])
    expect(statesOf(done)).to.deep.equal([
      ...['credit_account_not_found', 'debit_account_not_found', 'same_account'],
      ...['currency_mismatch', 'hold_not_found', 'original_not_found', 'accepted'],
    ])
  })

  it('of a thousand is done in one go, beside payments that hardly notice', async () => {
    const [bank, other] = [await account('bank'), await account()]
    const wallets = await Promise.all(times(100, () => account()))
    const [ada, ben] = [await person(100_000n), await person()]
    const units = times(1_000, (n) => unit([move(bank, wallets[n % 100] ?? other, '1')]))
    const small = payment(ben, '1', { approval: undefined })
    await call(ada, 'POST', '/v1/payments', { body: small })
    const watch = { isDone: false }
    const started = performance.now()
    const answering = bulk('atomic', units).finally(() => (watch.isDone = true))
    const waits: number[] = []
    while (!watch.isDone) {
      const begun = performance.now()
      const paid = await call(ada, 'POST', '/v1/payments', { body: small })
      expect(paid.status, paid.text).to.equal(201)
      waits.push(performance.now() - begun)
    }
    const done = await answering
    const took_ms = performance.now() - started
    expect(done.body.state, done.text.slice(0, 300)).to.equal('done')
    expect(done.body.results).to.have.length(1_000)
    expect(done.body.results.map(({ key }: Unit) => key)).to.deep.equal(units.map(({ key }) => key))
    expect(await balance(wallets[0] ?? '')).to.equal(10n)
    const slowest_ms = Math.max(...waits)
    const told = [took_ms, slowest_ms].map((ms) => `${Math.round(ms)} ms`)
    process.stdout.write(`      1,000 units ${told[0]}, ${waits.length} payments ${told[1]}\n`)
    expect(took_ms).to.be.lessThan(10_000)
    expect(waits.length, 'paid meanwhile').to.be.greaterThan(1)
    expect(slowest_ms).to.be.lessThan(3_000)
  })

  it('moves what people see', async () => {
    const ada = await person()
    const { api } = await world()
    const key = { owner: personOwner(ada.id), type: 'wallet', currency: 'EUR' } as const
    const wallet = publicId('acc', await openAccount(api.db, key))
    await bulk('each', [unit([move(await account('bank'), wallet, '250')])])
    const { body } = await call(ada, 'GET', '/v1/accounts')
    expect(body.data[0].posted.amount).to.equal('250')
  })

  it('leaves alone what belongs to a payment, whose state must move with its money', async () => {
    const { owner } = await world()
    const [ada, shop] = [await person(1_000n), await merchant()]
    const payment = await authorize(ada, shop, '500')
    const { transfer_id: hold } = await owner('payments')
      .where({ id: uuidOf(payment.id) })
      .first()
    const what = { code: 'correction', hold: publicId('trf', hold) }
    for (const kind of ['post', 'void']) {
      const work = () => bulk('each', [unit([{ ...what, kind }])])
      expectProblem(await unchanged(work), 409, 'unit_spoken_for')
    }
  })
})
