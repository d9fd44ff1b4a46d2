/** Proposals of people who were trusted when they made them, and are not any more. */
import { expect } from 'chai'
import { approveAndCarryOut } from '../services/proposals/carry_out.ts'
import { uuidOf } from '../services/ids.ts'
import { expectProblem, unchanged } from './support/abuse.ts'
import { call, newSubject, tokenOf, type Who } from './support/api.ts'
import { account, balance, move, unit } from './support/bulk.ts'
import { OPERATOR } from './support/people.ts'
import { approve, logged, otto } from './support/proposals.ts'
import { world } from './support/world.ts'

const BULK = '/v1/ledger/bulk'

describe('a proposal of somebody who lost their rights since', () => {
  const proposedBy = async (who: Who) => {
    const [bank, wallet] = [await account('bank'), await account()]
    const body = { mode: 'atomic', units: [unit([move(bank, wallet, '10')])] }
    const { body: proposal } = await call(who, 'POST', BULK, { body })
    return { id: proposal.id as string, wallet }
  }
  const revoke = async ({ sub }: Who) => {
    const revoked = await call(OPERATOR, 'POST', '/v1/revocations', { body: { subject: sub } })
    expect(revoked.status, revoked.text).to.equal(204)
  }

  it('is not done: whoever agrees is told, and it is over', async () => {
    const maker = { sub: newSubject('maker'), scope: 'operator' }
    const { id, wallet } = await proposedBy(maker)
    await revoke(maker)
    const except = ['claims', 'proposals'] as const
    const done = await unchanged(() => approve(id), { except })
    expect(done.body.state, done.text).to.equal('failed')
    expect(done.body.result.body).to.deep.include({ status: 409, code: 'proposer_revoked' })
    expect(await balance(wallet)).to.equal(0n)
    expect(await logged(id)).to.include('proposal_failed operator otto')
    expectProblem(await approve(id, { ...OPERATOR, sub: 'x' }), 409, 'proposal_decided')
  })

  it('is done where they lost them before they made it', async () => {
    const maker = { sub: newSubject('maker'), scope: 'operator' }
    const { owner, config } = await world()
    const before = { revoked_before: new Date(Date.now() - 60_000), revoked_by: OPERATOR.sub }
    const { issuer } = config.TOKEN_ISSUERS[0]
    await owner('revocations').insert({ issuer, subject: maker.sub, ...before })
    const { id, wallet } = await proposedBy(maker)
    expect((await approve(id)).body.state).to.equal('approved')
    expect(await balance(wallet)).to.equal(10n)
  })

  it('is not done once their issuer may not make operators any more', async () => {
    const { id, wallet } = await proposedBy(OPERATOR)
    const { api, routes } = await world()
    const [first] = api.config.TOKEN_ISSUERS
    const config = { ...api.config, TOKEN_ISSUERS: [{ ...first, scopes: ['person'] }] } as const
    const later = { ...api, config: config as unknown as typeof api.config }
    const done = await approveAndCarryOut(later, routes.endpoints, uuidOf(id), otto)
    expect([done.state, done.result?.status]).to.deep.equal(['failed', 409])
    expect(await balance(wallet)).to.equal(0n)
  })

  it('is not agreed to by somebody who lost them either', async () => {
    const { id, wallet } = await proposedBy(OPERATOR)
    const checker = { sub: newSubject('checker'), scope: 'operator' }
    await tokenOf(checker)
    await revoke(checker)
    expectProblem(await unchanged(() => approve(id, checker)), 401, 'invalid_token')
    expect((await approve(id)).body.state).to.equal('approved')
    expect(await balance(wallet)).to.equal(10n)
  })

  it('is not agreed to by its maker under a name that the configuration has changed', async () => {
    const { id } = await proposedBy(OPERATOR)
    const { api, routes } = await world()
    const [{ issuer }] = api.config.TOKEN_ISSUERS
    const renamed = {
      ...{ ...otto, subject: `${issuer} ${OPERATOR.sub}` },
      session: { issuer, subject: OPERATOR.sub, jti: 'test' },
    }
    const alone = approveAndCarryOut(api, routes.endpoints, uuidOf(id), renamed)
    const code = await alone.catch((error: { code?: string }) => error.code)
    expect(code).to.equal('second_person_required')
  })
})
