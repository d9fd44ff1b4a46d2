/** How often one may ask: counted by person, by address or by bank, and told when to come back. */
import { expect } from 'chai'
import type { Config } from '../services/config.ts'
import { openRates } from '../services/http/rates.ts'
import { expectProblem, send, statusesOf, times, unchanged } from './support/abuse.ts'
import { type SecondApi, withSecondApi } from './support/abuse-issuer.ts'
import { call, newKey, newSubject } from './support/api.ts'
import { newAddress, sendFrom } from './support/from.ts'
import { merchant, payment, type Person, person, PIN, walletBalance } from './support/people.ts'
import { world } from './support/world.ts'

/** As it is without a word about it; addresses may guess here, this is about something else. */
const RATES = {
  ...{ RATE_MONEY_PER_MINUTE: 10, RATE_MONEY_PER_DAY: 100, RATE_LOOKUPS_PER_MINUTE: 20 },
  ...{ RATE_SECURITY_PER_MINUTE: 5, RATE_ANONYMOUS_PER_MINUTE: 60 },
  RATE_CALLBACKS_PER_SECOND: 200,
}

describe('a rate', () => {
  const opened = (settings: Partial<Config>, rememberedMax?: number) => {
    const clock = { at: 1_800_000_000_000 }
    const config = { ...RATES, ...settings } as Config
    const rates = openRates(config, () => new Date(clock.at), rememberedMax)
    const ask = (who = 'ada') => {
      try {
        rates.refuse('money', who)
      } catch (error) {
        return (error as { retryAfter_s: number }).retryAfter_s
      }
      rates.count('money', who)
      return 0
    }
    return { ask, clock }
  }

  it('is kept whatever minute the clock says: the window slides', () => {
    const { ask, clock } = opened({})
    clock.at += 59_000
    expect(times(11, () => ask()).slice(0, 10)).to.deep.equal(times(10, () => 0))
    clock.at += 2_000
    expect(ask(), 'two seconds later, in the next minute').to.be.greaterThan(0)
    clock.at += 30_000
    const then = times(10, () => ask()).filter((wait) => wait === 0)
    expect(then.length, 'half a minute later').to.be.within(4, 5)
  })

  it('says when to come back, and keeps its word', () => {
    const { ask, clock } = opened({})
    for (const at_ms of [0, 7_000, 31_000, 12_000, 55_000]) {
      clock.at += at_ms
      times(12, () => ask())
      const wait_s = ask()
      expect(wait_s).to.be.within(1, 120)
      clock.at += wait_s * 1_000
      expect(ask(), `after ${wait_s} s`).to.equal(0)
    }
  })

  it('of a day is kept beside that of a minute', () => {
    const { ask, clock } = opened({})
    let allowed = 0
    for (let minute = 0; minute < 60; minute += 1) {
      allowed += times(10, () => ask()).filter((wait) => wait === 0).length
      clock.at += 120_000
    }
    expect(allowed).to.equal(100)
    expect(ask()).to.be.greaterThan(60)
  })

  it('of 0 is none, and one person’s is not another’s', () => {
    const none = opened({ RATE_MONEY_PER_MINUTE: 0, RATE_MONEY_PER_DAY: 0 })
    expect(times(500, () => none.ask()).every((wait) => wait === 0)).to.equal(true)
    const { ask } = opened({})
    times(20, () => ask('eve'))
    expect(ask('ada')).to.equal(0)
  })

  it('remembers so many and no more', () => {
    const { ask } = opened({ RATE_MONEY_PER_DAY: 0 }, 3)
    times(10, () => ask('eve'))
    expect(ask('eve')).to.be.greaterThan(0)
    for (const who of ['a', 'b', 'c']) ask(who)
    expect(ask('eve'), 'forgotten').to.equal(0)
  })
})

describe('a person who asks too often', () => {
  let limited: SecondApi
  withSecondApi(
    (api) => (limited = api),
    () => RATES,
  )
  let ben: Person
  before(async () => (ben = await person()))

  const pay = (who: Person, key = newKey()) =>
    send(who, 'POST', '/v1/payments', {
      ...{ apiUrl: limited.apiUrl, headers: { 'idempotency-key': key } },
      bytes: JSON.stringify(payment(ben, '100', { approval: undefined })),
    })

  it('pays ten times a minute; the key refused is good later, one paid is replayed', async () => {
    const ada = await person(5_000n)
    const keys = times(11, () => newKey())
    const answers = []
    for (const key of keys) answers.push(await pay(ada, key))
    expect(statusesOf(answers)).to.deep.equal([...times(10, () => 201), 429])
    const refused = answers[10] as (typeof answers)[number]
    expectProblem(refused, 429, 'too_many_requests')
    expect(Number(refused.headers.get('retry-after'))).to.be.within(1, 120)
    const replayed = await pay(ada, keys[0])
    expect([replayed.status, replayed.headers.get('idempotent-replayed')]).to.deep.equal([
      ...[201, 'true'],
    ])
    expect(await walletBalance(ada)).to.equal(4_000n)
    const later = await call(ada, 'POST', '/v1/payments', {
      ...{ key: keys[10] as string, body: payment(ben, '100', { approval: undefined }) },
    })
    expect(later.status, 'the same key, where she may').to.equal(201)
  })

  it('of a merchant has it paid out ten times a minute, and another is not held up', async () => {
    const [shop, other] = await Promise.all([merchant(), merchant()])
    const settle = (who: typeof shop) =>
      send(who, 'POST', '/v1/settlements', {
        ...{ apiUrl: limited.apiUrl, headers: { 'idempotency-key': newKey() } },
        bytes: JSON.stringify({ currency: 'EUR' }),
      })
    const answers = []
    for (const _ of times(10, (index) => index)) answers.push(await settle(shop))
    for (const answer of answers) expectProblem(answer, 422, 'bank_account_not_found')
    const refused = await settle(shop)
    expectProblem(refused, 429, 'too_many_requests')
    expect(Number(refused.headers.get('retry-after'))).to.be.within(1, 120)
    expectProblem(await settle(other), 422, 'bank_account_not_found')
  })

  it('in a crowd of requests is not let through more often', async () => {
    const ada = await person(50_000n)
    const answers = await Promise.all(times(60, () => pay(ada)))
    expect(answers.filter(({ status }) => status === 201)).to.have.length(10)
    expect(await walletBalance(ada)).to.equal(49_000n)
  })

  it('has five PINs looked at a minute, and changes it no more often', async () => {
    const ada = await person()
    const bytes = JSON.stringify({ pin: PIN })
    const answers = []
    for (const _ of times(6, (index) => index)) {
      answers.push(await send(ada, 'POST', '/v1/pin/verify', { apiUrl: limited.apiUrl, bytes }))
    }
    expect(statusesOf(answers)).to.deep.equal([...times(5, () => 204), 429])
    const change = JSON.stringify({ pin: '830462', current_pin: PIN })
    const options = { apiUrl: limited.apiUrl, bytes: change }
    expectProblem(await send(ada, 'PUT', '/v1/pin', options), 429, 'too_many_requests')
  })

  it('learns of twenty aliases a minute, hit or miss, by a masked name (abuse 36)', async () => {
    const [ada, eve] = [await person(), await person()]
    const lookUp = (alias: string) =>
      send(eve, 'GET', `/v1/payees/${alias}`, { apiUrl: limited.apiUrl })
    const hits = [await lookUp(ada.sub), await lookUp(`@${ada.sub}`)]
    for (const { status, text } of hits) {
      expect(status).to.equal(200)
      expect(Object.keys(JSON.parse(text)).sort()).to.deep.equal(['alias', 'id', 'kind', 'name'])
      expect(JSON.parse(text).name).to.match(/^.•+$/u)
    }
    const misses = await unchanged(() =>
      Promise.all(times(18, (index) => lookUp(newSubject(`x${index}`)))),
    )
    expect(new Set(misses.map(({ text }) => text)).size).to.equal(1)
    for (const miss of misses) expectProblem(miss, 404, 'not_found')
    const late = [await lookUp(ada.sub), await lookUp(newSubject('y'))]
    for (const answer of late) expectProblem(answer, 429, 'too_many_requests')
    expect(new Set(late.map(({ text }) => text)).size).to.equal(1)
  })
})

describe('an alias', () => {
  let second: SecondApi
  withSecondApi((api) => (second = api))

  it('shows enough of a person to notice a mistake, and no more', async () => {
    const [alias, ben] = [newSubject('g'), await person()]
    const claims = { sub: alias, preferred_username: alias, name: 'Grace Brewster Hopper' }
    const headers = { authorization: `Bearer ${await second.mint({ claims })}` }
    await send(undefined, 'GET', '/v1/accounts', { headers, apiUrl: second.apiUrl })
    const seen = await call(ben, 'GET', `/v1/payees/${alias}`)
    const { id, ...shown } = seen.body
    expect(id).to.match(/^per_/)
    expect(shown).to.deep.equal({ alias, kind: 'person', name: 'G•••• B••••••• H•••••' })
  })
})

describe('a stranger', () => {
  let limited: SecondApi
  withSecondApi(
    (api) => (limited = api),
    () => RATES,
  )

  it('is turned away after sixty, and whoever was let in from there before is not', async () => {
    const [ada, address, { apiUrl }] = [await person(), newAddress(), limited]
    const from = { apiUrl, address }
    expect((await sendFrom(from, ada, 'GET', '/v1/pin')).status).to.equal(200)
    const answers = await unchanged(async () => {
      const found = []
      for (const index of times(61, (each) => each)) {
        const headers = index % 2 === 0 ? {} : { authorization: `Bearer a.b.${index}` }
        const forwarded = { ...headers, 'x-forwarded-for': `198.51.100.${index}` }
        found.push(await sendFrom({ ...from, headers: forwarded }, undefined, 'GET', '/v1/pin'))
      }
      return found
    })
    expect(statusesOf(answers)).to.deep.equal([...times(60, () => 401), 429])
    expect(Number(answers.at(-1)?.headers.get('retry-after'))).to.be.within(1, 120)
    expect((await sendFrom(from, ada, 'GET', '/v1/pin')).status).to.equal(200)
    const [ben, elsewhere] = [await person(), { apiUrl, address: newAddress() }]
    expectProblem(await sendFrom(from, ben, 'GET', '/v1/pin'), 429, 'too_many_requests')
    expect((await sendFrom(elsewhere, ben, 'GET', '/v1/pin')).status).to.equal(200)
    expect((await sendFrom(from, undefined, 'GET', '/healthz')).status).to.equal(200)
  })
})

describe('a bank that calls back too often', () => {
  let limited: SecondApi
  withSecondApi(
    (api) => (limited = api),
    () => ({ ...RATES, RATE_CALLBACKS_PER_SECOND: 3 }),
  )

  it('is told so, and others are not, whoever pretends to be it from elsewhere', async () => {
    const callBack = (bank: string, address: string) =>
      sendFrom(
        { apiUrl: limited.apiUrl, address, body: {} },
        undefined,
        ...(['POST', `/v1/banks/${bank}/callbacks`] as const),
      )
    const [bank, forger] = [newAddress(), newAddress()]
    const forged = await Promise.all(times(12, () => callBack('north', forger)))
    expect(forged.filter(({ status }) => status === 429).length).to.be.greaterThan(5)
    expectProblem(await callBack('north', bank), 401, 'bad_signature')
    expectProblem(await callBack('south', forger), 401, 'bad_signature')
  })

  it('is one we know: of others nothing is read, and nothing counted', async () => {
    const address = newAddress()
    const asked = { apiUrl: limited.apiUrl, address, body: { much: 'x'.repeat(70_000) } }
    for (const bank of ['nobody', 'nobody', 'nobody', 'nobody', 'somebody']) {
      const answer = await sendFrom(asked, undefined, 'POST', `/v1/banks/${bank}/callbacks`)
      expectProblem(answer, 404, 'not_found')
    }
  })

  it('is known to the document', async () => {
    const { apiUrl } = await world()
    const { paths } = (await (await fetch(`${apiUrl}/openapi.json`)).json()) as {
      paths: Record<string, Record<string, { responses: object }>>
    }
    expect(paths['/v1/banks/{bank}/callbacks']?.['post']?.responses).to.have.property('429')
  })
})
