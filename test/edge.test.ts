/** The edge's limits: how much, how deep, how slow, how often; each as it is configured. */
import { connect as dial } from 'node:net'
import { gzipSync } from 'node:zlib'
import { expect } from 'chai'
import { connect, newId, purgeClaims } from '../ledger/index.ts'
import { publicId } from '../services/ids.ts'
import { openWire } from './bench/wire.ts'
import { expectProblem, overSocket, send, times, unchanged } from './support/abuse.ts'
import { withAnotherApi } from './support/another-api.ts'
import { call, tokenOf } from './support/api.ts'
import { newProcess } from './support/process.ts'
import { payment, person } from './support/people.ts'
import { world } from './support/world.ts'

const STATUS = /^HTTP\/1\.1 (\d{3}) /

describe('the limits of the edge', () => {
  it('are those of the server', async () => {
    await withAnotherApi({}, async ({ server }) => {
      const { headersTimeout, requestTimeout, keepAliveTimeout, maxRequestsPerSocket } = server
      expect({
        headersTimeout,
        requestTimeout,
        keepAliveTimeout,
        maxRequestsPerSocket,
      }).to.deep.equal({
        ...{ headersTimeout: 10_000, requestTimeout: 15_000, keepAliveTimeout: 5_000 },
        maxRequestsPerSocket: 1_000,
      })
    })
  })

  it('are so many keys of one object, and as many more of others', async () => {
    const [ada, ben] = [await person(10_000n), await person()]
    const keys = (count: number, name = 'k') =>
      Object.fromEntries(times(count, (index) => [`${name}${index}`, '']))
    const post = (body: object) => call(ada, 'POST', '/v1/payments', { body })
    await unchanged(async () => {
      const many = await post(keys(65))
      expectProblem(many, 400, 'invalid_request')
      expect(many.body.detail).to.equal('more than 64 keys in one object')
      const few = await post({ ...keys(62), a: keys(64, 'a'), b: [keys(64, 'b'), keys(64, 'c')] })
      expectProblem(few, 400, 'invalid_request')
      expect(few.body.detail).not.to.contain('keys')
    })
    expect((await post(payment(ben, '100'))).status).to.equal(201)
  })

  it('cut off who is slow with headers or body: 408, the socket is closed (abuse 44)', async () => {
    const [ada, ben] = [await person(10_000n), await person()]
    const settings = { HEADERS_TIMEOUT_MS: 700, REQUEST_TIMEOUT_MS: 1_200 }
    const body = JSON.stringify(payment(ben, '100'))
    const head = [
      ...['POST /v1/payments HTTP/1.1', 'Host: x', `Authorization: Bearer ${await tokenOf(ada)}`],
      ...['Idempotency-Key: slow-slow-slow-slow', 'Content-Type: application/json'],
      `Content-Length: ${body.length}`,
    ].join('\r\n')
    await withAnotherApi(settings, async ({ port }) => {
      await unchanged(async () => {
        const slow = await Promise.all([
          trickle(port, head, 400),
          trickle(port, `${head}\r\n\r\n${body.slice(0, -1)}`, head.length + 40),
        ])
        for (const { answer, took_ms } of slow) {
          expect(STATUS.exec(answer)?.[1], answer).to.equal('408')
          // Node looks about once a second.
          expect(took_ms).to.be.lessThan(1_200 + 1_500)
        }
      })
    })
  })

  it('close a socket after so many requests, and say so first', async () => {
    const [ada, settings] = [await person(), { SOCKET_REQUESTS_MAX: 3 }]
    await withAnotherApi(settings, async ({ port }) => {
      const token = `Authorization: Bearer ${await tokenOf(ada)}`
      const one = `GET /v1/accounts HTTP/1.1\r\nHost: x\r\n${token}`
      const answer = await overSocket(`${one}\r\n\r\n`.repeat(3), port)
      const heads = answer.split('HTTP/1.1 ').slice(1)
      expect(heads.map((text) => text.slice(0, 3))).to.deep.equal(['200', '200', '200'])
      const closed = heads.map((text) => /\r\nconnection: close/i.test(text))
      expect(closed).to.deep.equal([false, false, true])
    })
  })

  it('are known to the bench, which dials again', async () => {
    const [ada, settings] = [await person(), { SOCKET_REQUESTS_MAX: 3 }]
    await withAnotherApi(settings, async ({ port }) => {
      const wire = await openWire(port)
      const token = `Authorization: Bearer ${await tokenOf(ada)}`
      for (const _ of times(10, Number)) {
        const asked = `GET /v1/accounts HTTP/1.1\r\nHost: x\r\n${token}\r\n\r\n`
        expect((await wire.exchange(asked)).status).to.equal(200)
      }
      wire.close()
    })
  })

  it('hold against ten megabytes, 10,000 levels, a bomb, 1,000 headers (abuse 43)', async () => {
    const { config } = await world()
    const token = await tokenOf(await person(10_000n))
    const api = await newProcess(config)
    try {
      const post = (body: string | Uint8Array, headers: Record<string, string> = {}) =>
        fetch(`${api.url}/v1/payments`, {
          ...{ method: 'POST', body: body as string },
          headers: {
            ...{ authorization: `Bearer ${token}`, 'content-type': 'application/json' },
            ...{ 'idempotency-key': 'large-large-large-large', ...headers },
          },
        }).then(async (answer) => {
          await answer.text()
          return answer.status
        }, lost)
      const bomb = gzipSync(Buffer.alloc(10_000_000, '['))
      const large = ' '.repeat(10_000_000)
      const many = Object.fromEntries(times(1_000, (index) => [`x-header-${index}`, 'yes']))
      const attack = async () => [
        await post(large),
        await post('['.repeat(10_000)),
        await post(bomb, { 'content-encoding': 'gzip' }),
        await post('{}', many),
      ]
      /** The least of some rounds: what the system has not taken back yet does not count. */
      const leastAfter_mb = async (rounds: number) => {
        const sizes: number[] = []
        for (const _ of times(rounds, Number)) {
          const [first, ...others] = await attack()
          // A client that is still writing may lose the connection before it reads why.
          expect([413, 0]).to.include(first)
          expect(others).to.deep.equal([400, 415, 431])
          sizes.push(await api.rss_mb())
        }
        return Math.min(...sizes.slice(-8))
      }
      const before_mb = await leastAfter_mb(8)
      const grown_mb = (await leastAfter_mb(16)) - before_mb
      process.stdout.write(`      it grew by ${grown_mb.toFixed(1)} MB\n`)
      expect(grown_mb).to.be.lessThan(20)
    } finally {
      await api.stop()
    }
  })

  it('tell a stranger as little by their time as by their words (abuse 34)', async () => {
    const [ada, ben, eve] = [await person(10_000n), await person(), await person()]
    const paid = await call(ada, 'POST', '/v1/payments', { body: payment(ben, '100') })
    const took = async (id: string) => {
      const started = performance.now()
      expectProblem(await send(eve, 'GET', `/v1/payments/${id}`), 404, 'not_found')
      return performance.now() - started
    }
    const [hits, misses]: number[][] = [[], []]
    for (const _ of times(60, Number)) {
      hits?.push(await took(paid.body.id))
      misses?.push(await took(publicId('pay', newId())))
    }
    expect(Math.abs(median(hits ?? []) - median(misses ?? []))).to.be.lessThan(5)
  })
})

describe('an answer that is kept for its key', () => {
  it('is kept for thirty days, then forgotten, a part of them at a time', async () => {
    const { worker, owner } = await world()
    const claim = (days: number) => ({
      ...{ id: newId(), fingerprint: Buffer.alloc(16), answer: '{}' },
      claimed_at: new Date(Date.now() - days * 86_400_000),
    })
    const [old, young] = [times(5, () => claim(31)), times(5, () => claim(29))]
    const left = (rows: { id: string }[]) =>
      owner('claims')
        .whereIn(
          'id',
          rows.map(({ id }) => id),
        )
        .pluck('id')
    await owner('claims').insert([...old, ...young])
    // The whole of it fits into one part here.
    expect(await purgeClaims(worker.db, { days: 30, turn: 7 })).to.be.at.least(5)
    expect(await left(old)).to.deep.equal([])
    expect(await left(young)).to.have.length(5)
    const sooner = purgeClaims(worker.db, { days: 29, turn: 0 })
    expect(await sooner.catch(({ code }: { code: string }) => code)).to.equal('42501')
  })

  it('is looked for in every part, in turn', async () => {
    const { owner, url } = await world()
    const db = connect({ url, connectionsMax: 1, applicationName: 'test claims' })
    try {
      await owner('claims').insert(
        times(2_000, () => ({
          ...{ id: newId(), fingerprint: Buffer.alloc(16), answer: 'x'.repeat(100) },
          claimed_at: new Date(Date.now() - 40 * 86_400_000),
        })),
      )
      const purge = async (turn: number) => {
        const { rows } = await db.raw(`SELECT purge_claims(interval '30 days', ?, 4) AS n`, [turn])
        return Number(rows[0].n)
      }
      const { rows } = await db.raw(
        `SELECT ceil(pg_relation_size('claims') / 8192.0 / 4)::int AS parts`,
      )
      const purged: number[] = []
      for (const turn of times(rows[0].parts, (one) => one + 1_000_000)) {
        purged.push(await purge(turn))
      }
      expect(purged.reduce((sum, one) => sum + one, 0)).to.be.at.least(2_000)
      expect(purged.filter((one) => one > 0).length).to.be.greaterThan(1)
    } finally {
      await db.destroy()
    }
  })
})

/** Of a connection that was closed while we wrote; anything else is a fault. */
const lost = (error: Error) => {
  const { code = '' } = error.cause as { readonly code?: string }
  if (['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET'].includes(code)) return 0
  throw error
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0

/** Writes `request` byte by byte from `from` on, until the other side has enough of it. */
function trickle(port: number, request: string, from: number) {
  const started = performance.now()
  const socket = dial(port, '127.0.0.1')
  return new Promise<{ answer: string; took_ms: number }>((resolve) => {
    const [chunks, rest]: [Buffer[], string[]] = [[], [...request.slice(from)]]
    socket.write(request.slice(0, from))
    const writing = setInterval(() => socket.write(rest.shift() ?? ''), 150)
    socket.on('data', (chunk) => chunks.push(chunk))
    socket.on('error', () => {})
    socket.on('close', () => {
      clearInterval(writing)
      const answer = Buffer.concat(chunks).toString()
      resolve({ answer, took_ms: performance.now() - started })
    })
  })
}
