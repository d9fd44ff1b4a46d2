/** Tokens that are bound to a key: stolen without it, they open nothing. */
import { expect } from 'chai'
import { publicId } from '../services/ids.ts'
import { connect, newId } from '../ledger/index.ts'
import { problemOfError } from '../services/http/problems.ts'
import { openUsedProofs, sweepProofs } from '../services/credentials/proofs.ts'
import { expectProblem, quiet, send, statusesOf, times, unchanged } from './support/abuse.ts'
import { inSeconds, type SecondApi, startApi, withSecondApi } from './support/abuse-issuer.ts'
import { call, newSubject } from './support/api.ts'
import { type Device, newDevice, type ProofChanges } from './support/dpop.ts'
import { person, PIN } from './support/people.ts'
import { world } from './support/world.ts'

const PATH = '/v1/accounts'
const PUBLIC_URL = 'https://pay.example/florin'

describe('a token that is bound to a key', () => {
  let second: SecondApi
  let device: Device
  let token: string
  before(quiet)
  withSecondApi(
    (api) => (second = api),
    () => ({ PUBLIC_URL: `${PUBLIC_URL}/` }),
  )
  before(async () => {
    device = await newDevice()
    token = await second.mint({ claims: { cnf: { jkt: device.jkt } } })
    await ask(await device.proof('GET', PUBLIC_URL + PATH, token))
  })

  const ask = (proof: string | undefined, { scheme = 'DPoP', of = token, path = PATH } = {}) =>
    send(undefined, 'GET', path, {
      apiUrl: second.apiUrl,
      headers: { authorization: `${scheme} ${of}`, ...(proof !== undefined && { dpop: proof }) },
    })
  const proof = (changes?: ProofChanges, by = device) =>
    by.proof('GET', PUBLIC_URL + PATH, token, changes)
  const refused = async (answer: ReturnType<typeof ask>) => {
    const { headers, ...rest } = await answer
    expectProblem({ headers, ...rest }, 401, 'invalid_dpop_proof')
    expect(headers.get('www-authenticate')).to.match(/^DPoP error="invalid_dpop_proof"/)
  }

  it('opens the door with a proof of the key, for exactly this request', async () => {
    expect((await ask(await proof())).status).to.equal(200)
    const withQuery = { claims: { htu: `HTTPS://PAY.example:443/florin${PATH}?x=1#y` } }
    expect((await ask(await proof(withQuery))).status).to.equal(200)
    const asked = await ask(await proof(), { path: `${PATH}?limit=1` })
    expect(asked.status).to.equal(200)
    for (const iat of [inSeconds(-55), inSeconds(55)]) {
      expect((await ask(await proof({ claims: { iat } }))).status).to.equal(200)
    }
  })

  it('may be bound to an Ed25519 key', async () => {
    const other = await newDevice('EdDSA')
    const bound = await second.mint({ claims: { cnf: { jkt: other.jkt } } })
    const own = await other.proof('GET', PUBLIC_URL + PATH, bound)
    expect((await ask(own, { of: bound })).status).to.equal(200)
  })

  it('opens nothing on another device, or as a bearer token (abuse 6)', async () => {
    const thief = await newDevice()
    await unchanged(async () => {
      await refused(ask(undefined))
      await refused(ask(undefined, { scheme: 'Bearer' }))
      await refused(ask(await proof(), { scheme: 'Bearer' }))
      await refused(ask(await proof({}, thief)))
      await refused(ask(await proof({ header: { jwk: device.jwk } }, thief)))
      await refused(ask(token))
      await refused(ask('x'.repeat(3_000)))
    })
  })

  it('opens nothing with a proof that was used (abuse 7)', async () => {
    const used = await proof()
    const answers = await Promise.all(times(50, () => ask(used)))
    expect(statusesOf(answers).filter((status) => status === 200)).to.have.length(1)
    await refused(ask(used))
  })

  it('opens nothing with a proof that was used in another process (abuse 7)', async () => {
    const [{ apiUrl, tokenUrl }, third] = [await world(), await startApi(() => ({}))]
    // The sandbox's identity provider binds a token to who asks for it with a proof.
    const asked = await fetch(tokenUrl, {
      ...{ method: 'POST', body: JSON.stringify({ sub: newSubject(), scope: 'person' }) },
      headers: { dpop: await device.proof('POST', tokenUrl, undefined) },
    })
    const { access_token: of, token_type } = (await asked.json()) as Record<string, string>
    expect(token_type).to.equal('DPoP')
    const dpop = await device.proof('GET', apiUrl + PATH, of)
    const headers = { authorization: `DPoP ${of}`, dpop }
    const urls = times(20, (n) => (n % 2 === 0 ? apiUrl : third.apiUrl))
    const answers = await Promise.all(
      urls.map((url) => send(undefined, 'GET', PATH, { headers, apiUrl: url })),
    )
    await third.stop()
    expect(statusesOf(answers)).to.deep.equal([200, ...times(19, () => 401)])
  })

  it('is not minted for who shows a wrong proof', async () => {
    const { tokenUrl } = await world()
    for (const dpop of ['x', await device.proof('GET', tokenUrl, undefined)]) {
      const body = JSON.stringify({ sub: newSubject(), scope: 'person' })
      const asked = await fetch(tokenUrl, { method: 'POST', body, headers: { dpop } })
      expect([asked.status, await asked.json()]).to.deep.equal([
        400,
        { error: 'invalid_dpop_proof' },
      ])
    }
  })

  const WRONG: Readonly<Record<string, () => ProofChanges>> = {
    'of another method': () => ({ claims: { htm: 'POST' } }),
    'of another place': () => ({ claims: { htu: `${PUBLIC_URL}/v1/payments` } }),
    'of another host': () => ({ claims: { htu: `https://evil.example/florin${PATH}` } }),
    'of the place that only the proxy knows': () => ({ claims: { htu: second.apiUrl + PATH } }),
    'of no place': () => ({ claims: { htu: undefined } }),
    'of another token': () => ({ claims: { ath: 'x'.repeat(43) } }),
    'of no token': () => ({ claims: { ath: undefined } }),
    'five minutes old': () => ({ claims: { iat: inSeconds(-300) } }),
    '62 seconds old': () => ({ claims: { iat: inSeconds(-62) } }),
    '62 seconds from now': () => ({ claims: { iat: inSeconds(62) } }),
    'of no time': () => ({ claims: { iat: undefined } }),
    'without an id': () => ({ claims: { jti: undefined } }),
    'with an empty id': () => ({ claims: { jti: '' } }),
    'of another type': () => ({ header: { typ: 'at+jwt' } }),
    'without its key': () => ({ header: { jwk: undefined } }),
    'with the private key': () => ({ header: { jwk: device.privateJwk } }),
    'that says where its key is': () => ({ header: { jku: 'http://127.0.0.1:1/' } }),
    'with a certificate': () => ({ header: { x5c: ['MIIB'] } }),
  }
  for (const [fault, changes] of Object.entries(WRONG)) {
    it(`opens nothing with a proof ${fault} (abuse 7)`, async () => {
      await unchanged(async () => refused(ask(await proof(changes()))))
    })
  }

  it('that is not bound is no use under the other name', async () => {
    const free = await second.mint()
    expectProblem(await ask(await proof(), { of: free }), 401, 'invalid_token')
    expect((await ask(undefined, { of: free, scheme: 'Bearer' })).status).to.equal(200)
  })

  it('costs its owner no attempt at the PIN when somebody else has it (abuse 11)', async () => {
    const ada = await person()
    const { owner } = await world()
    const bound = await second.mint({ claims: { sub: ada.sub, cnf: { jkt: device.jkt } } })
    const bytes = JSON.stringify({ pin: '274952', current_pin: '999999' })
    for (const scheme of ['Bearer', 'DPoP']) {
      const headers = { authorization: `${scheme} ${bound}` }
      const options = { bytes, headers, apiUrl: second.apiUrl }
      const answer = await send(undefined, 'PUT', '/v1/pin', options)
      expectProblem(answer, 401, 'invalid_dpop_proof')
    }
    const pins = await owner('pins').where({ person_id: ada.id }).first()
    expect([pins.failed, pins.locked_until]).to.deep.equal([0, null])
    const body = { pin: '274952', current_pin: PIN }
    expect((await call(ada, 'PUT', '/v1/pin', { body })).status).to.equal(204)
  })
})

describe('where tokens must be bound', () => {
  let second: SecondApi
  withSecondApi(
    (api) => (second = api),
    () => ({ DPOP: 'required' }),
  )

  it('a person’s that is not opens nothing, and everybody else’s does', async () => {
    const statusOf = async (scope: string, path: string) => {
      const headers = { authorization: `Bearer ${await second.mint({ claims: { scope } })}` }
      return (await send(undefined, 'GET', path, { headers, apiUrl: second.apiUrl })).status
    }
    expect(await statusOf('person', PATH)).to.equal(401)
    expect(await statusOf('operator', PATH)).to.equal(200)
    expect(await statusOf('chat', `/v1/payments/${publicId('pay', newId())}`)).to.equal(404)
  })
})

describe('used proofs', () => {
  it('that cannot be looked up are not believed', async () => {
    const url = 'postgres://nobody@127.0.0.1:1/nothing'
    const db = connect({ url, connectionsMax: 1, applicationName: 'test' })
    const proof = { id: Buffer.alloc(32), thumbprint: 'x' }
    const error: unknown = await openUsedProofs(db)
      .use(proof, new Date())
      .catch((thrown: unknown) => thrown)
    expect(problemOfError(error)?.status).to.equal(503)
    await db.destroy()
  })

  it('are kept for as long as they could be used again, and no longer', async () => {
    const { owner, worker } = await world()
    const now = Date.now()
    const ages_s = [200, 131, 125, 60, 0]
    const proofs = ages_s.map((age_s) => ({
      ...{ proof: crypto.getRandomValues(Buffer.alloc(32)), age_s },
      used_at: new Date(now - age_s * 1000),
    }))
    await owner('dpop_proofs').insert(proofs.map(({ proof, used_at }) => ({ proof, used_at })))
    expect(await sweepProofs(worker)).to.be.greaterThan(1)
    const left: Buffer[] = await owner('dpop_proofs').pluck('proof')
    const kept = proofs.filter(({ proof }) => left.some((one) => one.equals(proof)))
    expect(kept.map(({ age_s }) => age_s)).to.deep.equal([125, 60, 0])
  })
})
