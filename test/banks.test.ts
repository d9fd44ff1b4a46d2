/** The registry of banks, what operators close in it, and what that does to people's money. */
import { expect } from 'chai'
import type { Direction } from '../adapters/adapter.ts'
import { WAY_REFUSALS } from '../services/banks/refusals.ts'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { closeContext, openContext } from '../services/context.ts'
import { openBanks } from '../adapters/index.ts'
import { noteHealth } from '../services/banks/health.ts'
import { registeredBank } from '../services/banks/registry.ts'
import { readConfig } from '../services/config.ts'
import { openLog } from '../services/log.ts'
import { openMetrics } from '../services/metrics.ts'
import { expectProblem, unchanged } from './support/abuse.ts'
import { call } from './support/api.ts'
import { linkedAccount, OPERATOR, person, PIN } from './support/people.ts'
import { world } from './support/world.ts'

const EXAMPLE = new URL('../docs/banks.example.json', import.meta.url)

const topUp = async (bank: string) => {
  const ada = await person()
  const body = { amount: '1000', currency: 'EUR', approval: { pin: PIN } }
  const bank_account = await linkedAccount(ada, bank)
  return {
    ada,
    bank_account,
    ask: () => call(ada, 'POST', '/v1/top_ups', { body: { ...body, bank_account } }),
  }
}

const close = (bank: string, more: object = {}) =>
  call(OPERATOR, 'POST', `/v1/banks/${bank}/outages`, { body: { reason: 'A test', ...more } })
const reopen = (id: string) => call(OPERATOR, 'POST', `/v1/bank_outages/${id}/end`)

describe('the registry of banks', () => {
  it('may be a file, and the one in the documentation can be meant', async () => {
    const { environment } = await world()
    const { BANKS } = readConfig({ ...environment, BANKS: `@${fileURLToPath(EXAMPLE)}` })
    const adapters = openBanks(BANKS)
    expect([...adapters.keys()]).to.deep.equal(['aurora', 'meridian', 'polar'])
    const rails = BANKS.map((one) => {
      const { capabilities } = adapters.get(one.name) ?? expect.fail('no adapter')
      return registeredBank(one, capabilities).rails.length
    })
    expect(rails).to.deep.equal([3, 1, 2])
  })

  it('says every fault of an entry at once', async () => {
    const { environment } = await world()
    const [aurora] = JSON.parse(readFileSync(EXAMPLE, 'utf8'))
    const wrong = {
      ...aurora,
      country: 'Holland',
      priority: 0,
      maintenance: [{ from: 'now', to: 'then' }],
    }
    const rails = [
      { rail: 'sepa', directions: ['both'] },
      { rail: 'x y', directions: ['debit'], banks: [] },
    ]
    const read = () => readConfig({ ...environment, BANKS: JSON.stringify([{ ...wrong, rails }]) })
    expect(read).to.throw(
      /country[^]*priority[^]*rails\.0\.directions[^]*rails\.1\.rail[^]*maintenance/,
    )
    expect(() => readConfig({ ...environment, BANKS: '@/nowhere/banks.json' })).to.throw(
      /cannot be read/,
    )
  })

  it('is shown: to operators with rails and reasons, to people by name', async () => {
    const ada = await person()
    const { body } = await call(ada, 'GET', '/v1/banks')
    expect(body.data[0]).to.deep.equal({
      ...{ name: 'north', title: 'north', country: null, currencies: ['EUR'], works: true },
    })
    const full = await call(OPERATOR, 'GET', '/v1/banks/north')
    expect(full.body.rails[0]).to.include({ rail: 'internal', priority: 100 })
    expectProblem(await call(OPERATOR, 'GET', '/v1/banks/nowhere'), 404, 'not_found')
  })
})

describe('a bank that operators have closed', () => {
  it('is not told of anything, and nobody’s money moves; then it is as before', async () => {
    const { bank_account, ask } = await topUp('south')
    const { body: outage } = await close('south')
    await unchanged(async () => {
      const refused = await ask()
      expectProblem(refused, 503, 'bank_closed')
      expect(refused.headers.get('retry-after')).to.equal('60')
    })
    const query = `bank_account=${bank_account}&direction=debit&amount=1000&currency=EUR`
    const why = await call(OPERATOR, 'GET', `/v1/bank_routes?${query}`)
    expect(why.body.bank).to.equal(null)
    const south = why.body.considered.find(({ bank }: { bank: string }) => bank === 'south')
    expect(south).to.include({ verdict: 'outage', sentence: 'Operators have closed it for now' })
    expect((await reopen(outage.id)).status).to.equal(200)
    expect((await ask()).status).to.equal(202)
    expectProblem(await reopen(outage.id), 404, 'not_found')
  })

  it('is closed in other processes too, within the age of rules', async () => {
    const { config } = await world()
    const other = openContext({
      ...{ config, role: 'florin_api', log: openLog({ level: 'silent', name: 'other' }) },
      metrics: openMetrics('other'),
    })
    try {
      const isClosed = async () =>
        (await other.outages.at(new Date())).some(
          ({ bank, rail }) => bank === 'east' && rail === 'xx',
        )
      expect(await isClosed()).to.equal(false)
      const { body: outage } = await close('east', { rail: 'xx' })
      await new Promise((resolve) => setTimeout(resolve, config.RULES_AGE_MS + 50))
      await isClosed()
      expect(await isClosed()).to.equal(true)
      await reopen(outage.id)
    } finally {
      await closeContext(other)
    }
  })

  it('is closed by what workers find, for a while', async () => {
    const { api, worker } = await world()
    const { ask } = await topUp('south')
    const now = new Date()
    await noteHealth(worker.db, 'south', 'open', { now, pause_ms: 60_000 })
    api.bankHealth.changed()
    expectProblem(await ask(), 503, 'bank_closed')
    await noteHealth(worker.db, 'south', 'closed', { now, pause_ms: 60_000 })
    api.bankHealth.changed()
    expect((await ask()).status).to.equal(202)
  })

  it('ends after it began, or is refused', async () => {
    const [from, to] = ['2099-01-02T00:00:00Z', '2099-01-01T00:00:00Z']
    expectProblem(await close('north', { from, to }), 400, 'invalid_request')
    expectProblem(await close('nowhere'), 404, 'not_found')
  })
})

describe('a call that money leaves by', () => {
  const WAYS: Readonly<Record<string, Direction>> = {
    '/v1/payments': 'debit',
    '/v1/top_ups': 'debit',
    '/v1/withdrawals': 'credit',
    '/v1/settlements': 'credit',
    '/v1/reviews/{id}/release': 'debit',
  }
  for (const [path, direction] of Object.entries(WAYS)) {
    it(`says why no bank may take it: ${path}`, async () => {
      const { apiUrl } = await world()
      const document = (await (await fetch(`${apiUrl}/openapi.json`)).json()) as {
        readonly paths: Record<string, { readonly post: { readonly responses: object } }>
      }
      const said = JSON.stringify(document.paths[path]?.post.responses)
      for (const code of WAY_REFUSALS[direction]) expect(said).to.contain(code)
    })
  }
})
