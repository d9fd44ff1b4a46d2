/** What proves that a PIN may be set or changed must still do so when it is written. */
import { expect } from 'chai'
import { ServiceError } from '../services/errors.ts'
import { publicId } from '../services/ids.ts'
import { checkPin } from '../services/pins/attempts.ts'
import { resetPin, setPin } from '../services/pins/pins.ts'
import { remove } from '../services/totp/totp.ts'
import { expectProblem, until, waitersFor } from './support/abuse.ts'
import { inSeconds } from './support/abuse-issuer.ts'
import { call } from './support/api.ts'
import { refusalOf } from './support/books.ts'
import { type Person, person, PIN } from './support/people.ts'
import { phone } from './support/phones.ts'
import { rowOf, stateOf, verify } from './support/pins.ts'
import { together } from './support/proposals.ts'
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

describe('a first PIN', () => {
  it('is refused where there is one, and lets whoever changes that go on', async () => {
    const { owner } = await world()
    const ada = await person()
    const { refused } = await owner.transaction(async (trx) => {
      await trx('pins').where({ person_id: ada.id }).update({ failed: 0 })
      let isRefused = false
      const refused = call(ada, 'PUT', '/v1/pin', { body: { pin: '830462' } })
      void refused.finally(() => (isRefused = true))
      await until(async () => isRefused || (await waitersFor(trx)) > 0)
      // Whoever changes it goes on to the person.
      await trx('people').where({ id: ada.id }).update({ security_changed_at: new Date() })
      return { refused }
    })
    expectProblem(await refused, 409, 'pin_already_set')
    expect((await verify(ada, PIN)).status).to.equal(204)
  })
})

describe('a change of PIN that is still being made', () => {
  /** Changes it, and lets the other come in between: the current one was right by then. */
  async function changeAround(ada: Person, other: () => Promise<unknown>): Promise<unknown> {
    const { api } = await world()
    const proofs = { alsoProve: async () => void (await other()), refuseOthers: async () => {} }
    const asked = { pin: '830462', known: NOTHING, current: PIN }
    return refusalOf(setPin(api, { person: ada.id, session: null }, asked, proofs))
  }
  const check = async ({ id }: Person, pin: string) =>
    refusalOf(checkPin((await world()).api, id, pin))

  it('does not undo a reset, or another change', async () => {
    const { api } = await world()
    const pin = '905274'
    const asked = { pin, known: NOTHING }
    const OTHERS = {
      reset: (who: Person) =>
        resetPin(api, { person: who.id, session: null }, asked, async () => {}),
      change: (who: Person) => call(who, 'PUT', '/v1/pin', { body: { pin, current_pin: PIN } }),
    }
    for (const [what, other] of Object.entries(OTHERS)) {
      const ada = await person()
      const told = await changeAround(ada, () => other(ada))
      expect(told, what).to.equal('approval_refused')
      expect(await check(ada, pin), what).to.equal('done')
    }
  })

  it('does not bring back one that was taken away', async () => {
    const ada = await person()
    const path = `/v1/people/${publicId('per', ada.id)}/pin/reset`
    const taken = () => together(path, { body: { reason: 'They forgot it' } })
    expect(await changeAround(ada, taken)).to.equal('pin_not_set')
    expect(await check(ada, '830462')).to.equal('pin_not_set')
    expect((await stateOf(ada)).state).to.equal('unset')
  })

  it('does not replace the one that was set in its place', async () => {
    const { owner, api } = await world()
    const ada = await person()
    const pin = '905274'
    const told = await changeAround(ada, async () => {
      await owner('pins').where({ person_id: ada.id }).update({ hash: null, pepper_kid: null })
      const proofs = { alsoProve: async () => {}, refuseOthers: async () => {} }
      const asked = { pin, known: NOTHING, current: undefined }
      await setPin(api, { person: ada.id, session: null }, asked, proofs)
    })
    expect(told).to.equal('approval_refused')
    expect(await check(ada, pin)).to.equal('done')
  })

  it('is made though the PIN was only hashed anew meanwhile', async () => {
    const { owner } = await world()
    const [ada, ben] = [await person(), await person()]
    const told = await changeAround(ada, async () => {
      const { hash, pepper_kid } = await rowOf(ben)
      await owner('pins').where({ person_id: ada.id }).update({ hash, pepper_kid })
    })
    expect(told).to.equal('done')
    expect(await check(ada, '830462')).to.equal('done')
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
