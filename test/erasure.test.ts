/** Erasure beside what others do: what was revoked stays revoked, and nobody waits for ever. */
import { expect } from 'chai'
import type { Knex } from 'knex'
import { newId } from '../ledger/index.ts'
import { walletOf } from '../services/books/chart.ts'
import type { Context } from '../services/context.ts'
import { erasedSubject, revokeSubject } from '../services/credentials/revocations.ts'
import { publicId, uuidOf } from '../services/ids.ts'
import { setPin } from '../services/pins/pins.ts'
import { erase, eraseFor } from '../services/privacy/erasure.ts'
import { takeTurn } from '../services/reserves/draw.ts'
import { enrol } from '../services/totp/totp.ts'
import { expectProblem, unchanged, until, waitersFor } from './support/abuse.ts'
import { call, signInAgain, tokenOf } from './support/api.ts'
import { refusalOf } from './support/books.ts'
import { answer, decide, dispute, funded } from './support/disputes.ts'
import { OPERATOR, type Person, person, PIN } from './support/people.ts'
import { together } from './support/proposals.ts'
import { contextAt } from './support/totp.ts'
import { world } from './support/world.ts'

const NOBODY = { phoneNumber: undefined, birthdate: undefined }

async function revoke({ sub }: Person) {
  const revoked = await call(OPERATOR, 'POST', '/v1/revocations', { body: { subject: sub } })
  expect(revoked.status, revoked.text).to.equal(204)
}

describe('erasure', () => {
  it('does not bring back what was revoked, in no role, however often they come back', async () => {
    const { api, owner } = await world()
    const ada = await person()
    const { issuer } = api.config.TOKEN_ISSUERS[0]
    const asOperator = { sub: ada.sub, scope: 'operator' }
    const writes = [
      () => call(asOperator, 'POST', '/v1/fx_rates', { body: {} }),
      () => call(ada, 'PUT', '/v1/pin', { body: { pin: '274952' } }),
    ]
    for (const round of [1, 2]) {
      await tokenOf(asOperator)
      await revoke(ada)
      const { id } = await owner('people').where({ issuer, subject: ada.sub }).first('id')
      await erase(api, id)
      for (const write of writes) expectProblem(await write(), 401, 'invalid_token')
      const rows = await owner('revocations').where({ subject: ada.sub })
      expect(rows, `round ${round}`).to.deep.equal([])
      await signInAgain(ada, asOperator)
      expect((await call(ada, 'GET', '/v1/accounts')).status).to.equal(200)
    }
  })

  it('leaves nobody whom a token of before makes known again', async () => {
    const { api, owner } = await world()
    const ada = await person()
    await erase(api, ada.id)
    for (const [method, path] of [
      ['GET', '/v1/accounts'],
      ['GET', '/v1/me'],
      ['PUT', '/v1/pin'],
    ] as const) {
      const body = method === 'PUT' ? { body: { pin: '274952' } } : {}
      expectProblem(await call(ada, method, path, body), 401, 'invalid_token')
    }
    expect(await owner('people').where({ subject: ada.sub })).to.deep.equal([])
    await signInAgain(ada)
    expect((await call(ada, 'GET', '/v1/accounts')).status).to.equal(200)
    const [{ id }, ...others] = await owner('people').where({ subject: ada.sub })
    expect([id === ada.id, others]).to.deep.equal([false, []])
  })

  it('is not undone by a revocation that comes later', async () => {
    const { api, owner } = await world()
    const ada = await person()
    await erase(api, ada.id)
    await revoke(ada)
    expect(await owner('revocations').where({ subject: ada.sub })).to.deep.equal([])
    const rows = await rowsOf(ada.sub)
    expect(rows.map(({ revoked_by }) => revoked_by)).to.deep.equal([OPERATOR.sub])
    const log = await owner('security_log').where('subject', 'like', `%${ada.sub}%`)
    expect(log).to.deep.equal([])
  })

  it('leaves a revocation that does not say whose it is, nor who erased them', async () => {
    const { owner } = await world()
    // Long enough before now for nobody's token to be refused by it.
    const at = new Date(Math.floor(Date.now() / 1000) * 1000 - 59_500)
    const context = await contextAt(at)
    const [ada, ben] = [await person(), await person()]
    const claim = { id: newId(), fingerprint: Buffer.alloc(16, 1) }
    await erase(context, ada.id)
    await eraseFor(context, ben.id, OPERATOR.sub, claim)
    for (const { id, sub } of [ada, ben]) {
      const { erased_at } = await owner('people').where({ id }).first('erased_at')
      expect(erased_at).to.deep.equal(at)
      const named = await owner('revocations').where({ revoked_by: publicId('per', id) })
      expect(named).to.deep.equal([])
      const [row, ...others] = await rowsOf(sub)
      const end = new Date(at.getTime() + 499)
      expect(others).to.deep.equal([])
      expect(row).to.include({ revoked_by: 'erasure' })
      expect(row.revoked_before).to.deep.equal(end)
    }
    const mine = { revoked_by: 'erasure', revoked_before: at }
    expect(await owner('revocations').where(mine)).to.deep.equal([])
  })

  it('revokes what was issued while it waited', async () => {
    const { api, owner } = await world()
    const ada = await person()
    const second = Math.floor(Date.now() / 1000) * 1000
    const [asked, done] = [new Date(second - 9_500), new Date(second - 5_500)]
    let moment = asked
    const { erased } = await owner.transaction(async (trx) => {
      await trx('people').where({ id: ada.id }).forUpdate().first()
      const erased = erase({ ...api, now: () => moment }, ada.id)
      await until(async () => (await waitersFor(trx)) > 0)
      moment = done
      return { erased }
    })
    await erased
    const { erased_at } = await owner('people').where({ id: ada.id }).first('erased_at')
    expect(erased_at).to.deep.equal(asked)
    const [{ revoked_before }] = await rowsOf(ada.sub)
    expect(revoked_before).to.deep.equal(new Date(second - 5_001))
  })

  it('waits for whoever revokes their tokens, and leaves nothing of that', async () => {
    const { api, owner } = await world()
    const ada = await person()
    const { issuer } = api.config.TOKEN_ISSUERS[0]
    let erased: Promise<void> | undefined
    await api.db.transaction(async (trx) => {
      const when = { at: api.now(), by: OPERATOR.sub }
      await revokeSubject(trx, api.vault, { issuer, subject: ada.sub }, when)
      erased = erase(api, ada.id)
      await until(async () => (await waitingFor(owner, 'hashtextextended')) > 0)
    })
    await erased
    expect(await owner('revocations').where({ subject: ada.sub })).to.deep.equal([])
  })

  /** What a person may get while they are being erased, and where it is kept. */
  const FIRST = {
    'a first PIN': {
      table: 'pins',
      add: ({ id }: Person, api: Context) => {
        const asked = { pin: PIN, known: NOBODY, current: undefined }
        const proofs = { alsoProve: async () => {}, refuseOthers: async () => {} }
        return setPin(api, { person: id, session: null }, asked, proofs)
      },
    },
    'an authenticator': {
      table: 'totp_enrolments',
      add: ({ id }: Person, api: Context) => enrol(api, { id, alias: null, name: 'Ada' }, null),
    },
  }
  for (const [what, { table, add }] of Object.entries(FIRST)) {
    it(`leaves nobody with ${what} that was on its way`, async () => {
      const { api, worker, owner } = await world()
      const ada = await person(0n, { withPin: false })
      const wallet = await walletOf(worker, ada.id, 'EUR')
      const { erased, told } = await owner.transaction(async (trx) => {
        await trx('accounts').where({ id: wallet }).forUpdate().first()
        const erased = erase(api, ada.id)
        await until(async () => (await waitersFor(trx)) > 0)
        let isTold = false
        const told = refusalOf(add(ada, api)).finally(() => (isTold = true))
        await until(async () => isTold || (await waitingFor(owner, '"people"')) > 0)
        return { erased, told }
      })
      await erased
      expect(await told).to.equal('not_found')
      expect(await owner(table).where({ person_id: ada.id })).to.deep.equal([])
    })
  }

  it('waits for no exchange that waits for it', async () => {
    const { owner, api } = await world()
    const ada = await person(100n)
    const [wallet] = await owner('accounts').where({ owner: publicId('per', ada.id) })
    await owner.transaction(async (trx) => {
      await trx('accounts').where({ id: wallet.id }).forNoKeyUpdate().first()
      const refused = erase(api, ada.id).catch(({ code }: { code: string }) => code)
      while ((await waitingFor(owner, '"accounts"')) === 0)
        await new Promise((on) => setTimeout(on, 5))
      // As the foreign key of an exchange does, with the wallet locked.
      await trx('people').where({ id: ada.id }).forKeyShare().first()
      await trx.commit()
      expect(await refused).to.equal('account_not_empty')
    })
  })
})

/** What is revoked of a subject that nothing names any more. */
async function rowsOf(subject: string) {
  const { api, owner } = await world()
  const { issuer } = api.config.TOKEN_ISSUERS[0]
  const hidden = erasedSubject(api.vault, { issuer, subject })
  return owner('revocations').where({ issuer, subject: hidden })
}

/** `erased`, or why not. */
async function tryToErase({ id }: Person): Promise<string> {
  const { api } = await world()
  return erase(api, id).then(
    () => 'erased',
    ({ code }: { code: string }) => code,
  )
}

describe('erasure of a payer', () => {
  it('is refused while a payment of theirs is contested, and good once that is over', async () => {
    const { payer, shop, id } = await funded('6000')
    const opened = await dispute(payer, id)
    expect(opened.status, opened.text).to.equal(201)
    expect(await tryToErase(payer)).to.equal('account_not_empty')
    expect((await answer(shop, opened.body.id)).status).to.equal(200)
    expect(await tryToErase(payer)).to.equal('account_not_empty')
    expect((await decide(opened.body.id, 'won')).status).to.equal(200)
    expect(await tryToErase(payer)).to.equal('erased')
  })

  it('waits for a dispute that is being opened, and is refused then', async () => {
    const { owner } = await world()
    const { payer, shop, id } = await funded('6000')
    const isWaiting = (sessions: number) => async () =>
      (await waitingFor(owner, 'hashtextextended')) === sessions
    const asked = await owner.transaction(async (trx) => {
      await takeTurn(trx, { merchant: uuidOf(shop.id), currency: 'EUR' })
      const opened = dispute(payer, id)
      await until(isWaiting(1))
      const erased = tryToErase(payer)
      await until(isWaiting(2))
      return { opened, erased }
    })
    expect((await asked.opened).status).to.equal(201)
    expect(await asked.erased).to.equal('account_not_empty')
  })

  it('leaves nothing that could be contested', async () => {
    const { payer, id } = await funded('6000')
    expect(await tryToErase(payer)).to.equal('erased')
    const opened = () => together(`/v1/payments/${id}/disputes`, { body: { reason: 'other' } })
    await unchanged(async () => expectProblem(await opened(), 409, 'account_closed'), {
      except: ['claims', 'proposals'],
    })
  })
})

/** How many sessions wait for a lock in a statement that has this part. */
async function waitingFor(owner: Knex, part: string): Promise<number> {
  const { rows } = await owner.raw(
    `SELECT count(*)::int AS n FROM pg_stat_activity
      WHERE wait_event_type = 'Lock' AND query LIKE ? AND datname = current_database()`,
    [`%${part}%`],
  )
  return rows[0].n
}
