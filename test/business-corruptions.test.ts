/**
 * What proves the business, proven: a healthy one, and one corruption after another, each as
 * somebody with the owner's rights could make it, or a bug of ours. Each is found by the invariant
 * that it breaks, and every invariant finds one.
 */
import { expect } from 'chai'
import { audit } from '../ledger/index.ts'
import { auditBusiness, INVARIANTS } from '../services/audit/audit.ts'
import { times } from './support/abuse.ts'
import { call } from './support/api.ts'
import { type HealthyBusiness, openHealthyBusiness } from './support/healthy-business.ts'
import { mochaHooks } from './support/hooks.ts'
import { payment, person } from './support/people.ts'
import { BANK_PLANTS } from './support/plants/banks.ts'
import { PARTY_PLANTS } from './support/plants/parties.ts'
import { PAYMENT_PLANTS } from './support/plants/payments.ts'
import { world } from './support/world.ts'

const PLANTS = { ...BANK_PLANTS, ...PARTY_PLANTS, ...PAYMENT_PLANTS }

describe('the audit of the business', () => {
  let healthy: HealthyBusiness
  before(async () => (healthy = await openHealthyBusiness()))

  /** What does not hold once this has been done, which is then undone. */
  async function foundAfter(statements: readonly string[]): Promise<string[]> {
    const { owner } = await world()
    const trx = await owner.transaction()
    try {
      // No trigger fires, and no key is looked up.
      await trx.raw('SET LOCAL session_replication_role = replica')
      for (const statement of statements) {
        const named = statement.replaceAll(
          /(?<![:\w']):([a-z]+)/gi,
          (_, name: keyof HealthyBusiness) => `'${healthy[name]}'::uuid`,
        )
        const { rowCount } = await trx.raw(named)
        expect(rowCount === null || rowCount > 0, `nothing was planted by ${named}`).to.equal(true)
      }
      const found = await auditBusiness(trx, { isDrained: true })
      return found.map(({ invariant }) => invariant)
    } finally {
      await trx.rollback()
    }
  }

  it('finds nothing wrong where all went right', async () => {
    const { owner } = await world()
    const progress: string[] = []
    const onProgress = (invariant: string) => void progress.push(invariant)
    expect(await auditBusiness(owner, { isDrained: true, onProgress })).to.deep.equal([])
    expect(progress).to.deep.equal(INVARIANTS.map(({ name }) => name))
  })

  it('is shown a corruption of every invariant that it knows', () => {
    expect(Object.keys(PLANTS).sort()).to.deep.equal(INVARIANTS.map(({ name }) => name).sort())
    expect(Object.values(PLANTS).flat().length).to.be.greaterThan(100)
  })

  it('asks under load only what holds under load', async () => {
    const { owner } = await world()
    const trx = await owner.transaction()
    await trx.raw("UPDATE callbacks SET disposition = 'received'")
    const names = (await auditBusiness(trx)).map(({ invariant }) => invariant)
    await trx.rollback()
    expect(names).not.to.include('the_inbox_is_empty')
  })

  it('finds nothing wrong at any moment while people pay, nor in the books', async () => {
    const { owner } = await world()
    const ben = await person()
    const payers = await Promise.all(times(4, () => person(50_000n)))
    const over = new AbortController()
    let paid = 0
    const paying = payers.map(async (who) => {
      while (!over.signal.aborted) {
        const body = payment(ben, '1', { approval: undefined })
        const { status, text } = await call(who, 'POST', '/v1/payments', { body })
        expect(status, text).to.equal(201)
        paid += 1
      }
    })
    try {
      for (const _ of times(5, (round) => round)) {
        const before = paid
        expect((await audit(owner)).violations).to.deep.equal([])
        expect(await auditBusiness(owner)).to.deep.equal([])
        expect(paid, 'payments meanwhile').to.be.greaterThan(before)
      }
    } finally {
      over.abort()
      await Promise.all(paying)
    }
  })

  it('of the books is asked after each test, which fails for what it finds', async () => {
    const { owner } = await world()
    const { id } = (await owner('accounts').where('credits_posted', '>', 0).first('id')) ?? {}
    const add = (amount: number) =>
      owner.transaction(async (trx) => {
        await trx.raw('SET LOCAL session_replication_role = replica')
        expect(await trx('accounts').where({ id }).increment('credits_posted', amount)).to.equal(1)
      })
    await add(1)
    const found = await mochaHooks.afterEach().catch((error: Error) => error.message)
    await add(-1)
    expect(found).to.contain('the books after the test')
    expect(await mochaHooks.afterEach()).to.equal(undefined)
  })

  for (const [invariant, plants] of Object.entries(PLANTS)) {
    for (const [what, ...statements] of plants) {
      it(`finds that ${what}`, async () => {
        expect(await foundAfter(statements)).to.include(invariant)
      })
    }
  }
})
