/** Bodies, amounts, texts and headers that nobody may send: each is refused and changes nothing. */
import { expect } from 'chai'
import { suffixOf } from '../services/ids.ts'
import { newId } from '../ledger/index.ts'
import { expectProblem, once, quiet, send, unchanged } from './support/abuse.ts'
import { bodiesOf, nobodys } from './support/abuse-bodies.ts'
import { call } from './support/api.ts'
import { authorize } from './support/held.ts'
import {
  linkedAccount,
  type Merchant,
  merchant,
  payment,
  type Person,
  person,
  PIN,
} from './support/people.ts'
import { world } from './support/world.ts'

let ada: Person
let ben: Person
let shop: Merchant
let account: string
/** A payment that the shop may capture. */
let held: string

const setTheStage = once(async () => {
  ;[ada, ben, shop] = await Promise.all([person(100_000n), person(), merchant()])
  account = await linkedAccount(ada)
  // Whoever is paid for the first time gets a wallet; that is not what is tested here.
  await call(ada, 'POST', '/v1/payments', { body: payment(ben, '1') })
  held = (await authorize(ada, shop, '6000')).id
  await quiet()
})

/** A valid body for every call that takes an amount. */
const MONEY_CALLS = {
  'POST /v1/payments': () => [ada, payment(ben, '100')] as const,
  'POST /v1/top_ups': () => [ada, ownMoney()] as const,
  'POST /v1/withdrawals': () => [ada, ownMoney()] as const,
  'POST /v1/orders': () => [shop, newOrder()] as const,
}
const ownMoney = () => ({
  ...{ bank_account: account, amount: '100', currency: 'EUR', approval: { pin: PIN } },
})
const newOrder = () => ({
  ...{ reference: suffixOf(newId()), description: 'A thing', amount: '100', currency: 'EUR' },
})

/** JSON as it is written, because JavaScript would tidy some of it up. */
const BAD_AMOUNTS = [
  ...['-1', '0', '1.5', '1e3', '1E3', ' 10', '10 ', '', '01', '+1', '٣', '１', '0x10', '1_000'],
  ...['1,000', 'NaN', 'Infinity', '1000000000000000', '10\\u0000', '10\\n', 'ten', '100n'],
].map((text) => `"${text}"`)
const BAD_TYPES = ['5', '0', '-1', '1.5', '1e400', '9007199254740993', 'true', 'null']
const BAD_SHAPES = ['[100]', '["100"]', '[]', '{}', '{"amount":"100"}']

describe('an amount', () => {
  before(setTheStage)

  for (const [name, valid] of Object.entries(MONEY_CALLS)) {
    it(`is text of one to fifteen digits, nothing else, for ${name} (abuse 18, 19)`, async () => {
      const [method, path] = name.split(' ') as ['POST', string]
      await unchanged(async () => {
        for (const amount of [...BAD_AMOUNTS, ...BAD_TYPES, ...BAD_SHAPES]) {
          const [who, body] = valid()
          const text = JSON.stringify({ ...body, amount: 'HERE' }).replace('"HERE"', amount)
          const answer = await call(who, method, path, { body: text })
          expectProblem(answer, 400, 'invalid_request')
        }
      })
    })

    it(`is of a currency that exists, for ${name} (abuse 20)`, async () => {
      const refusals = [
        ...[['XXQ', 422, 'currency_unknown'] as const, ['XXX', 422, 'currency_unknown'] as const],
        ...['eur', 'EU', 'EURO', '', 'E R', '€', ['EUR'], null, 978].map(
          (currency) => [currency, 400, 'invalid_request'] as const,
        ),
      ]
      const [method, path] = name.split(' ') as ['POST', string]
      await unchanged(async () => {
        for (const [currency, status, code] of refusals) {
          const [who, body] = valid()
          const answer = await call(who, method, path, { body: { ...body, currency } })
          expectProblem(answer, status, code)
        }
      })
    })
  }
})

/** What may be wrong with a body of any call: how it is made of a valid one, and the answer. */
type Spoil = (valid: string) => { bytes: string | Uint8Array; headers?: Record<string, string> }

const bytesOf = (...parts: (string | number[])[]) =>
  Buffer.concat(parts.map((part) => Buffer.from(part as string)))
const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth)
const withKey = (json: string) => (valid: string) => ({ bytes: valid.replace('{', `{${json},`) })
const typed = (type: string) => (valid: string) => ({
  ...{ bytes: valid, headers: { 'content-type': type } },
})
const encoded = (encoding: string) => (valid: string) => ({
  ...{ bytes: valid, headers: { 'content-encoding': encoding } },
})

const MALFORMED: Readonly<Record<string, Spoil>> = {
  'an unknown property': withKey('"status":"completed"'),
  'a property of another role': withKey('"payer":"per_00000000000000000000000000"'),
  'one key twice': (valid) => ({ bytes: valid.replace(/("\w+":(?:"[^"]*"|true))/, '$1,$1') }),
  'one key twice, once escaped': (valid) => ({
    bytes: valid.replace(
      /"(\w)(\w+)":("[^"]*"|true)/,
      (all, first: string, rest: string, value) => {
        const escaped = `\\u${first.charCodeAt(0).toString(16).padStart(4, '0')}${rest}`
        return `${all},"${escaped}":${value}`
      },
    ),
  }),
  'one key twice, deep inside': withKey('"x":[{"a":{"b":1,"b":2}}]'),
  '__proto__ as a key': withKey('"__proto__":{"isAdmin":true}'),
  '__proto__ as an escaped key': withKey('"\\u005f_proto__":{"isAdmin":true}'),
  'constructor as a key': withKey('"constructor":{"prototype":{"isAdmin":true}}'),
  'prototype as a key': withKey('"prototype":{}'),
  'an empty key': withKey('"":1'),
  'nesting eight deep': withKey(`"x":${nested(7)}`),
  'nesting nine deep': withKey(`"x":${nested(8)}`),
  'nesting eight thousand deep': withKey(`"x":${nested(8_000)}`),
  'nesting that never ends': () => ({ bytes: '['.repeat(16_000) }),
  'a list': (valid) => ({ bytes: `[${valid}]` }),
  null: () => ({ bytes: 'null' }),
  'a number': () => ({ bytes: '5' }),
  text: () => ({ bytes: '"payment"' }),
  nothing: () => ({ bytes: '' }),
  'nothing but space': () => ({ bytes: ' \n' }),
  'half of it': (valid) => ({ bytes: valid.slice(0, -5) }),
  'more behind it': (valid) => ({ bytes: `${valid}{}` }),
  'a comment': (valid) => ({ bytes: `${valid}// yes` }),
  'a trailing comma': (valid) => ({ bytes: valid.replace(/}$/, ',}') }),
  'single quotes': (valid) => ({ bytes: valid.replaceAll('"', "'") }),
  NaN: withKey('"x":NaN'),
  'a byte order mark': (valid) => ({ bytes: bytesOf([0xef, 0xbb, 0xbf], valid) }),
  'UTF-16': (valid) => ({ bytes: Buffer.from(valid, 'utf16le') }),
  'bytes that are no UTF-8': (valid) => ({
    bytes: bytesOf(valid.slice(0, 2), [0xff, 0xfe], valid.slice(2)),
  }),
  'an overlong slash': (valid) => ({ bytes: bytesOf('{"', [0xc0, 0xaf], '":1,', valid.slice(1)) }),
  'a surrogate in UTF-8': (valid) => ({
    bytes: bytesOf('{"', [0xed, 0xa0, 0x80], '":1,', valid.slice(1)),
  }),
  'a NUL between tokens': (valid) => ({ bytes: valid.replace('{', '{\u0000') }),
}

const WRONG_TYPE: Readonly<Record<string, Spoil>> = {
  'plain text': typed('text/plain'),
  'a form': typed('application/x-www-form-urlencoded'),
  'another JSON': typed('application/merge-patch+json'),
  'another charset': typed('application/json; charset=utf-16'),
  'two types': typed('application/json, text/plain'),
  'no type that is one': typed('json'),
  gzip: encoded('gzip'),
  deflate: encoded('deflate'),
  'nothing, said aloud': encoded('identity'),
}

const TOO_LARGE: Readonly<Record<string, Spoil>> = {
  'one byte over 16 KB': (valid) => ({ bytes: valid + ' '.repeat(16_385 - valid.length) }),
  'ten megabytes': (valid) => ({ bytes: valid + ' '.repeat(10_000_000) }),
}

const SPOILT = [
  ...Object.entries(MALFORMED).map((row) => [...row, 400, 'invalid_request'] as const),
  ...Object.entries(WRONG_TYPE).map((row) => [...row, 415, 'content_type_not_supported'] as const),
  ...Object.entries(TOO_LARGE).map((row) => [...row, 413, 'body_too_large'] as const),
]

describe('a body', () => {
  before(setTheStage)

  const bodies = () => ({
    ...Object.fromEntries(Object.entries(MONEY_CALLS).map(([name, valid]) => [name, valid()])),
    ...bodiesOf({ ada, ben, shop, held }),
  })

  it('is tried in every call that takes one', async () => {
    const { routes } = await world()
    const taking = routes.endpoints.filter(({ body }) => body !== undefined)
    const names = taking.map(({ method, path }) => `${method} ${path}`)
    expect(Object.keys(bodies()).sort()).to.deep.equal(names.sort())
  })

  for (const [fault, spoil, status, code] of SPOILT) {
    it(`of ${fault} is ${code}, for every call (abuse 21, 22, 23, 43)`, async () => {
      await unchanged(async () => {
        for (const [name, [who, valid]] of Object.entries(bodies())) {
          const [method, path] = name.split(' ') as [string, string]
          const spoilt = spoil(JSON.stringify(valid))
          if (fault === 'one byte over 16 KB' && path === '/v1/ledger/bulk') continue
          const url = nobodys(path).replace(':id', held)
          const answer = await send(who as Person, method, url, spoilt)
          expectProblem(answer, status, code)
        }
      })
      expect({}).not.to.have.property('isAdmin')
    })
  }

  const REASONS = [
    ['one key twice', 'given twice'],
    ['one key twice, once escaped', 'given twice'],
    ['one key twice, deep inside', 'b: given twice'],
    ['nesting eight deep', 'body: unknown property'],
    ['nesting nine deep', 'nested deeper than 8'],
    ['nesting eight thousand deep', 'nested deeper than 8'],
    ['__proto__ as an escaped key', '__proto__: unknown property'],
    ['bytes that are no UTF-8', 'the body is not JSON'],
  ] as const
  for (const [fault, detail] of REASONS) {
    it(`of ${fault} is refused for that reason and no other`, async () => {
      const spoilt = MALFORMED[fault]?.(JSON.stringify(payment(ben, '100')))
      const answer = await send(ada, 'POST', '/v1/payments', spoilt)
      expect(JSON.parse(answer.text).detail).to.contain(detail)
    })
  }

  it('needs a content type', async () => {
    const bytes = Buffer.from(JSON.stringify(payment(ben, '100')))
    const headers = { 'content-type': '' }
    const answer = await send(ada, 'POST', '/v1/payments', { bytes, headers })
    expectProblem(answer, 415, 'content_type_not_supported')
  })

  it('may be exactly 16 KB, and then only its content matters', async () => {
    const body = JSON.stringify(payment(ben, '100')).padEnd(16_384)
    expect((await call(ada, 'POST', '/v1/payments', { body })).status).to.equal(201)
  })
})
