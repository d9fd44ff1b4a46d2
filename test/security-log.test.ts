/** The security log: a row for everything somebody may have to answer for, never changed. */
import { expect } from 'chai'
import { publicId } from '../services/ids.ts'
import { recordSecurity } from '../services/security/log.ts'
import { openWatch } from '../services/security/watch.ts'
import { expectProblem, send, times } from './support/abuse.ts'
import { withAnotherApi } from './support/another-api.ts'
import { call, newSubject, type Who } from './support/api.ts'
import { OPERATOR, payment, person } from './support/people.ts'
import { world } from './support/world.ts'

const logOf = async (query: string) => {
  const { status, text, body } = await call(OPERATOR, 'GET', `/v1/security_log?${query}`)
  expect(status, text).to.equal(200)
  return body.data as {
    id: string
    kind: string
    actor: string
    times: number
    request_id: string
    address: string
    detail: Record<string, unknown>
  }[]
}

const rowsSince = async (started: Date, kind: string) => {
  const { owner } = await world()
  return owner('security_log').where({ kind }).where('at', '>=', started)
}

describe('the security log', () => {
  it('has a row for each refused token: its request, not its address (abuse 1)', async () => {
    const started = new Date()
    const wrong = { authorization: 'Bearer not.a.token' }
    const answers = await Promise.all(
      times(25, () => send(undefined, 'GET', '/v1/accounts', { headers: wrong })),
    )
    for (const answer of answers) expectProblem(answer, 401, 'invalid_token')
    const requests = answers.map(({ headers }) => headers.get('x-request-id'))
    // What an earlier flood left to be counted may be written down meanwhile.
    const all = await rowsSince(started, 'auth_failed')
    const rows = all.filter((row) => requests.includes(row.request_id))
    expect(rows).to.have.length(25)
    expect(rows.map(({ request_id }) => request_id)).to.have.members(requests)
    for (const row of rows) {
      expect(row.times).to.equal(1)
      expect(row.address).to.have.length(16)
      expect(JSON.stringify(row)).not.to.contain('127.0.0.1')
      expect(row.detail).to.deep.equal({
        ...{ code: 'invalid_token', method: 'GET', route: '/v1/accounts' },
      })
    }
  })

  it('has one row for each call that is not allowed, and says whose', async () => {
    const ada = await person()
    const tries = await Promise.all(times(7, () => call(ada, 'GET', '/v1/security_log')))
    for (const answer of tries) expectProblem(answer, 403, 'forbidden')
    const actor = `token https://id.example ${ada.sub}`
    const query = `kind=forbidden&limit=100&actor=${encodeURIComponent(actor)}`
    const rows = await logOf(query)
    expect(rows).to.have.length(7)
    // By a hash: the log outlives the person's erasure. Whoever has that finds the same.
    expect(JSON.stringify(rows)).not.to.contain(ada.sub)
    const hidden = rows[0]?.actor ?? ''
    expect(hidden).to.match(/^token https:\/\/id\.example [0-9a-f]{32}$/)
    const same = await logOf(`kind=forbidden&limit=100&actor=${encodeURIComponent(hidden)}`)
    expect(same).to.deep.equal(rows)
  })

  it('has one row for each wrong PIN and each try while it is locked', async () => {
    const [ada, ben] = [await person(10_000n), await person()]
    for (const index of times(7, (one) => one)) {
      const body = payment(ben, '5000', { approval: { pin: `93847${index}` } })
      const { status } = await call(ada, 'POST', '/v1/payments', { body })
      expect(status).to.equal(index < 5 ? 401 : 423)
    }
    const actor = `actor=${publicId('per', ada.id)}`
    const codes = (await logOf(`kind=pin_refused&${actor}`)).map(({ detail }) => detail['code'])
    const [locked, wrong] = [times(2, () => 'pin_locked'), times(5, () => 'approval_refused')]
    expect(codes).to.deep.equal([...locked, ...wrong])
    expect(await logOf(`kind=pin_locked&${actor}`)).to.have.length(1)
    expect(JSON.stringify(await logOf(actor))).not.to.contain('938470')
  })

  it('is not written by what is allowed', async () => {
    const [ada, ben] = [await person(10_000n), await person()]
    await call(ada, 'POST', '/v1/payments', { body: payment(ben, '100') })
    const rows = await logOf(`actor=${publicId('per', ada.id)}`)
    expect(rows.map(({ kind }) => kind)).to.deep.equal(['pin_set'])
  })

  it('counts what a flood brings beside its rows, and loses none of it', async () => {
    const limits = { SECURITY_LOG_PER_ADDRESS: 10, SECURITY_LOG_PER_MINUTE: 15 }
    // From an address of its own: nothing else that is written down meanwhile is of it.
    const settings = { ...limits, TRUSTED_PROXIES: 1 }
    const from = { 'x-forwarded-for': '203.0.113.77' }
    const ours = async () => {
      const rows = await rowsSince(started, 'auth_failed')
      const hidden = rows.find((row) => requests.has(row.request_id))?.address
      return rows.filter(({ address }) => hidden?.equals(address) === true)
    }
    const requests = new Set<string>()
    const started = new Date()
    const flood = async ({ apiUrl }: { readonly apiUrl: string }) => {
      const wrong = { headers: { authorization: 'Bearer no', ...from }, apiUrl }
      const all = times(200, () => send(undefined, 'GET', '/v1/accounts', wrong))
      for (const { headers } of await Promise.all(all)) {
        requests.add(headers.get('x-request-id') ?? '')
      }
      expect(await ours()).to.have.length(10)
    }
    // In a minute that does not end.
    await withAnotherApi(settings, flood, () => started)
    const rows = await ours()
    expect(rows).to.have.length(11)
    expect(rows.reduce((sum, row) => sum + row.times, 0)).to.equal(200)
  })

  it('is read by operators, page by page, newest first', async () => {
    const { api } = await world()
    const subject = newSubject()
    for (const kind of ['device_bound', 'totp_enrolled', 'device_revoked'] as const) {
      await recordSecurity(api, { kind, actor: `operator ${OPERATOR.sub}`, subject })
    }
    const first = await call(OPERATOR, 'GET', `/v1/security_log?subject=${subject}&limit=2`)
    const kinds = first.body.data.map(({ kind }: { kind: string }) => kind)
    expect(kinds).to.deep.equal(['device_revoked', 'totp_enrolled'])
    const next = `subject=${subject}&cursor=${first.body.next_cursor}`
    expect((await logOf(next)).map(({ kind }) => kind)).to.deep.equal(['device_bound'])
    expect(await logOf(`subject=${subject}&kind=totp_enrolled`)).to.have.length(1)
    const others: Who[] = [await person(), { sub: 'chat', scope: 'chat' }]
    for (const who of others) {
      expectProblem(await call(who, 'GET', '/v1/security_log'), 403, 'forbidden')
    }
    const odd = await call(OPERATOR, 'GET', '/v1/security_log?kind=odd')
    expectProblem(odd, 400, 'invalid_request')
  })

  it('is written together with what it tells of, or neither is', async () => {
    const { api } = await world()
    const subject = newSubject()
    const broken = api.db.transaction(async (trx) => {
      await recordSecurity({ ...api, db: trx }, { kind: 'device_bound', subject })
      throw new Error('changed my mind')
    })
    expect(await broken.catch((error: Error) => error.message)).to.equal('changed my mind')
    expect(await logOf(`subject=${subject}`)).to.deep.equal([])
  })

  it('cannot be changed by anybody, the owner of the table included', async () => {
    const { api, worker, owner } = await world()
    for (const statement of [
      "UPDATE security_log SET kind = 'x'",
      'DELETE FROM security_log',
      'TRUNCATE security_log',
    ]) {
      const constraintOf = (error: { constraint?: string }) => error.constraint
      expect(await owner.raw(statement).catch(constraintOf)).to.equal('append_only')
      for (const { db } of [api, worker]) {
        const sqlStateOf = (error: { code?: string }) => error.code
        expect(await db.raw(statement).catch(sqlStateOf), statement).to.equal('42501')
      }
    }
  })
})

describe('what a flood may write', () => {
  const at = new Date('2026-07-01T00:00:10Z')
  const watchOf = (perAddress: number, inAll: number) =>
    openWatch({ secret: Buffer.alloc(32, 1), perAddress, inAll })
  const admitted = (watch: ReturnType<typeof watchOf>, count: number, address: string) =>
    times(count, () => watch.admit('auth_failed', address, at)).filter(Boolean).length

  it('is bounded for each address, and for all of them together', () => {
    const watch = watchOf(3, 7)
    const rows = ['a', 'b', 'c', 'd'].map((address) => admitted(watch, 10, address))
    expect(rows).to.deep.equal([3, 3, 1, 0])
    const counted = watch.take()
    expect(counted).to.deep.equal([
      { kind: 'auth_failed', address: 'a', times: 7 },
      { kind: 'auth_failed', address: 'b', times: 7 },
      { kind: 'auth_failed', address: 'c', times: 9 },
      { kind: 'auth_failed', address: undefined, times: 10 },
    ])
    expect(watch.take()).to.deep.equal([])
  })

  it('begins again with the next minute', () => {
    const watch = watchOf(1, 1)
    expect(admitted(watch, 2, 'a')).to.equal(1)
    expect(watch.admit('auth_failed', 'a', new Date(at.getTime() + 60_000))).to.equal(true)
  })

  it('hides an address from whoever has no key', () => {
    const other = openWatch({ secret: Buffer.alloc(32, 2), perAddress: 1, inAll: 1 })
    const watch = watchOf(1, 1)
    expect(watch.hashOf('10.0.0.1')).to.deep.equal(watch.hashOf('10.0.0.1'))
    expect(watch.hashOf('10.0.0.1')).not.to.deep.equal(watch.hashOf('10.0.0.2'))
    expect(watch.hashOf('10.0.0.1')).not.to.deep.equal(other.hashOf('10.0.0.1'))
  })

  it('hides the subject of a token alike, and no other name', () => {
    const other = openWatch({ secret: Buffer.alloc(32, 2), perAddress: 1, inAll: 1 })
    const { nameOf } = watchOf(1, 1)
    const hidden = /^token https:\/\/a\.example [0-9a-f]{32}$/
    for (const subject of ['ada', 'ada b', 'ada\nb', ' ']) {
      expect(nameOf(`token https://a.example ${subject}`), subject).to.match(hidden)
    }
    const names = ['a', 'b'].map((issuer) => nameOf(`token ${issuer} ada`).split(' ').at(-1))
    expect(names[0]).not.to.equal(names[1])
    expect(nameOf('token a ada')).not.to.equal(other.nameOf('token a ada'))
    for (const name of ['operator olga', 'per_1', 'token', 'x token a ada']) {
      expect(nameOf(name)).to.equal(name)
    }
  })
})
