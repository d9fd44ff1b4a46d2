/** Rates as dated evidence, positions valued by them, and currencies as data. Over HTTP. */
import { expect } from 'chai'
import { expectProblem, unchanged } from './support/abuse.ts'
import { call, newKey } from './support/api.ts'
import { agree, askQuote, newRate, postRate, quoted, secondsAgo } from './support/exchange.ts'
import { OPERATOR, person } from './support/people.ts'
import { world } from './support/world.ts'

describe('a rate', () => {
  it('is posted by an operator, and listed with its evidence', async () => {
    const observed_at = secondsAgo(60)
    const evidence = { source: 'ECB reference rate', observed_at, spread_bps: 35 }
    const posted = await postRate('NZD', 'FJD', '1.3310', { ...evidence, valid_for_s: 120 })
    expect(posted).to.deep.include({ ...evidence, base: 'NZD', quote: 'FJD', rate: '1.3310' })
    expect(posted.posted_by).to.equal(OPERATOR.sub)
    expect(Date.parse(posted.outdated_at) - Date.parse(observed_at)).to.equal(120_000)
    for (const query of ['base=NZD', 'quote=FJD', 'base=NZD&quote=FJD&limit=5']) {
      const { body } = await call(OPERATOR, 'GET', `/v1/fx_rates?${query}`)
      expect(body.data, query).to.deep.equal([posted])
    }
    const other = await call(OPERATOR, 'GET', '/v1/fx_rates?base=FJD&quote=NZD')
    expect(other.body.data).to.deep.equal([])
    expectProblem(await call(OPERATOR, 'GET', '/v1/fx_rates?base=XXQ'), 422, 'currency_unknown')
  })

  it('of the newest observation counts, in whatever order they are posted', async () => {
    const ada = await person()
    await postRate('EUR', 'THB', '38', { observed_at: secondsAgo(10) })
    await postRate('EUR', 'THB', '37', { observed_at: secondsAgo(20) })
    expect((await quoted(ada, 'EUR', 'THB', '100')).mid_rate).to.equal('38')
    await postRate('EUR', 'THB', '39', { observed_at: secondsAgo(5) })
    expect((await quoted(ada, 'EUR', 'THB', '100')).mid_rate).to.equal('39')
  })

  it('is not used when it is outdated, nor is an older one that would last longer', async () => {
    const ada = await person()
    await postRate('EUR', 'GBP', '0.86', { observed_at: secondsAgo(90), valid_for_s: 3_600 })
    await postRate('EUR', 'GBP', '0.87', { observed_at: secondsAgo(61), valid_for_s: 60 })
    await unchanged(async () => {
      expectProblem(await askQuote(ada, 'EUR', 'GBP', '100'), 422, 'rate_not_available')
    })
    await postRate('EUR', 'GBP', '0.88', { observed_at: secondsAgo(30), valid_for_s: 60 })
    expect((await quoted(ada, 'EUR', 'GBP', '100')).mid_rate).to.equal('0.88')
  })

  it('says nothing about the other direction, nor about any third currency', async () => {
    const ada = await person()
    await postRate('EUR', 'NOK', '11.7')
    await postRate('NOK', 'ISK', '12.9')
    await unchanged(async () => {
      for (const [sell, buy] of [
        ['NOK', 'EUR'],
        ['EUR', 'ISK'],
      ] as const) {
        expectProblem(await askQuote(ada, sell, buy, '100'), 422, 'rate_not_available')
      }
    })
  })

  it('is one for each pair and moment, once for each key', async () => {
    const [key, body] = [newKey(), newRate('EUR', 'ZAR', '20.11')]
    const post = (more: object, key: string) =>
      call(OPERATOR, 'POST', '/v1/fx_rates', { key, body: { ...body, ...more } })
    const [first, again] = [await post({}, key), await post({}, key)]
    expect([first.status, again.status, again.text]).to.deep.equal([201, 201, first.text])
    await unchanged(
      async () => {
        const refused = await post({ rate: '20.12', source: 'Another' }, newKey())
        expectProblem(refused, 409, 'fx_rate_exists')
      },
      { except: ['claims'] },
    )
  })

  it('is refused for nonsense, for what is yet to come, and from anybody else', async () => {
    const ada = await person()
    const good = newRate('EUR', 'TRY', '45.1')
    const rates = ['0', '0.0', '-1', '1e3', '.5', '5.', '01', ' 1', '1,5', 'NaN', '٣', 5, null]
    const bad = [
      ...[...rates, '1'.repeat(11), `0.${'1'.repeat(13)}`].map((rate) => ({ rate })),
      ...[-1, 5_001, 1.5, '50', null].map((spread_bps) => ({ spread_bps })),
      ...[0, -1, 604_801, 1.5, '60', undefined].map((valid_for_s) => ({ valid_for_s })),
      ...['', 'now', '2026-02-30T00:00:00Z', '0001-01-01T00:00:00Z', 5].map((observed_at) => ({
        observed_at,
      })),
      ...[{ base: 'TRY' }, { base: 'eur' }, { source: '' }, { source: 'a\nb' }, { inverse: true }],
    ]
    await unchanged(async () => {
      for (const fault of bad) {
        const answer = await call(OPERATOR, 'POST', '/v1/fx_rates', { body: { ...good, ...fault } })
        expect(answer.status, `${JSON.stringify(fault)}: ${answer.text}`).to.equal(400)
      }
      const soon = { ...good, observed_at: secondsAgo(-60) }
      const early = await call(OPERATOR, 'POST', '/v1/fx_rates', { body: soon })
      expectProblem(early, 422, 'effective_in_future')
      const unknown = { ...good, quote: 'XXQ' }
      const nowhere = await call(OPERATOR, 'POST', '/v1/fx_rates', { body: unknown })
      expectProblem(nowhere, 422, 'currency_unknown')
      expectProblem(await call(ada, 'POST', '/v1/fx_rates', { body: good }), 403, 'forbidden')
    })
  })
})

interface Position {
  readonly position: { readonly amount: string; readonly currency: string }
  readonly value: { readonly amount: string } | null
  readonly rate: { readonly rate: string } | null
}

describe('the report of our positions', () => {
  const report = async (query = '') => {
    const answer = await call(OPERATOR, 'GET', `/v1/ledger/fx_positions${query}`)
    expect(answer.status, answer.text).to.equal(200)
    const data = answer.body.data as Position[]
    return { ...answer.body, of: (code: string) => data.find((p) => p.position.currency === code) }
  }

  it('refuses to guess: what has no rate has no value, and then there is no total', async () => {
    const ada = await person(10_000n)
    await postRate('EUR', 'SGD', '1.45')
    await agree(ada, (await quoted(ada, 'EUR', 'SGD', '3000')).id)
    const plain = await report()
    expect(plain.of('SGD')).to.deep.equal({
      ...{ position: { amount: '-4350', currency: 'SGD' }, value: null, rate: null },
    })
    const before = await report('?in=KRW')
    expect(before.total).to.equal(null)
    expect(before.of('SGD')?.value).to.equal(null)
    await postRate('SGD', 'KRW', '1066.29', { spread_bps: 400 })
    const after = await report('?in=KRW')
    // 43.50 SGD at the mid rate are 46383.615 won.
    expect(after.of('SGD')?.value).to.deep.equal({ amount: '-46384', currency: 'KRW' })
    expect(after.of('SGD')?.rate?.rate).to.equal('1066.29')
    expect(after.total).to.equal(null)
  })

  it('has a total once every position has a value', async () => {
    const { data } = await report()
    for (const { position } of data as Position[]) await postRate(position.currency, 'XPF', '2')
    const valued = await report('?in=XPF')
    const values = (valued.data as Position[]).map(({ value }) => BigInt(value?.amount ?? NaN))
    const total = values.reduce((sum, value) => sum + value, 0n)
    expect(valued.total).to.deep.equal({ amount: `${total}`, currency: 'XPF' })
    expect(values.length).to.be.greaterThan(1)
  })

  it('is for operators, in a currency that there is', async () => {
    const ada = await person()
    expectProblem(await call(ada, 'GET', '/v1/ledger/fx_positions'), 403, 'forbidden')
    const path = '/v1/ledger/fx_positions?in='
    expectProblem(await call(OPERATOR, 'GET', `${path}XXQ`), 422, 'currency_unknown')
    for (const query of ['', 'eur', 'EUR&in=USD', 'EUR&of=USD']) {
      expectProblem(await call(OPERATOR, 'GET', `${path}${query}`), 400, 'invalid_request')
    }
  })
})

describe('currencies', () => {
  it('are listed by code, with the digits of their minor units', async () => {
    const { body } = await call(await person(), 'GET', '/v1/currencies')
    const scales = new Map(
      body.data.map(({ code, scale }: { code: string; scale: number }) => [code, scale]),
    )
    const some = ['JPY', 'EUR', 'BHD', 'CLF'].map((code) => scales.get(code))
    expect(some).to.deep.equal([0, 2, 3, 4])
    const codes = [...scales.keys()] as string[]
    expect(codes.toSorted((a, b) => (a < b ? -1 : 1))).to.deep.equal(codes)
    expect(scales.size).to.be.greaterThan(150)
  })

  it('have amounts that are text wherever the API documents one, never numbers', async () => {
    const { apiUrl } = await world()
    const document = await (await fetch(`${apiUrl}/openapi.json`)).json()
    const amounts = amountsIn(document)
    expect(amounts.length).to.be.greaterThan(20)
    for (const { name, schema } of amounts) {
      expect(typesOf(schema), `${name}: ${JSON.stringify(schema)}`).to.deep.equal(['string'])
    }
  })
})

const AMOUNT = /^(?:amount|balance|gross|fee|tax|net|fixed|debits|credits)$/

/** Every property of the document that is called like an amount, with its schema. */
function amountsIn(value: unknown): { name: string; schema: object }[] {
  if (typeof value !== 'object' || value === null) return []
  const properties = Object.entries((value as { properties?: object }).properties ?? {})
  const ours = properties
    .filter(([name]) => AMOUNT.test(name))
    .map(([name, schema]) => ({ name, schema: schema as object }))
    // Whether debits and credits are frozen is no amount; what is referred to is looked at itself.
    .filter(({ schema }) => !('type' in schema && schema.type === 'boolean'))
    .filter(({ schema }) => !('$ref' in schema))
    // Messages for another service have amounts as that one wants them: a value and an offset.
    .filter(({ schema }) => !JSON.stringify(schema).includes('"offset"'))
  return [...ours, ...Object.values(value).flatMap(amountsIn)]
}

/** What it may be, null aside. */
function typesOf(schema: object): string[] {
  const { type, anyOf } = schema as { type?: string | string[]; anyOf?: object[] }
  const types = anyOf === undefined ? [type ?? 'nothing'].flat() : anyOf.flatMap(typesOf)
  return [...new Set(types)].filter((one) => one !== 'null')
}
