/** The edge itself: methods, paths, and requests that only a bare socket can write. */
import { expect } from 'chai'
import { expectProblem, overSocket, once, quiet, send, times, unchanged } from './support/abuse.ts'
import { newKey, tokenOf } from './support/api.ts'
import { payment, type Person, person, walletBalance } from './support/people.ts'
import { world } from './support/world.ts'

let ada: Person
let ben: Person
const setTheStage = once(async () => {
  ;[ada, ben] = await Promise.all([person(100_000n), person()])
  await quiet()
})

describe('a path', () => {
  before(setTheStage)

  const NOWHERE = [
    ...['/', '/v1', '/v1/', '/v2/payments', '/v1/payment', '/v1/payments/x/y', '/admin', '/.env'],
    ...['/v1/ledger', '/v1/devicez', '/%', '/%E0%A4%A', '/v1/%00', '/v1/payees/', '/v1/bank'],
    ...['/docs/..%2f..%2fpackage.json', '/docs/package.json', '/docs/__proto__', '/.git/config'],
    ...['/docs/constructor', '/v1/accounts/../../etc/passwd', '/v1//payments', '/undefined'],
  ]
  it('that leads nowhere is a problem like any other', async () => {
    for (const path of NOWHERE) {
      const answer = await send(ada, 'GET', path)
      expect(answer.status, `${path}: ${answer.text}`).to.equal(404)
      expectProblem(answer, 404, 'not_found')
    }
  })

  it('may not be taken apart by a query', async () => {
    const odd = [
      '?',
      '?&&&',
      '?%',
      '?%E0%A4%A',
      '?__proto__[a]=1',
      '?a=%00',
      `?a=${'x'.repeat(5_000)}`,
    ]
    for (const query of odd) {
      const answer = await send(ada, 'GET', `/v1/payments${query}`)
      expect([200, 400], `${query}: ${answer.text}`).to.include(answer.status)
    }
  })

  /** Every path with each method it does not know, and those it does. */
  async function wrongMethods() {
    const { routes } = await world()
    const known = new Map<string, string[]>()
    for (const { method, path } of [...routes.endpoints, ...routes.publicEndpoints]) {
      known.set(path, [...(known.get(path) ?? []), method])
    }
    const names = { id: `pay_${'0'.repeat(26)}`, alias: 'nobody', bank: 'north', file: 'x' }
    return [...known].flatMap(([path, methods]) => {
      const url = path.replaceAll(/:(\w+)/g, (_, name: keyof typeof names) => names[name])
      const wrong = ['PATCH', 'PUT', 'DELETE', 'POST', 'GET'].filter(
        (one) => !methods.includes(one),
      )
      return wrong.map((method) => ({ method, url, methods }))
    })
  }

  it('refuses methods it does not know', async () => {
    await unchanged(async () => {
      for (const { method, url } of await wrongMethods()) {
        const answer = await send(ada, method, url)
        expect(answer.status, `${method} ${url}: ${answer.text}`).to.equal(405)
        expectProblem(answer, 405, 'method_not_allowed')
      }
    })
  })

  it('says which methods it knows', async () => {
    for (const { method, url, methods } of await wrongMethods()) {
      const { headers } = await send(ada, method, url)
      const allowed = (headers.get('allow') ?? '').split(', ')
      expect(allowed, `${method} ${url}`).to.include.members(methods)
    }
  })

  it('answers with headers that keep browsers and caches away, and names no version', async () => {
    for (const path of ['/v1/accounts', '/v1/nowhere', '/healthz']) {
      const { headers } = await send(ada, 'GET', path)
      expect(headers.get('x-content-type-options')).to.equal('nosniff')
      expect(headers.get('cache-control')).to.equal('no-store')
      expect(headers.get('x-request-id')).to.match(/^[0-9a-f-]{36}$/)
      for (const name of ['x-powered-by', 'server', 'access-control-allow-origin', 'set-cookie']) {
        expect(headers.get(name), name).to.equal(null)
      }
    }
  })
})

/** A request as its bytes, for a payment that would be made if it were understood. */
async function written(
  head: readonly string[],
  body: string,
  start = 'POST /v1/payments HTTP/1.1',
) {
  const lines = [
    ...[start, 'Host: x', `Authorization: Bearer ${await tokenOf(ada)}`, 'Connection: close'],
    ...[`Idempotency-Key: ${newKey()}`, 'Content-Type: application/json', ...head, '', ''],
  ]
  return lines.join('\r\n') + body
}
const chunked = (body: string) => `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`
const statusOf = (answer: string) => Number(/^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1])

describe('a request over a bare socket', () => {
  before(setTheStage)

  const body = () => JSON.stringify(payment(ben, '100'))
  const length = () => `Content-Length: ${body().length}`
  type Fault = readonly [expected: number, head: () => string[], body: () => string, start?: string]
  const FAULTS: Readonly<Record<string, Fault>> = {
    'of two lengths': [400, () => [length(), 'Content-Length: 0'], body],
    'of a length and of chunks': [
      400,
      () => [length(), 'Transfer-Encoding: chunked'],
      () => chunked(body()),
    ],
    'of chunks and of a length': [
      400,
      () => ['Transfer-Encoding: chunked', length()],
      () => chunked(body()),
    ],
    'of chunks that are chunks of something': [
      400,
      () => ['Transfer-Encoding: chunked, identity'],
      () => chunked(body()),
    ],
    'of a negative length': [400, () => ['Content-Length: -1'], body],
    'of a length in hexadecimal': [400, () => ['Content-Length: 0x10'], body],
    'of a chunk without a size': [
      400,
      () => ['Transfer-Encoding: chunked'],
      () => `zz\r\n${body()}\r\n0\r\n\r\n`,
    ],
    'of a chunked body that is too long': [
      413,
      () => ['Transfer-Encoding: chunked'],
      () => chunked(body().padEnd(20_000)),
    ],
    'with a thousand headers': [
      431,
      () => times(1_000, (index) => `X-Header-${index}: yes`),
      () => '',
    ],
    'with a header of ten kilobytes': [431, () => [`X-Long: ${'y'.repeat(10_000)}`], () => ''],
    'with a header that goes on in the next line': [
      400,
      () => [length(), 'X-A: 1', ' Transfer-Encoding: chunked'],
      body,
    ],
    'with a header without a name': [400, () => [length(), ': x'], body],
    'with a space before the colon': [400, () => ['Transfer-Encoding : chunked', length()], body],
    'with a NUL in a header': [400, () => [length(), 'X-A: \0'], body],
    'with a method that is none': [400, () => [], () => '', 'STEAL /v1/payments HTTP/1.1'],
    'with a path of ten kilobytes': [
      431,
      () => [],
      () => '',
      `GET /${'x'.repeat(10_000)} HTTP/1.1`,
    ],
    'in no known version': [400, () => [], () => '', 'GET /v1/payments HTTP/9.9'],
    'that is traced': [405, () => [], () => '', 'TRACE /v1/payments HTTP/1.1'],
  }
  for (const [fault, [expected, head, bodyOf, start]] of Object.entries(FAULTS)) {
    it(`${fault} is ${expected} and moves nothing`, async () => {
      const request = await written(head(), bodyOf(), start)
      const answer = await unchanged(() => overSocket(request))
      expect(statusOf(answer), answer.slice(0, 500)).to.equal(expected)
    })
  }

  it('hides no second request in the body of the first', async () => {
    const inner = await written([length()], body())
    const answer = await unchanged(async () =>
      overSocket(await written([`Content-Length: ${inner.length}`], inner)),
    )
    expect(answer.match(/HTTP\/1\.1 \d{3}/g)).to.deep.equal(['HTTP/1.1 400'])
  })

  it('has no body where none is read, and none of it is taken for a request', async () => {
    const inner = 'DELETE /v1/payments HTTP/1.1\r\nHost: x\r\n\r\n'
    const start = 'GET /v1/accounts HTTP/1.1'
    const answer = await overSocket(
      await written([`Content-Length: ${inner.length}`], inner, start),
    )
    expect(answer.match(/HTTP\/1\.1 \d{3}/g)).to.deep.equal(['HTTP/1.1 200'])
  })

  it('that is cut off in its body moves nothing, and the next one is served', async () => {
    const { apiUrl } = await world()
    const { connect } = await import('node:net')
    const request = await written([length()], body().slice(0, -1))
    await unchanged(async () => {
      await Promise.all(
        times(20, async () => {
          const socket = connect(Number(new URL(apiUrl).port), '127.0.0.1')
          await new Promise((resolve) => socket.write(request, resolve))
          socket.destroy()
        }),
      )
      expect((await send(ada, 'GET', '/v1/accounts')).status).to.equal(200)
    })
  })

  it('is not answered for by what comes behind it: whoever reads 400 has not paid', async () => {
    const before = await walletBalance(ada)
    const request = await written([length()], body())
    const answer = await overSocket(
      `${request.replace('Connection: close\r\n', '')}GARBAGE\r\n\r\n`,
    )
    await new Promise((resolve) => setTimeout(resolve, 200))
    const hasPaid = (await walletBalance(ada)) < before
    expect([statusOf(answer), hasPaid]).not.to.deep.equal([400, true])
  })

  it('without any of this is a payment, so that the refusals above mean something', async () => {
    const plain = await overSocket(await written([length()], body()))
    expect(statusOf(plain), plain).to.equal(201)
    const inChunks = await written(['Transfer-Encoding: chunked'], chunked(body()))
    expect(statusOf(await overSocket(inChunks))).to.equal(201)
  })
})
