/**
 * A hundred requests that nobody should send (more with REQUESTS, others with SEED), and what many
 * more have found: see `npm run torture -- --scenario input`.
 */
import { expect } from 'chai'
import { expectProblem, overSocket, quiet, send } from './support/abuse.ts'
import { call, newKey, tokenOf } from './support/api.ts'
import { OPERATOR, person } from './support/people.ts'
import { randomOf } from './support/random.ts'
import { startDelivering } from './support/webhooks.ts'
import { BANK_SECRET, world } from './support/world.ts'
import { type Json, readDocument } from './torture/input/document.ts'
import { sendBadInput } from './torture/input/input.ts'
import { openRequests } from './torture/input/kinds.ts'
import type { Bad } from './torture/input/requests.ts'
import { missingKinds } from './torture/input/stage.ts'
import { diceOf, openValues } from './torture/input/values.ts'

const SEED = Number(process.env['SEED'] ?? 4)
const REQUESTS = Number(process.env['REQUESTS'] ?? 100)
/** Written down here too: a kind that the document no longer names would be missed by nobody. */
const KINDS_THERE = [
  ...['acc', 'bac', 'dev', 'dsp', 'exc', 'fee', 'fxq', 'inc', 'ins', 'key', 'lim', 'mer', 'ord'],
  ...['out', 'pay', 'per', 'prp', 'rci', 'rcn', 'rev', 'rfd', 'rsk', 'set', 'stf', 'sur'],
  ...['whd', 'whe', 'rsv', 'rcl'],
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
    const { offences, answers, kinds_there } = figures
    expect(offences, offences.join('\n')).to.deep.equal([])
    expect(Object.keys(answers)).to.have.length(8)
    // One of each kind that is named in a path, so that a look at it would be a look at something.
    expect(KINDS_THERE.filter((kind) => !kinds_there.includes(kind))).to.deep.equal([])
  })

  it('is nothing where the stage lacks a kind that some path names', async () => {
    const document = await readDocument((await world()).apiUrl)
    const there = new Map<string, readonly string[]>(KINDS_THERE.map((kind) => [kind, [kind]]))
    expect(missingKinds(document, there)).to.deep.equal([])
    there.delete('rfd')
    there.set('dsp', [])
    expect(missingKinds(document, there)).to.have.members(['dsp', 'rfd'])
  })

  it('is about what is there in a third of it, and in order where it is others’', async () => {
    const { apiUrl } = await world()
    const document = await readDocument(apiUrl)
    const dice = diceOf(randomOf(SEED))
    const values = openValues(document, dice, SEED)
    const { bad } = openRequests({ document, values, dice, newKey })
    const theirs = new Map(KINDS_THERE.map((kind) => [kind, [`${kind}_0${'1'.repeat(25)}`]]))
    const over = new Map([['POST /v1/payments/{id}/refunds', [`pay_0${'2'.repeat(25)}`]]])
    const tokens = { person: TOKEN, merchant: TOKEN, operator: TOKEN, chat: TOKEN }
    const owners = { person: TOKEN, merchant: TOKEN, operator: TOKEN }
    const banks = [{ name: 'north', secret: BANK_SECRET }]
    const cast = { tokens, owners, theirs, over, banks }
    const made = Array.from({ length: 2_000 }, () => bad(cast))
    const spoilt = made.filter(({ kind }) => ['field', 'money', 'unicode'].includes(kind))
    const there = spoilt.filter(({ about }) => about !== 'nothing')
    expect(there.length / spoilt.length).to.be.within(0.33, 0.65)
    // What would be done must be refused for its body.
    const done = there.filter(({ about, method }) => about === 'theirs' && method !== 'GET')
    expect(done.length).to.be.greaterThan(100)
    expect(done.filter((one) => document.allows(one.operation, jsonOf(one)))).to.deep.equal([])
    const others = made.filter(({ kind, body }) => kind === 'owner' && body !== undefined)
    const whole = others.filter((one) => document.allows(one.operation, jsonOf(one)))
    expect(whole.length / others.length, `of ${others.length}`).to.be.at.least(0.5)
    const ended = there.filter(({ target }) => target.includes(`pay_0${'2'.repeat(25)}`))
    expect(ended.map(({ about }) => about)).to.include('over')
  })
})

/** Of nobody: what is made of it is never sent. */
const TOKEN = 'e30.e30.AAAA'
const jsonOf = ({ body }: Bad) => JSON.parse(body?.toString() ?? 'null') as Json

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
