/** Texts, ids, cursors and moments that mean nothing: each is refused, or means what it says. */
import { expect } from 'chai'
import { newId } from '../ledger/index.ts'
import { expectProblem, once, quiet, send, unchanged } from './support/abuse.ts'
import { type Answer, call, newSubject } from './support/api.ts'
import {
  type Merchant,
  merchant,
  OPERATOR,
  payment,
  type Person,
  person,
} from './support/people.ts'
import { newRule } from './support/risk.ts'
import { world } from './support/world.ts'

let ada: Person
let ben: Person
let shop: Merchant

const setTheStage = once(async () => {
  ;[ada, ben, shop] = await Promise.all([person(100_000n), person(), merchant()])
  for (const amount of ['1', '2', '3']) {
    await call(ada, 'POST', '/v1/payments', { body: payment(ben, amount) })
  }
  await quiet()
})

const ORDER = { description: 'A thing', amount: '100', currency: 'EUR' }
const newOrder = (more: object) => ({ reference: newSubject('r'), ...ORDER, ...more })
const newMerchant = (more: object) => {
  const fees = { percent: '1', fixed: '0', currency: 'EUR' }
  const names = { alias: newSubject('m'), subject: newSubject('m') }
  return { name: 'Shop', ...names, fees, ...more }
}
/** So little that it needs no PIN, and so no time. */
const small = (more: object) => payment(ben, '1', { approval: undefined, ...more })
const KEY = { kty: 'OKP', crv: 'Ed25519', x: 'A'.repeat(43) }
const link = (holder: unknown) => ({ bank: 'north', number: 'T-0997', holder })

/** Every text that people write, by the longest it may be. */
const TEXTS: Readonly<
  Record<string, readonly [lengthMax: number, put: (text: unknown) => Promise<Answer>]>
> = {
  'the note of a payment': [140, (note) => post(ada, 'payments', small({ note }))],
  'the description of an order': [
    140,
    (description) => post(shop, 'orders', newOrder({ description })),
  ],
  'the reference of an order': [64, (reference) => post(shop, 'orders', newOrder({ reference }))],
  'the holder of a bank account': [70, (holder) => post(ada, 'bank_accounts', link(holder))],
  'the name of a device': [
    60,
    (name) => post(ada, 'devices', { name, key: KEY, possession: 'a.b.c' }),
  ],
  'the reason of a rule': [100, (reason) => post(OPERATOR, 'risk_rules', newRule({ reason }))],
  'the name of a merchant': [100, (name) => post(OPERATOR, 'merchants', newMerchant({ name }))],
}
const post = (who: Person | Merchant | typeof OPERATOR, path: string, body: object) =>
  call(who, 'POST', `/v1/${path}`, { body })

const BAD_TEXTS: Readonly<Record<string, unknown>> = {
  'nothing at all': '',
  'a NUL': 'a\u0000b',
  'a line break': 'a\nb',
  'a carriage return': 'paid\r\n{"level":"info"}',
  'an escape sequence': '\u001b[2Jgone',
  'a delete': 'a\u007fb',
  'half a letter': 'a\ud800b',
  'the other half': '\udc00',
  'a number': 5,
  null: null,
  'a list': ['a'],
  'an object': { toString: 'a' },
}

const ODD_TEXTS = [
  ...["'; DROP TABLE transfers; --", '%_\\', '{"a":1}', '{a,b}', '\\x00', '$1', '${1}', '<b>'],
  ...['שלום', '\u202Egnp.exe', 'é'.normalize('NFD'), '👩‍👩‍👧', 'Z̸̡̛a̷l̶g̵o̴', '\u2028', ' '],
]

describe('a text', () => {
  before(setTheStage)

  for (const [name, [lengthMax, put]] of Object.entries(TEXTS)) {
    it(`is not empty, not too long, and has nothing invisible: ${name} (abuse 26)`, async () => {
      await unchanged(async () => {
        const tooLong = { 'one letter too many': 'x'.repeat(lengthMax + 1) }
        for (const [fault, value] of Object.entries({ ...BAD_TEXTS, ...tooLong })) {
          const answer = await put(value)
          expect(answer.status, `${fault}: ${answer.text}`).to.equal(400)
          expectProblem(answer, 400, 'invalid_request')
        }
      })
    })
  }

  it('may be anything else, and comes back as it was', async () => {
    for (const note of [...ODD_TEXTS, 'x'.repeat(140), '\u0301'.repeat(140)]) {
      const paid = await post(ada, 'payments', small({ note }))
      expect(paid.status, paid.text).to.equal(201)
      const seen = await call(ben, 'GET', `/v1/payments/${paid.body.id}`)
      expect(seen.body.note).to.equal(note)
    }
  })

  it('is compared, never searched for: a wildcard names nobody (abuse 26)', async () => {
    const { owner } = await world()
    const people = () => owner('people').count({ count: '*' })
    const before = await people()
    for (const alias of ['%25', 'a%25', '_', "' OR ''='", 'a'.repeat(33), 'A', '@@a', '%00', '.']) {
      expectProblem(await call(ada, 'GET', `/v1/payees/${alias}`), 404, 'not_found')
    }
    expect(await people()).to.deep.equal(before)
  })
})

const LETTERS = '0'.repeat(25)
const BAD_IDS = [
  ...['1', 'x', '%00', '%20', '%ff', '%E0%A4%A', '..%2f..%2fetc%2fpasswd', "1' OR '1'='1"],
  ...['__proto__', 'constructor', 'undefined', 'null', '%F0%9F%92%A9', 'x'.repeat(2_000)],
]
const badIdsOf = (kind: string) => [
  ...BAD_IDS,
  ...[`${kind}_`, `${kind}_${LETTERS}`, `${kind}_${LETTERS}00`, `${kind}_8${LETTERS}`],
  ...[`${kind}_${LETTERS}u`, `${kind.toUpperCase()}_0${LETTERS}`, `xxx_0${LETTERS}`],
  ...[`${kind}_0${LETTERS}%0a`, `${kind}_0${LETTERS}%00`, newId()],
]

describe('an id', () => {
  before(setTheStage)

  const PATHS = [
    ['pay', '/v1/payments/:id', () => ada],
    ['pay', '/v1/payments/:id/evidence', () => ada],
    ['acc', '/v1/accounts/:id', () => ada],
    ['acc', '/v1/accounts/:id/entries', () => ada],
    ['acc', '/v1/accounts/:id/statement', () => ada],
    ['acc', '/v1/ledger/accounts/:id', () => OPERATOR],
    ['ord', '/v1/orders/:id', () => shop],
    ['mer', '/v1/merchants/:id/dispute_terms', () => OPERATOR],
    ['set', '/v1/settlements/:id', () => shop],
    ['set', '/v1/settlements/:id/statement', () => shop],
    ['fxq', '/v1/fx_quotes/:id', () => ada],
    ['exc', '/v1/exchanges/:id', () => ada],
    ['prp', '/v1/proposals/:id', () => OPERATOR],
  ] as const
  for (const [kind, path, who] of PATHS) {
    it(`that cannot be one names nothing, as in ${path} (abuse 26)`, async () => {
      const unknown = await call(who(), 'GET', path.replace(':id', `${kind}_0${LETTERS}`))
      expectProblem(unknown, 404, 'not_found')
      for (const id of badIdsOf(kind)) {
        const answer = await send(who(), 'GET', path.replace(':id', id))
        expect(answer.status, `${id}: ${answer.text}`).to.equal(404)
        expect(answer.text, id).to.equal(unknown.text)
      }
    })
  }

  it('that cannot be one cannot be deleted', async () => {
    await unchanged(async () => {
      for (const id of badIdsOf('bac')) {
        expectProblem(await send(ada, 'DELETE', `/v1/bank_accounts/${id}`), 404, 'not_found')
      }
    })
  })

  it('in a body is of the right kind', async () => {
    const bad = ['', 'x', `pay_0${LETTERS}`, `bac_8${LETTERS}`, `bac_${LETTERS}`, 5, null, {}]
    await unchanged(async () => {
      for (const id of bad) {
        for (const body of [payment(ben, '1', { source: id }), payment(ben, '1', { order: id })]) {
          expectProblem(await post(ada, 'payments', body), 400, 'invalid_request')
        }
      }
    })
  })
})

describe('a page', () => {
  before(setTheStage)

  const LISTS = [
    ['pay', '/v1/payments', () => ada],
    ['set', '/v1/settlements', () => shop],
    ['evt', '/v1/events', () => shop],
    ['exc', '/v1/exchanges', () => ada],
    ['fxr', '/v1/fx_rates', () => OPERATOR],
    ['sur', '/v1/step_up_rules', () => OPERATOR],
  ] as const
  const BAD_QUERIES = [
    ...['limit=0', 'limit=-1', 'limit=', 'limit=1e2', 'limit=01', 'limit=1000', 'limit=1.5'],
    ...['limit=%D9%A3', 'limit=1&limit=2', 'limit[]=1', 'cursor=', 'cursor=x', 'cursor=%00'],
    ...[`cursor=acc_0${LETTERS}`, "cursor=' OR 1=1", 'offset=1', '__proto__=1', 'cursor[a]=1'],
  ]
  for (const [kind, path, who] of LISTS) {
    it(`is asked for as documented, as in ${path}`, async () => {
      const cursors = [`cursor=${kind}_0${LETTERS}&cursor=${kind}_0${LETTERS}`, `cursor=${newId()}`]
      for (const query of [...BAD_QUERIES, ...cursors]) {
        const answer = await call(who(), 'GET', `${path}?${query}`)
        expect(answer.status, `${query}: ${answer.text}`).to.equal(400)
        expectProblem(answer, 400, 'invalid_request')
      }
    })

    it(`goes on from any cursor, made up or not, as in ${path}`, async () => {
      for (const cursor of [`${kind}_0${LETTERS}`, `${kind}_7${'z'.repeat(25)}`]) {
        const answer = await call(who(), 'GET', `${path}?limit=999&cursor=${cursor}`)
        expect(answer.status, answer.text).to.equal(200)
      }
    })
  }

  it('never shows what is not the caller’s, whatever cursor is given', async () => {
    const [eve, { body: theirs }] = [await person(), await call(ada, 'GET', '/v1/payments')]
    for (const { id } of theirs.data) {
      const seen = await call(eve, 'GET', `/v1/payments?cursor=${id}`)
      expect(seen.body).to.deep.equal({ data: [], next_cursor: null })
    }
  })

  it('of entries is numbered, and takes no other cursor', async () => {
    const { body } = await call(ada, 'GET', '/v1/accounts')
    const path = `/v1/accounts/${body.data[0].id}/entries`
    const bad = ['cursor=0', 'cursor=-1', 'cursor=1e3', `cursor=${'9'.repeat(19)}`, 'cursor=1.5']
    for (const query of [...bad, ...BAD_QUERIES]) {
      expectProblem(await call(ada, 'GET', `${path}?${query}`), 400, 'invalid_request')
    }
    const all = await call(ada, 'GET', `${path}?limit=999&cursor=${'9'.repeat(18)}`)
    expect(all.body.data[0].entry).to.equal(String(all.body.data.length))
    expect((await call(ada, 'GET', `${path}?cursor=1`)).body.data).to.deep.equal([])
  })
})

describe('a moment', () => {
  before(setTheStage)

  const BAD_MOMENTS = [
    ...['', 'now', 'yesterday', '0', '1700000000', '2026-01-01', '2026-13-01T00:00:00Z'],
    ...['2026-02-30T00:00:00Z', '2026-01-01T25:00:00Z', '2026-01-01T00:00:60Z', 'infinity'],
    ...['2026-01-01T00:00:00', '%2B010000-01-01T00:00:00Z', '-000001-01-01T00:00:00Z'],
    ...['2026-01-01T00:00:00Z&at=2027-01-01T00:00:00Z', '2026-01-01T00:00:00Z%00'],
  ]
  /** Before there was an account, or not yet: nobody can say what it came to. */
  const MOMENTS = [
    ...['0000-01-01T00:00:00Z', '0001-01-01T00:00:00Z', '1969-12-31T23:59:59Z'],
    ...['9999-12-31T23:59:59Z', '9999-12-31T23:59:59.999999999Z', '9999-12-31T23:59:59%2B14:00'],
    ...['0000-01-01T00:00:00%2B14:00', '9999-12-31T23:59:59-12:00'],
  ] as const
  const asked = async (at: string) => {
    const { body } = await call(ada, 'GET', '/v1/accounts')
    return call(ada, 'GET', `/v1/accounts/${body.data[0].id}?at=${at}`)
  }

  it('that is none is refused', async () => {
    for (const at of BAD_MOMENTS) {
      const answer = await asked(at)
      expect(answer.status, `${at}: ${answer.text}`).to.equal(400)
      expectProblem(answer, 400, 'invalid_request')
    }
  })

  for (const at of MOMENTS) {
    it(`long ago or far away is refused, not answered with nothing: ${at}`, async () => {
      const answer = await asked(at)
      const isMoment = answer.status !== 400
      const code = isMoment ? 'moment_not_answerable' : 'invalid_request'
      expectProblem(answer, isMoment ? 422 : 400, code)
    })
  }
})

describe('a merchant', () => {
  before(setTheStage)

  it('has prices that are plain numbers', async () => {
    const bad = ['-1', '101', '1e1', '1.23456', '', '.5', '5.', ' 1', '1,5', 'NaN', '٣', 5, null]
    await unchanged(async () => {
      for (const price of bad) {
        for (const part of ['percent', 'tax_percent']) {
          const fees = { percent: '1', fixed: '0', currency: 'EUR', [part]: price }
          const answer = await post(OPERATOR, 'merchants', newMerchant({ fees }))
          expect(answer.status, `${part} ${price}: ${answer.text}`).to.equal(400)
        }
      }
    })
  })

  it('has an alias that can be read aloud, and is refused one that is taken', async () => {
    await unchanged(async () => {
      for (const alias of ['', 'a', 'A1', '@a', '.a', '_a', 'a b', 'é', 'a'.repeat(33), 'a\n', 5]) {
        const answer = await post(OPERATOR, 'merchants', newMerchant({ alias }))
        expect(answer.status, `${alias}: ${answer.text}`).to.equal(400)
      }
    })
    const taken = newMerchant({ alias: ben.sub })
    const work = () => post(OPERATOR, 'merchants', taken)
    expectProblem(await unchanged(work, { except: ['claims'] }), 409, 'alias_taken')
  })
})
