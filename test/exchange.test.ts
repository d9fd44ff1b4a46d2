/** Currency exchange, over HTTP: quotes, exchanges and what they leave in the books. */
import { createHash } from 'node:crypto'
import { expect } from 'chai'
import { newId } from '../ledger/index.ts'
import { publicId, uuidOf } from '../services/ids.ts'
import { expectProblem, statusesOf, times, unchanged } from './support/abuse.ts'
import { call, newKey } from './support/api.ts'
import { agree, askQuote, changesOf, postRate, quoted, secondsAgo } from './support/exchange.ts'
import { OPERATOR, person } from './support/people.ts'
import { world } from './support/world.ts'

describe('an exchange', () => {
  it('moves money of two currencies, to the minor unit, through all our accounts', async () => {
    const ada = await person(10_000n)
    await postRate('EUR', 'USD', '1.0842', { spread_bps: 50, source: 'ECB' })
    const quote = await quoted(ada, 'EUR', 'USD', '999')
    expect(quote).to.deep.include({
      ...{ side: 'sell', rate: '1.078779', mid_rate: '1.0842', source: 'ECB', exchange: null },
      ...{ sell: { amount: '999', currency: 'EUR' }, buy: { amount: '1077', currency: 'USD' } },
      spread: { amount: '5', currency: 'USD', bps: 50 },
      mid_value: { amount: '1083', currency: 'USD' },
      residue: { amount: '1', currency: 'USD' },
    })
    const lasts_ms = Date.parse(quote.expires_at) - Date.parse(quote.created_at)
    expect(lasts_ms).to.equal(30_000)
    let made: Awaited<ReturnType<typeof agree>> | undefined
    const changes = await changesOf(ada, async () => (made = await agree(ada, quote.id)))
    expect(changes).to.deep.equal({
      ...{ 'wallet EUR': -999n, 'fx EUR': 999n, 'wallet USD': 1_077n, 'fx USD': -1_083n },
      ...{ 'fees USD': 5n, 'rounding USD': 1n },
    })
    expect(made?.status, made?.text).to.equal(201)
    const { sell, buy, rate, mid_rate, mid_value, spread, residue, source, fx_rate } = quote
    const evidence = { sell, buy, rate, mid_rate, mid_value, spread, residue, source, fx_rate }
    expect(made?.body).to.deep.include({ ...evidence, quote: quote.id, state: 'completed' })
  })

  it('can be seen by its person, and is told as an event', async () => {
    const ada = await person(10_000n)
    await postRate('EUR', 'DKK', '7.46')
    const { id } = await quoted(ada, 'EUR', 'DKK', '1000')
    const { body: made } = await agree(ada, id)
    for (const who of [ada, OPERATOR, { sub: 'chat', scope: 'chat' }]) {
      expect((await call(who, 'GET', `/v1/exchanges/${made.id}`)).body).to.deep.equal(made)
    }
    const list = await call(ada, 'GET', '/v1/exchanges')
    expect(list.body).to.deep.equal({ data: [made], next_cursor: null })
    const used = await call(ada, 'GET', `/v1/fx_quotes/${id}`)
    expect(used.body.exchange).to.equal(made.id)
    const events = await call(OPERATOR, 'GET', '/v1/events?limit=5')
    const event = events.body.data.find((one: { object: string }) => one.object === made.id)
    expect(event).to.deep.include({ type: 'exchange.completed', data: made })
  })

  it('keeps every currency in balance', async () => {
    const { body } = await call(OPERATOR, 'GET', '/v1/ledger/proof')
    const usd = body.trial_balance.find((one: { currency: string }) => one.currency === 'USD')
    expect(BigInt(usd.debits) > 0n).to.equal(true)
    for (const { currency, debits, credits } of body.trial_balance) {
      expect(debits, currency).to.equal(credits)
    }
    expect(body.proven).to.equal(true)
  })

  it('is in the books as in the record: our positions are the sum of all exchanges', async () => {
    const { owner } = await world()
    const { rows } = await owner.raw(`
      SELECT currency, sum(amount)::bigint AS amount FROM (
        SELECT sell_currency AS currency, sell_amount AS amount FROM exchanges
        UNION ALL SELECT buy_currency, -mid_value FROM exchanges) AS moved
       GROUP BY currency ORDER BY currency`)
    const { body } = await call(OPERATOR, 'GET', '/v1/ledger/fx_positions')
    const positions = body.data.map((one: { position: object }) => one.position)
    const expected = rows.map(({ currency, amount }: { currency: string; amount: bigint }) => ({
      ...{ amount: `${amount}`, currency },
    }))
    expect(positions).to.have.deep.members(expected)
    expect(expected.length).to.be.greaterThan(1)
  })

  it('knows that the yen has no minor unit and the dinar a thousand', async () => {
    const ada = await person(100_000n)
    await postRate('EUR', 'JPY', '161.57', { spread_bps: 25 })
    await postRate('JPY', 'BHD', '0.002437', { spread_bps: 100 })
    const yen = await quoted(ada, 'EUR', 'JPY', '100000', 'sell')
    // 1000.00 EUR are 161570 yen; a quarter of a per cent of it is 403.925.
    expect([yen.buy.amount, yen.spread.amount, yen.residue.amount]).to.deep.equal([
      ...['161166', '403', '1'],
    ])
    expect((await agree(ada, yen.id)).status).to.equal(201)
    const dinars = await quoted(ada, 'JPY', 'BHD', '1000', 'buy')
    // One dinar at 0.00241263 needs 414.49 yen; 415 yen are 1.011355 BHD at the mid rate.
    expect(dinars.sell).to.deep.equal({ amount: '415', currency: 'JPY' })
    expect([dinars.mid_value.amount, dinars.spread.amount, dinars.residue.amount]).to.deep.equal([
      ...['1011', '10', '1'],
    ])
    const changes = await changesOf(ada, () => agree(ada, dinars.id))
    expect(changes).to.deep.equal({
      ...{ 'wallet JPY': -415n, 'fx JPY': 415n, 'wallet BHD': 1_000n, 'fx BHD': -1_011n },
      ...{ 'fees BHD': 10n, 'rounding BHD': 1n },
    })
  })

  it('is bound to its quote and to both amounts by its approval', async () => {
    const ada = await person(10_000n)
    await postRate('EUR', 'HUF', '390.25')
    const { id, buy } = await quoted(ada, 'EUR', 'HUF', '2000')
    const key = newKey()
    await unchanged(async () => {
      const without = await call(ada, 'POST', '/v1/exchanges', { key, body: { quote: id } })
      expectProblem(without, 403, 'approval_required')
      expectProblem(await agree(ada, id, { key, pin: '999999' }), 401, 'approval_refused')
    })
    const { body: made } = await agree(ada, id, { key })
    const { owner } = await world()
    const row = await owner('exchanges')
      .where({ id: uuidOf(made.id) })
      .first()
    const lines = [
      ...['florin-approval-v1', 'action=exchange', `person=${publicId('per', ada.id)}`],
      ...[`quote=${id}`, 'amount=2000', 'currency=EUR'],
      ...[`buy_amount=${buy.amount}`, 'buy_currency=HUF', `key=${key}`],
    ]
    const digest = createHash('sha256').update(lines.join('\n')).digest()
    expect([row.approval, row.approval_digest]).to.deep.equal(['pin', digest])
  })

  it('without the money changes nothing, and leaves the quote to be used', async () => {
    const [ada, ben] = [await person(1_000n), await person()]
    await postRate('EUR', 'PLN', '4.31')
    expect((await agree(ada, (await quoted(ada, 'EUR', 'PLN', '10')).id)).status).to.equal(201)
    const { id } = await quoted(ada, 'EUR', 'PLN', '991')
    const { id: bens } = await quoted(ben, 'EUR', 'PLN', '1')
    await unchanged(
      async () => {
        expectProblem(await agree(ada, id), 402, 'insufficient_funds')
        expectProblem(await agree(ben, bens), 402, 'insufficient_funds')
      },
      { except: ['claims'] },
    )
    expect((await call(ada, 'GET', `/v1/fx_quotes/${id}`)).body.exchange).to.equal(null)
  })

  it('changes nothing that was done: rates, quotes and exchanges stay as they are', async () => {
    const { owner } = await world()
    for (const table of ['fx_rates', 'fx_quotes', 'exchanges']) {
      for (const sql of [`UPDATE ${table} SET source = 'x'`, `DELETE FROM ${table}`]) {
        const refusal = await owner.raw(sql).catch((error: unknown) => error)
        expect(refusal).to.include({ constraint: 'append_only' })
      }
    }
  })
})

describe('a quote', () => {
  it('is used once by a crowd', async () => {
    const ada = await person(90_000n)
    await postRate('EUR', 'SEK', '11.2')
    const { id } = await quoted(ada, 'EUR', 'SEK', '900')
    const changes = await changesOf(ada, async () => {
      const body = { quote: id }
      const answers = await Promise.all(
        times(60, () => call(ada, 'POST', '/v1/exchanges', { body })),
      )
      expect(statusesOf(answers)).to.deep.equal([201, ...times(59, () => 409)])
      const late = answers.find(({ status }) => status === 409)
      expect(late?.body.code).to.equal('quote_already_used')
    })
    expect(changes).to.deep.include({ 'wallet EUR': -900n, 'wallet SEK': 10_080n })
    expectProblem(await agree(ada, id), 409, 'quote_already_used')
  })

  it('is used once, however often one key comes', async () => {
    const ada = await person(90_000n)
    await postRate('EUR', 'MXN', '20.4')
    const { id } = await quoted(ada, 'EUR', 'MXN', '5000')
    const key = newKey()
    const answers = await Promise.all(times(20, () => agree(ada, id, { key })))
    expect(new Set(answers.map(({ text }) => text)).size).to.equal(1)
    const again = await agree(ada, id, { key })
    expect(again.headers.get('idempotent-replayed')).to.equal('true')
    expect(again.text).to.equal(answers[0]?.text)
  })

  it('is used once when the database hangs up on everybody in the middle', async () => {
    const ada = await person(90_000n)
    await postRate('EUR', 'AUD', '1.65')
    const { id } = await quoted(ada, 'EUR', 'AUD', '900')
    let broken = 0
    const insist = async (key: string) => {
      for (;;) {
        const answer = await call(ada, 'POST', '/v1/exchanges', { key, body: { quote: id } })
        if (answer.status !== 503) return answer
        broken += 1
      }
    }
    const changes = await changesOf(ada, async () => {
      const insisting = Promise.all(times(20, () => insist(newKey())))
      const isEnough = () => broken >= 20
      // No longer than this, so that those who insist are heard in the end.
      for (let round = 0; round < 100 && !isEnough(); round++) await hangUp()
      expect(statusesOf(await insisting)).to.deep.equal([201, ...times(19, () => 409)])
      expect(broken, 'answers that did not come').to.be.greaterThan(0)
    })
    expect(changes).to.deep.include({ 'wallet EUR': -900n, 'wallet AUD': 1_485n })
  })

  it('is not there for anybody else', async () => {
    const [ada, eve] = [await person(10_000n), await person(10_000n)]
    await postRate('EUR', 'CZK', '25.1')
    const { id } = await quoted(ada, 'EUR', 'CZK', '100')
    await unchanged(async () => {
      expectProblem(await agree(eve, id), 404, 'not_found')
      expectProblem(await call(eve, 'GET', `/v1/fx_quotes/${id}`), 404, 'not_found')
    })
    expect((await call(OPERATOR, 'GET', `/v1/fx_quotes/${id}`)).status).to.equal(200)
  })

  it('is no longer good once it has expired, and costs no attempt at the PIN', async () => {
    const ada = await person(10_000n)
    await postRate('EUR', 'RON', '4.97')
    const { id } = await quoted(ada, 'EUR', 'RON', '100')
    const { owner } = await world()
    const row = await owner('fx_quotes')
      .where({ id: uuidOf(id) })
      .first()
    const [created_at, expires_at] = [secondsAgo(31), secondsAgo(1)]
    const [old] = await owner('fx_quotes')
      .insert({ ...row, id: newId(), created_at, expires_at })
      .returning('id')
    const expired = publicId('fxq', old.id)
    await unchanged(async () => {
      expectProblem(await agree(ada, expired, { pin: '999999' }), 422, 'quote_expired')
    })
    const { failed } = await owner('pins').where({ person_id: ada.id }).first('failed')
    expect(failed).to.equal(0)
  })

  it('is refused for nonsense', async () => {
    const ada = await person()
    const good = { sell: 'EUR', buy: 'USD', amount: '100', side: 'sell' }
    const bad = [
      ...['0', '-1', '1.5', '01', '1e3', '', 100, null, '1000000000000000'].map((amount) => ({
        amount,
      })),
      ...[{ sell: 'eur' }, { sell: 'USD' }, { buy: 'EURO' }, { side: 'both' }, { rate: '2' }],
      ...[{ side: undefined }, { buy: undefined }],
    ]
    await unchanged(async () => {
      for (const fault of bad) {
        const answer = await call(ada, 'POST', '/v1/fx_quotes', { body: { ...good, ...fault } })
        expect(answer.status, `${JSON.stringify(fault)}: ${answer.text}`).to.equal(400)
      }
      expectProblem(await askQuote(ada, 'EUR', 'XXQ', '100'), 422, 'currency_unknown')
      for (const body of [{}, { quote: 'x' }, { quote: `exc_${'0'.repeat(26)}` }]) {
        const answer = await call(ada, 'POST', '/v1/exchanges', { body })
        expectProblem(answer, 400, 'invalid_request')
      }
    })
  })

  it('is refused for what rounds to nothing, and for more than can be written down', async () => {
    const ada = await person()
    await postRate('IDR', 'CHF', '0.00005')
    await postRate('CHF', 'IDR', '20000')
    await unchanged(async () => {
      const most = '9'.repeat(15)
      expectProblem(await askQuote(ada, 'IDR', 'CHF', '1'), 422, 'exchange_too_small')
      expectProblem(await askQuote(ada, 'IDR', 'CHF', '19999'), 422, 'exchange_too_small')
      expectProblem(await askQuote(ada, 'CHF', 'IDR', most), 422, 'exchange_too_large')
      expectProblem(await askQuote(ada, 'IDR', 'CHF', most, 'buy'), 422, 'exchange_too_large')
    })
    const least = await quoted(ada, 'IDR', 'CHF', '20000')
    expect(least.buy.amount).to.equal('1')
  })
})

/** Ends every connection of the API, whatever it is in the middle of. */
async function hangUp(): Promise<void> {
  const { owner } = await world()
  await owner.raw(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                    WHERE datname = current_database() AND application_name = 'florin_api'`)
}
