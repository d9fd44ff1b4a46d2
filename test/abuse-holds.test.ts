/** Captures, releases and reversals that nobody may ask for, and orders that promise too much. */
import { expect } from 'chai'
import { newId } from '../ledger/index.ts'
import { publicId } from '../services/ids.ts'
import { expectProblem, once, quiet, send, statusesOf, unchanged } from './support/abuse.ts'
import { withSecondApi, type SecondApi } from './support/abuse-issuer.ts'
import { call, newKey, newSubject, type Who } from './support/api.ts'
import { authorize, capture, takings } from './support/held.ts'
import { type Merchant, merchant, OPERATOR, type Person, person } from './support/people.ts'

let ada: Person
let eve: Person
let shop: Merchant
let rival: Merchant
let held: string

const setTheStage = once(async () => {
  ;[ada, eve] = await Promise.all([person(100_000n), person(1n)])
  ;[shop, rival] = await Promise.all([merchant(), merchant()])
  held = (await authorize(ada, shop, '6000')).id
  await quiet()
})

const chat: Who = { sub: 'chat', scope: 'chat' }
const ACTIONS = ['capture', 'void', 'cancel'] as const
const act = (who: Who, action: string, id: string) =>
  call(who, 'POST', `/v1/payments/${id}/${action}`, action === 'capture' ? { body: {} } : {})

describe('a hold of somebody else', () => {
  before(setTheStage)

  it('is not there for another merchant, nor for a stranger', async () => {
    await unchanged(async () => {
      for (const [who, action] of [
        [rival, 'capture'],
        [rival, 'void'],
        [eve, 'cancel'],
      ] as const) {
        const nothing = await act(who, action, publicId('pay', newId()))
        const answer = await act(who, action, held)
        expectProblem(answer, 404, 'not_found')
        expect(answer.text).to.equal(nothing.text)
      }
    })
  })

  it('is captured by no person, released by no payer, canceled by no merchant', async () => {
    await unchanged(async () => {
      for (const [who, action] of [
        ...[[ada, 'capture'] as const, [ada, 'void'] as const, [OPERATOR, 'capture'] as const],
        ...[[shop, 'cancel'] as const, [OPERATOR, 'cancel'] as const],
        ...ACTIONS.map((action) => [chat, action] as const),
      ]) {
        expectProblem(await act(who, action, held), 403, 'forbidden')
      }
    })
  })

  it('is named by an id that is one', async () => {
    const bad = ['1', '%00', 'pay_', `ord_0${'0'.repeat(25)}`, `pay_8${'0'.repeat(25)}`, newId()]
    await unchanged(async () => {
      for (const action of ACTIONS) {
        for (const id of bad) {
          const who = action === 'cancel' ? ada : shop
          const bytes = '{}'
          const answer = await send(who, 'POST', `/v1/payments/${id}/${action}`, { bytes })
          expectProblem(answer, 404, 'not_found')
        }
      }
    })
  })

  it('is touched under a key alone', async () => {
    await unchanged(async () => {
      for (const action of ACTIONS) {
        const who = action === 'cancel' ? ada : shop
        const answer = await call(who, 'POST', `/v1/payments/${held}/${action}`, {
          ...{ key: null, body: {} },
        })
        expectProblem(answer, 400, 'idempotency_key_missing')
      }
    })
  })
})

describe('a capture', () => {
  before(setTheStage)

  it('is of an amount that is text, and says plainly whether it is final', async () => {
    const amounts = ['', '0', '-1', '01', '1.5', '1e3', ' 1', '1000000000000000', 5, null, {}, []]
    const finals = ['true', 1, 0, null, 'yes', {}]
    await unchanged(async () => {
      for (const body of [
        ...amounts.map((amount) => ({ amount })),
        ...finals.map((final) => ({ final })),
        ...[{ currency: 'EUR' }, { amount: '1', fee: '0' }, { payment: held }, { is_final: true }],
      ]) {
        expectProblem(await capture(shop, held, body), 400, 'invalid_request')
      }
    })
  })
})

describe('an order that is captured manually', () => {
  before(setTheStage)

  it('is bounded in time, and says how only if it is', async () => {
    const valid = { description: 'A thing', amount: '5000', currency: 'EUR' }
    const manual = { capture: 'manual' }
    await unchanged(async () => {
      for (const more of [
        ...[0, -1, 1.5, 2_592_001, '60', null].map((capture_within_s) => ({
          ...{ ...manual, capture_within_s },
        })),
        ...['two', '', null, true].map((partial_captures) => ({ ...manual, partial_captures })),
        ...[{ capture: 'later' }, { capture: null }, { capture: true }],
        ...[{ capture_within_s: 60 }, { partial_captures: 'none' }],
        ...[
          { capture: 'automatic', partial_captures: 'one' },
          { ...manual, captured: '5000' },
        ],
      ]) {
        const body = { ...valid, reference: newSubject('r'), ...more }
        const answer = await call(shop, 'POST', '/v1/orders', { body })
        expect(answer.status, `${JSON.stringify(more)}: ${answer.text}`).to.equal(400)
        expectProblem(answer, 400, 'invalid_request')
      }
    })
  })
})

describe('two processes', () => {
  let second: SecondApi
  before(setTheStage)
  withSecondApi((api) => (second = api))

  it('capture once for one key', async () => {
    const [own, payer] = await Promise.all([merchant({ fixed: '0' }), person(9_000n)])
    const { id } = await authorize(payer, own, '9000')
    for (let round = 1n; round <= 5n; round += 1n) {
      const headers = { 'idempotency-key': newKey() }
      const answers = await Promise.all(
        Array.from({ length: 10 }, (_, index) =>
          send(own, 'POST', `/v1/payments/${id}/capture`, {
            ...{ bytes: '{"amount":"1000"}', headers },
            ...(index % 2 === 0 && { apiUrl: second.apiUrl }),
          }),
        ),
      )
      expect(new Set(answers.map(({ status }) => status)), answers[0]?.text).to.deep.equal(
        new Set([200]),
      )
      expect(new Set(answers.map(({ text }) => text)).size).to.equal(1)
      expect((await takings(own)).posted).to.equal(round * 986n)
    }
  })

  it('let one of a capture of all and a release win', async () => {
    const [own, payer] = await Promise.all([merchant(), person(60_000n)])
    for (const { id } of await Promise.all(
      Array.from({ length: 8 }, () => authorize(payer, own, '6000')),
    )) {
      const answers = await Promise.all([
        capture(own, id),
        send(own, 'POST', `/v1/payments/${id}/void`, { apiUrl: second.apiUrl }),
      ])
      expect(statusesOf(answers)).to.deep.equal([200, 409])
    }
  })
})
