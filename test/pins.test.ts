/** What a PIN may be, how it is kept, and what becomes of it when it is wrong too often. */
import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'chai'
import { publicId } from '../services/ids.ts'
import { newId } from '../ledger/index.ts'
import { isWeakPin } from '../services/pins/weak_pins.ts'
import { expectProblem, send, times } from './support/abuse.ts'
import { type SecondApi, withSecondApi } from './support/abuse-issuer.ts'
import { call, newKey } from './support/api.ts'
import { type Person, person, PIN } from './support/people.ts'
import { phone } from './support/phones.ts'
import { rowOf, stateOf, unlock, verify, verifyAt, wrong } from './support/pins.ts'
import { codeAt, enrolled } from './support/totp.ts'
import { together } from './support/proposals.ts'
import { world } from './support/world.ts'

const NOTHING = { phoneNumber: undefined, birthdate: undefined }
const eventsOf = async ({ id }: Person): Promise<string[]> => {
  const { owner } = await world()
  return owner('events')
    .where({ object_id: publicId('per', id) })
    .orderBy('id')
    .pluck('type')
}

const securityChangedAt = async ({ id }: Person) => {
  const { owner } = await world()
  return (await owner('people').where({ id }).first()).security_changed_at
}

describe('a weak PIN', () => {
  const WEAK = {
    'a digit again and again': ['0000', '55555', '999999'],
    'a part again and again': ['1212', '121212', '123123', '8989', '112233', '1122'],
    'a run, up or down': ['1234', '6543', '34567', '890123', '098765', '7890'],
    'a year': ['1900', '1957', '2024', '2099'],
    'a year with a month': ['197803', '202412', '031978', '122024'],
    'a day as it is written somewhere': ['310190', '013190', '900131', '290204', '040229'],
    'among the hundred of four': ['2580', '1004', '8520', '5150', '4200'],
    'among those of five': ['90210', '38317', '42069'],
    'among the hundred of six': ['159753', '520131', '007007', '147258', '696969', '315475'],
  }
  for (const [what, pins] of Object.entries(WEAK)) {
    it(`is ${what}`, () => {
      for (const pin of pins) expect(isWeakPin(pin, NOTHING), pin).to.equal(true)
    })
  }

  it('is not just any other', () => {
    const fine = [
      '2749',
      '8304',
      '27495',
      '274951',
      '830462',
      '193847',
      '320190',
      '290299',
      '131490',
    ]
    for (const pin of fine) expect(isWeakPin(pin, NOTHING), pin).to.equal(false)
    const all = times(10_000, (index) => String(index * 97).padStart(6, '0'))
    const weak = all.filter((pin) => isWeakPin(pin, NOTHING)).length
    expect(weak / all.length).to.be.within(0.05, 0.12)
  })

  it('is what others know of the person: a phone number, a birth date', async () => {
    const known = { phoneNumber: '+49 (172) 548-3069', birthdate: '1983-04-07' }
    for (const pin of ['3069', '54830', '548306', '483069', '0704', '0407', '8304', '70483']) {
      expect(isWeakPin(pin, known), pin).to.equal(true)
    }
    expect(isWeakPin('274951', known)).to.equal(false)
    expect(isWeakPin('8304', NOTHING)).to.equal(false)
  })
})

describe('a PIN of a person whose token says more', () => {
  let second: SecondApi
  withSecondApi((api) => (second = api))

  it('is not their phone number', async () => {
    const claims = { phone_number: '+491725483069', birthdate: '1983-04-07' }
    const headers = { authorization: `Bearer ${await second.mint({ claims })}` }
    const set = (pin: string) =>
      send(undefined, 'PUT', '/v1/pin', {
        ...{ apiUrl: second.apiUrl, headers, bytes: JSON.stringify({ pin }) },
      })
    expectProblem(await set('548306'), 422, 'weak_pin')
    expect((await set('274951')).status).to.equal(204)
  })

  it('is set all the same when the token talks nonsense', async () => {
    const claims = { phone_number: 5, birthdate: ['x'] }
    const headers = { authorization: `Bearer ${await second.mint({ claims })}` }
    const bytes = JSON.stringify({ pin: PIN })
    const options = { apiUrl: second.apiUrl, headers, bytes }
    expect((await send(undefined, 'PUT', '/v1/pin', options)).status).to.equal(204)
  })
})

describe('how a PIN stands', () => {
  it('is told to its person: unset, set, locked, of no more use', async () => {
    const ada = await person(0n, { withPin: false })
    const nothing = { changed_at: null, locked_until: null }
    expect(await stateOf(ada)).to.deep.equal({ state: 'unset', ...nothing })
    await call(ada, 'PUT', '/v1/pin', { body: { pin: PIN } })
    const set = await stateOf(ada)
    expect(set).to.include({ state: 'set', locked_until: null })
    expect(Date.parse(set.changed_at)).to.be.closeTo(Date.now(), 10_000)
    for (const index of times(5, (one) => one)) await verify(ada, wrong(index))
    const locked = await stateOf(ada)
    expect(locked.state).to.equal('locked')
    expect(Date.parse(locked.locked_until) - Date.now()).to.be.within(1_700_000, 1_800_000)
    await unlock(ada)
    expect(await stateOf(ada)).to.include({ state: 'set', locked_until: null })
    for (const index of times(5, (one) => one)) await verify(ada, wrong(index))
    expect((await stateOf(ada)).state).to.equal('reset_required')
  })

  it('is warned of from the fourth wrong one on, and the fifth is told to the person', async () => {
    const ada = await person()
    expect((await verify(ada, PIN)).status).to.equal(204)
    const answers = []
    for (const index of times(5, (one) => one)) answers.push(await verify(ada, wrong(index)))
    for (const answer of answers) expectProblem(answer, 401, 'approval_refused')
    const left = answers.map(({ body }) => body.attempts_left)
    expect(left).to.deep.equal([undefined, undefined, undefined, 1, 0])
    expectProblem(await verify(ada, PIN), 423, 'pin_locked')
    expect(await eventsOf(ada)).to.deep.equal(['person.pin_locked'])
  })

  it('ends with the tenth wrong one, though a lock has run out in between', async () => {
    const ada = await person()
    for (const index of times(5, (one) => one)) await verify(ada, wrong(index))
    await unlock(ada)
    const more = []
    for (const index of times(5, (one) => one)) more.push(await verify(ada, wrong(index)))
    expect(more.map(({ body }) => body.attempts_left).slice(3)).to.deep.equal([1, 0])
    await unlock(ada)
    expectProblem(await verify(ada, PIN), 423, 'pin_reset_required')
    expect(await rowOf(ada)).to.include({ failures: 10 })
    const body = { pin: '830462', current_pin: PIN }
    expectProblem(await call(ada, 'PUT', '/v1/pin', { body }), 423, 'pin_reset_required')
  })
})

describe('a change of PIN', () => {
  let second: SecondApi
  withSecondApi((api) => (second = api))

  it('is noted and told, the first one is not', async () => {
    const ada = await person()
    expect([await securityChangedAt(ada), await eventsOf(ada)]).to.deep.equal([null, []])
    await call(ada, 'PUT', '/v1/pin', { body: { pin: '830462', current_pin: PIN } })
    expect((await securityChangedAt(ada)).getTime()).to.be.closeTo(Date.now(), 10_000)
    expect(await eventsOf(ada)).to.deep.equal(['person.pin_changed'])
  })

  it('is possible again when an operator has taken away one that was wrong too often', async () => {
    const ada = await person()
    const { owner } = await world()
    await owner('pins').where({ person_id: ada.id }).update({ failures: 10, failed: 5 })
    const path = `/v1/people/${publicId('per', ada.id)}/pin/reset`
    const body = { reason: 'They forgot it' }
    expect((await together(path, { body })).body).to.include({ id: publicId('per', ada.id) })
    expect((await stateOf(ada)).state).to.equal('unset')
    const changedAt = await securityChangedAt(ada)
    // Whoever was signed in is not any more: it may not have been her.
    const pin = '830462'
    expectProblem(await call(ada, 'PUT', '/v1/pin', { body: { pin } }), 401, 'invalid_token')
    await pause(1_100)
    const token = await second.mint({ claims: { sub: ada.sub } })
    const as = (method: string, pathname: string, body: object) =>
      send(undefined, method, pathname, {
        ...{ apiUrl: second.apiUrl, bytes: JSON.stringify(body) },
        headers: { authorization: `Bearer ${token}` },
      })
    expectProblem(await as('POST', '/v1/pin/verify', { pin: PIN }), 403, 'pin_not_set')
    expect((await as('PUT', '/v1/pin', { pin })).status).to.equal(204)
    expectProblem(await as('PUT', '/v1/pin', { pin: PIN }), 409, 'pin_already_set')
    expect((await as('POST', '/v1/pin/verify', { pin })).status).to.equal(204)
    expect(await securityChangedAt(ada)).to.be.greaterThan(changedAt)
    expect(await eventsOf(ada)).to.deep.equal(['person.pin_reset', 'person.pin_changed'])
  })

  it('that was taken away is set anew by what else somebody has, not by a token', async () => {
    const ada = await person()
    const mine = await phone(ada)
    const { owner } = await world()
    await owner('pins').where({ person_id: ada.id }).update({ hash: null, pepper_kid: null })
    const refused = await call(ada, 'PUT', '/v1/pin', { body: { pin: '830462' } })
    expectProblem(refused, 403, 'approval_required')
    expect((await stateOf(ada)).state).to.equal('unset')
    const key = newKey()
    const body = { pin: '830462', approval: await mine.agree({ action: 'pin_reset' }, key) }
    expect((await call(ada, 'POST', '/v1/pin/reset', { body, key })).status).to.equal(204)
    expect((await stateOf(ada)).state).to.equal('set')
  })

  it('leaves the session in which it is made, and no other', async () => {
    const ada = await person()
    const other = await second.mint({ claims: { sub: ada.sub } })
    const body = { pin: '830462', current_pin: PIN }
    expect((await call(ada, 'PUT', '/v1/pin', { body })).status).to.equal(204)
    expect((await verify(ada, '830462')).status).to.equal(204)
    const headers = { authorization: `Bearer ${other}` }
    const bytes = JSON.stringify({ pin: '830462' })
    const options = { apiUrl: second.apiUrl, headers, bytes }
    const refused = await send(undefined, 'POST', '/v1/pin/verify', options)
    expectProblem(refused, 401, 'invalid_token')
  })

  it('needs no old one for who proves otherwise who they are: by a device, by a code', async () => {
    const [ada, ben] = [await person(), await enrolled()]
    const { agree } = await phone(ada)
    for (const who of [ada, ben]) {
      for (const index of times(5, (one) => one)) await verify(who, wrong(index))
    }
    const key = newKey()
    const approval = await agree({ action: 'pin_reset' }, key)
    const pin = '830462'
    const byDevice = await call(ada, 'POST', '/v1/pin/reset', { key, body: { pin, approval } })
    expect(byDevice.status, byDevice.text).to.equal(204)
    const totp = codeAt(ben.secret, new Date())
    const byCode = await call(ben, 'POST', '/v1/pin/reset', { body: { pin, totp } })
    expect(byCode.status, byCode.text).to.equal(204)
    for (const who of [ada, ben]) {
      expect((await verify(who, pin)).status).to.equal(204)
      expect((await eventsOf(who)).at(-1)).to.equal('person.pin_reset')
    }
    const again = await call(ben, 'POST', '/v1/pin/reset', { body: { pin: PIN, totp } })
    expectProblem(again, 401, 'approval_refused')
  })

  it('is done by nobody for somebody who is not there or has none', async () => {
    const nobody = `/v1/people/${publicId('per', newId())}/pin/reset`
    const asked = { body: { reason: 'They forgot it' } }
    expectProblem(await together(nobody, asked), 404, 'not_found')
    const ada = await person(0n, { withPin: false })
    const path = `/v1/people/${publicId('per', ada.id)}/pin/reset`
    expectProblem(await together(path, asked), 403, 'pin_not_set')
    expectProblem(await call(ada, 'POST', path, asked), 403, 'forbidden')
  })

  it('without the old one is not proved by the old one', async () => {
    const ada = await person()
    for (const approval of [{ pin: PIN }, undefined]) {
      const body = { pin: '830462', approval }
      const refused = await call(ada, 'POST', '/v1/pin/reset', { body })
      expectProblem(refused, 403, 'approval_required')
    }
    expect((await rowOf(ada)).failed).to.equal(0)
    expect((await verify(ada, PIN)).status).to.equal(204)
  })
})

describe('the scheme strict', () => {
  let strict: SecondApi
  withSecondApi(
    (api) => (strict = api),
    () => ({ PIN_SCHEME: 'strict' }),
  )

  it('locks for 24 hours after three, and warns from the second', async () => {
    const ada = await person()
    const answers = []
    for (const index of [1, 2, 3]) answers.push(await verifyAt(strict, ada, wrong(index)))
    for (const answer of answers) expectProblem(answer, 401, 'approval_refused')
    const left = answers.map(({ text }) => JSON.parse(text).attempts_left)
    expect(left).to.deep.equal([undefined, 1, 0])
    const locked = await verifyAt(strict, ada, PIN)
    expectProblem(locked, 423, 'pin_locked')
    expect(Number(locked.headers.get('retry-after'))).to.be.within(86_300, 86_400)
  })
})

describe('four digits, where a scheme wants them', () => {
  let four: SecondApi
  withSecondApi(
    (api) => (four = api),
    () => ({ PIN_DIGITS: 4 }),
  )

  it('are what a new PIN has, and one of six is still right', async () => {
    const [ada, ben] = [await person(0n, { withPin: false }), await person()]
    const set = (pin: string) =>
      send(ada, 'PUT', '/v1/pin', { apiUrl: four.apiUrl, bytes: JSON.stringify({ pin }) })
    expectProblem(await set(PIN), 400, 'invalid_request')
    expectProblem(await set('1984'), 422, 'weak_pin')
    expect((await set('8304')).status).to.equal(204)
    expect((await verifyAt(four, ada, '8304')).status).to.equal(204)
    expect((await verifyAt(four, ben, PIN)).status).to.equal(204)
  })
})
