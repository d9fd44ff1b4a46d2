/** What proves that a PIN may be set or changed must still do so when it is written. */
import { expect } from 'chai'
import { ServiceError } from '../services/errors.ts'
import { resetPin } from '../services/pins/pins.ts'
import { remove } from '../services/totp/totp.ts'
import { expectProblem, until, waitersFor } from './support/abuse.ts'
import { inSeconds } from './support/abuse-issuer.ts'
import { call } from './support/api.ts'
import { person, PIN } from './support/people.ts'
import { phone } from './support/phones.ts'
import { stateOf, verify } from './support/pins.ts'
import { codeAt, enrolled, forgetUse } from './support/totp.ts'
import { world } from './support/world.ts'

const NOTHING = { phoneNumber: undefined, birthdate: undefined }

describe('a PIN', () => {
  it('is not changed by a code alone just after a device was taken away', async () => {
    const { owner, api } = await world()
    const ben = await enrolled()
    const code = codeAt(ben.secret, new Date())
    const { id } = await phone(ben, { totp: code })
    expect((await call(ben, 'DELETE', `/v1/devices/${id}`)).status).to.equal(204)
    await forgetUse(ben)
    const body = { pin: '830462', totp: codeAt(ben.secret, new Date()) }
    const refused = await call(ben, 'POST', '/v1/pin/reset', { body })
    expectProblem(refused, 403, 'approval_required')
    expect((await verify(ben, PIN)).status).to.equal(204)
    const earlier = new Date(Date.now() - api.config.REDUCED_LIMITS_S * 1000 - 1)
    await owner('devices').where({ person_id: ben.id }).update({ revoked_at: earlier })
    expect((await call(ben, 'POST', '/v1/pin/reset', { body })).status).to.equal(204)
  })

  it('is not changed when what proved it is of no more use by then', async () => {
    const { api } = await world()
    const ben = await person()
    const gone = new ServiceError('approval_required')
    const asked = { pin: '830462', known: NOTHING }
    const late = resetPin(api, { person: ben.id, session: null }, asked, () => Promise.reject(gone))
    expect(await late.catch((error: unknown) => error)).to.equal(gone)
    expect((await verify(ben, PIN)).status).to.equal(204)
  })

  it('is not set by a token alone when it is taken away while that is asked', async () => {
    const { owner } = await world()
    const ada = await person()
    await phone(ada)
    const body = { pin: '830462' }
    // Whoever clears it has locked it, and is done only when the token has been believed.
    const answer = await owner.transaction(async (trx) => {
      await trx('pins').where({ person_id: ada.id }).update({ hash: null, pepper_kid: null })
      const asked = call(ada, 'PUT', '/v1/pin', { body })
      await until(async () => (await waitersFor(trx)) > 0)
      return { asked }
    })
    expectProblem(await answer.asked, 403, 'approval_required')
    expect((await stateOf(ada)).state).to.equal('unset')
  })
})

describe('an authenticator that is removed', () => {
  it('is locked after what may replace it, as when one is confirmed', async () => {
    const { owner, api } = await world()
    const ada = await enrolled()
    const mine = { person_id: ada.id }
    const session = { jti: 'test', issuedAt: inSeconds(60) }
    await owner('totp_enrolments').insert({
      ...{ ...mine, seed_sealed: Buffer.alloc(1), failed: 0 },
      expires_at: new Date(Date.now() + 60_000),
    })
    // Whoever confirms has locked the one and is about to lock the other.
    const { removed } = await owner.transaction(async (trx) => {
      await trx('totp_enrolments').where(mine).forUpdate().first()
      const removed = remove(api, { person: ada.id, session })
      await until(async () => (await waitersFor(trx)) > 0)
      await trx('totp').where(mine).forUpdate().noWait().first()
      return { removed }
    })
    await removed
    expect(await owner('totp').where(mine)).to.deep.equal([])
  })
})
