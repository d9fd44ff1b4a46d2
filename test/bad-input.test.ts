/**
 * A hundred requests that nobody should send (more with REQUESTS, others with SEED), and what many
 * more have found: see `npm run torture -- --scenario input`.
 */
import { expect } from 'chai'
import { expectProblem, overSocket, quiet, send } from './support/abuse.ts'
import { call, tokenOf } from './support/api.ts'
import { OPERATOR, person } from './support/people.ts'
import { startDelivering } from './support/webhooks.ts'
import { BANK_SECRET, world } from './support/world.ts'
import { sendBadInput } from './torture/input/input.ts'

const SEED = Number(process.env['SEED'] ?? 4)
const REQUESTS = Number(process.env['REQUESTS'] ?? 100)
/** Written down here too: a kind that the document no longer names would be missed by nobody. */
const KINDS_THERE = [
  ...['acc', 'bac', 'dev', 'dsp', 'exc', 'fee', 'fxq', 'inc', 'ins', 'key', 'lim', 'mer', 'ord'],
  ...['out', 'pay', 'per', 'prp', 'rci', 'rcn', 'rev', 'rfd', 'rsk', 'set', 'stf', 'sur'],
  ...['whd', 'whe', 'rsv'],
]

describe(`bad input (seed ${SEED})`, () => {
  it('is refused as documented, whatever it is, and changes nothing', async () => {
    const { apiUrl, owner } = await world()
    const stage = {
      ...{ apiUrl, db: owner, tokenOf: (sub: string, scope: string) => tokenOf({ sub, scope }) },
      banks: ['north', 'south'].map((name) => ({ name, secret: BANK_SECRET })),
      customers: [
        { number: 'T-0001', holder: 'Customer 1' },
        { number: 'T-0002', holder: 'Customer 2' },
      ] as const,
    }
    // Without a worker that delivers there is no delivery to ask for.
    const delivering = await startDelivering()
    const figures = await sendBadInput(stage, {
      ...{ seed: SEED, requests: REQUESTS, connections: 8, say: () => {} },
      between: quiet,
    })
    await delivering.stop()
    const { offences, answers, about, whole_bodies, kinds_there } = figures
    expect(offences, offences.join('\n')).to.deep.equal([])
    expect(Object.keys(answers)).to.have.length(8)
    // One of each kind that is named in a path, so that a look at it would be a look at something.
    expect(kinds_there).to.include.members(KINDS_THERE)
    expect(whole_bodies, 'bodies in order, about others’ things').to.be.at.least(0.5)
    const { nothing = 0, theirs = 0, over = 0 } = about['field'] ?? {}
    expect(theirs + over, 'about what is there').to.be.at.least(nothing * 0.5)
  })
})

describe('bad input, once found by it:', () => {
  it('an amount that is no number is refused, whatever it would be compared with', async () => {
    const bad = { floor: '1/3', cap: '0', percent: '1', fixed: '0', currency: 'EUR' }
    const steps = [{ up_to: 'NaN' }, { up_to: null }]
    const tiers = [{ kind: 'tiers', of: 'payment', mode: 'volume', steps }]
    const from = [{ kind: 'percent', percent: '1', when: { amount_from: '1e3', amount_to: '2' } }]
    const { floor: _floor, cap: _cap, percent: _percent, fixed: _fixed, ...rest } = bad
    for (const body of [bad, { ...rest, components: tiers }, { ...rest, components: from }]) {
      const answer = await call(OPERATOR, 'POST', '/v1/fee_schedules', { body })
      expectProblem(answer, 400, 'invalid_request')
    }
  })

  it('a key is not looked at where none is asked for', async () => {
    const headers = { 'idempotency-key': 'short' }
    expect((await call(await person(), 'GET', '/v1/accounts', { headers })).status).to.equal(200)
  })

  it('what else is expected of us is ignored, not answered with nothing', async () => {
    const head = ['GET /healthz HTTP/1.1', 'Host: x', 'Expect: wonders', 'Connection: close']
    expect(await overSocket(`${head.join('\r\n')}\r\n\r\n`)).to.match(/^HTTP\/1\.1 200 /)
  })

  it('that headers may be too large is documented', async () => {
    const headers = { 'x-long': 'y'.repeat(12_000) }
    const answer = await send(await person(), 'GET', '/v1/accounts', { headers })
    expectProblem(answer, 431, 'headers_too_large')
    expect(await refusalsOf('/v1/accounts', 'get', 431)).to.include('headers_too_large')
  })

  it('that a key may be none is documented also where none is asked for', async () => {
    const headers = { 'idempotency-key': 'short' }
    const answer = await call(await person(), 'PUT', '/v1/pin', {
      headers,
      body: { pin: '274951' },
    })
    expectProblem(answer, 400, 'idempotency_key_missing')
    expect(await refusalsOf('/v1/pin', 'put', 400)).to.include('idempotency_key_missing')
  })

  for (const [what, query] of Object.entries({
    owner: 'owner=%00',
    metadata: `metadata=${encodeURIComponent(JSON.stringify({ key: '\u0000' }))}`,
    'name of metadata': `metadata=${encodeURIComponent(JSON.stringify({ '\u0000': 'value' }))}`,
  })) {
    it(`a NUL in a filter is refused: ${what}`, async () => {
      const answer = await call(OPERATOR, 'GET', `/v1/ledger/accounts?${query}`)
      expectProblem(answer, 400, 'invalid_request')
    })
  }
})

/** What the document says of a status. */
async function refusalsOf(path: string, method: string, status: number): Promise<string> {
  const { apiUrl } = await world()
  const document = (await (await fetch(`${apiUrl}/openapi.json`)).json()) as {
    readonly paths: Record<string, Record<string, { readonly responses: Responses }>>
  }
  return document.paths[path]?.[method]?.responses[status]?.description ?? ''
}

type Responses = Readonly<Record<string, { readonly description: string }>>
