/** A person's data: named by id in whatever is kept for ever, exported whole, and erased. */
import { expect } from 'chai'
import { audit, verifySeals } from '../ledger/index.ts'
import { findPayee } from '../services/people/parties.ts'
import { openMetrics } from '../services/metrics.ts'
import { openMemory } from '../services/memory.ts'
import { DESTROYED, erase } from '../services/privacy/erasure.ts'
import { publicKeysOf } from '../services/seals/keys.ts'
import { verifyReceipt } from '../services/seals/receipt.ts'
import { openSealing, type Sealing } from '../services/seals/sealing.ts'
import { expectProblem } from './support/abuse.ts'
import { call, newKey, signInAgain } from './support/api.ts'
import { dumpOf, leaksOf } from './support/dump.ts'
import { agree, postRate, quoted } from './support/exchange.ts'
import {
  ended,
  linkedAccount,
  OPERATOR,
  payment,
  type Person,
  person,
  PIN,
  walletBalance,
} from './support/people.ts'
import { together } from './support/proposals.ts'
import { world } from './support/world.ts'
import { findTold } from './support/told.ts'

const NOTE = 'Zweiundvierzig Äpfel'

const erasure = (who: Person, more: object = { approval: { pin: PIN } }) =>
  call(who, 'DELETE', '/v1/me', { body: more, key: newKey() })

const pay = async (from: Person, to: Person, amount: string, note: string, key = newKey()) => {
  const paid = await call(from, 'POST', '/v1/payments', {
    body: payment(to, amount, { note }),
    key,
  })
  expect(paid.status, paid.text).to.equal(201)
  return paid
}

/** They ask for what they may not, and an operator ends their sessions. */
async function leaveTraces(ada: Person) {
  expectProblem(await call(ada, 'GET', '/v1/security_log'), 403, 'forbidden')
  const body = { subject: ada.sub }
  expect((await call(OPERATOR, 'POST', '/v1/revocations', { body })).status).to.equal(204)
}

let sealing: Sealing | undefined

/** The receipt, once the payment is sealed. */
async function receiptOf(who: Person, id: string) {
  // With metrics of its own: another test may have a sealer too.
  sealing ??= openSealing({ ...(await world()).worker, metrics: openMetrics('privacy') })
  while ((await sealing.run()) === undefined);
  const answer = await call(who, 'GET', `/v1/payments/${id}/receipt`)
  expect(answer.status, answer.text).to.equal(200)
  return answer.body
}

describe('what is kept for ever', () => {
  it('names people by id, and says their names and notes to whoever is shown it', async () => {
    const [ada, ben] = [await person(1_000n), await person()]
    const key = newKey()
    const first = await pay(ada, ben, '100', NOTE, key)
    const again = await pay(ada, ben, '100', NOTE, key)
    expect(again.headers.get('idempotent-replayed')).to.equal('true')
    expect(again.text).to.equal(first.text)
    expect(first.body).to.deep.include({ note: NOTE })
    expect(first.body.payer).to.deep.equal({
      ...{ id: first.body.payer.id, alias: ada.alias.slice(1), name: ada.sub },
    })
    expect(first.body.payee.alias).to.equal(ben.alias.slice(1))
    expect((await call(ben, 'GET', `/v1/payments/${first.body.id}`)).text).to.equal(first.text)
    const event = await findTold(({ object }) => object === first.body.id)
    expect(event?.data).to.deep.equal(first.body)
    const { owner } = await world()
    const dump = await dumpOf(owner, ['claims', 'events', 'payments', 'people'])
    for (const secret of [NOTE, `"name":"${ada.sub}`, `"alias":"${ada.sub}`]) {
      expect(dump.includes(secret), secret).to.equal(false)
    }
  })

  it('shows nothing to who wrote what looks like a stored name', async () => {
    const [ada, ben] = [await person(1_000n), await person()]
    const { body } = await pay(ada, ben, '1', 'x')
    const note = `"payer":{"id":"${body.payee.id}"}`
    const paid = await pay(ada, ben, '1', note)
    expect(paid.body.note).to.equal(note)
  })
})

describe('the export', () => {
  it('has everything about the person and no secret, for them and for operators', async () => {
    const [ada, ben] = [await person(50_000n), await person()]
    await linkedAccount(ada)
    const paid = await pay(ada, ben, '100', NOTE)
    await postRate('EUR', 'NOK', '11.5')
    const made = await agree(ada, (await quoted(ada, 'EUR', 'NOK', '1000')).id)
    const mine = await call(ada, 'GET', '/v1/me/export')
    expect(mine.status, mine.text).to.equal(200)
    expect(mine.body).to.deep.include({ name: ada.sub, alias: ada.alias.slice(1) })
    expect(mine.body.subject).to.equal(ada.sub)
    expect(mine.body.payments).to.deep.equal([paid.body])
    expect(mine.body.exchanges).to.deep.equal([made.body])
    expect(mine.body.bank_accounts[0].number, 'a token alone asks').to.match(/^•••• \d{4}$/)
    expect(mine.body.factors.pins).to.have.length(1)
    const entries = mine.body.accounts.map((one: { count: string }) => one.count)
    expect(entries.sort()).to.deep.equal(['1', '3'])
    expect(mine.text).not.to.match(/argon2|hash/)
    const theirs = await call(OPERATOR, 'GET', `/v1/people/${mine.body.id}/export`)
    expect(theirs.body.payments).to.deep.equal(mine.body.payments)
    const nobody = `/v1/people/per_0${'1'.repeat(25)}/export`
    expectProblem(await call(OPERATOR, 'GET', nobody), 404, 'not_found')
  })

  it('is whole where there is more than one page of payments', async () => {
    const [ada, ben] = [await person(1_000n), await person()]
    const { api } = await world()
    for (let round = 0; round < 7; round += 1) {
      await Promise.all(Array.from({ length: 15 }, () => pay(ada, ben, '1', 'n')))
    }
    expect(api.config.PERSON_MEMORY_S).to.equal(30)
    const { body } = await call(ada, 'GET', '/v1/me/export')
    expect(new Set(body.payments.map((one: { id: string }) => one.id)).size).to.equal(105)
  })
})

/** What knows a person and keeps nothing of them but the id. */
const KEPT: Readonly<Record<string, string>> = {
  exchanges: 'what was traded, which the books rest on',
  fx_quotes: 'what was promised, which an exchange rests on',
  risk_assessments: 'what was judged and why, without a name',
}

describe('erasure', () => {
  it('reaches every table that knows a person, or says why not', async () => {
    const { owner } = await world()
    const { rows } = await owner.raw<{ rows: { name: string }[] }>(
      `SELECT DISTINCT table_name AS name FROM information_schema.columns
        WHERE table_schema = 'public' AND column_name IN ('person_id', 'person')
        UNION SELECT conrelid::regclass::text FROM pg_constraint
        WHERE contype = 'f' AND confrelid = 'people'::regclass`,
    )
    const reached = DESTROYED.map(({ table }) => table)
    expect(rows.length).to.be.greaterThan(4)
    const missed = rows.filter(({ name }) => !reached.includes(name) && !(name in KEPT))
    expect(missed.map(({ name }) => name)).to.deep.equal([])
  })

  it('is refused without an approval, with money, and while a bank is at work', async () => {
    const ada = await person(100n)
    expectProblem(await erasure(ada, {}), 403, 'approval_required')
    expectProblem(await erasure(ada, { approval: { pin: '999999' } }), 401, 'approval_refused')
    expectProblem(await erasure(ada), 409, 'account_not_empty')
    const ben = await person()
    const account = await linkedAccount(ben)
    const body = {
      ...{ bank_account: account, amount: '100', currency: 'EUR', approval: { pin: PIN } },
    }
    const topUp = await call(ben, 'POST', '/v1/top_ups', { body })
    expect(topUp.status, topUp.text).to.equal(202)
    expectProblem(await erasure(ben), 409, 'account_not_empty')
    await ended(ben, `/v1/payments/${topUp.body.id}`)
  })

  it('leaves nothing that names the person, and every proof as it was', async () => {
    const { api, owner, config } = await world()
    const [ada, ben] = [await person(5_000n), await person()]
    const account = await linkedAccount(ada)
    const { body: linked } = await call(ada, 'GET', '/v1/me/export')
    const number = `T-${linked.bank_accounts[0].number.slice(-4)}`
    const key = newKey()
    const { body: paid } = await pay(ada, ben, '1000', NOTE, key)
    await postRate('EUR', 'SEK', '11.2')
    const quote = await quoted(ada, 'EUR', 'SEK', '1000')
    await agree(ada, quote.id)
    const sek = await call(ada, 'GET', '/v1/accounts')
    const krona = sek.body.data.find((one: { currency: string }) => one.currency === 'SEK')
    const give = payment(ben, krona.posted.amount, { currency: 'SEK' })
    expect((await call(ada, 'POST', '/v1/payments', { body: give })).status).to.equal(201)
    await pay(ada, ben, (await walletBalance(ada)).toString(), 'all')
    const before = await receiptOf(ben, paid.id)
    expect(before.payment.payer.name).to.equal(ada.sub)

    await leaveTraces(ada)
    expect(leaksOf(await dumpOf(owner), [ada.sub])).not.to.have.length(0)
    // By us: their own tokens are revoked.
    await erase(api, ada.id)

    const secrets = [ada.sub, NOTE, number, linked.bank_accounts[0].holder as string]
    expect(leaksOf(await dumpOf(owner), secrets)).to.deep.equal([])
    expect((await audit(owner)).violations).to.deep.equal([])
    expect((await verifySeals(owner, {})).violations).to.deep.equal([])
    const keys = await publicKeysOf(config.SEAL_KEY ?? expect.fail('no key'))
    expect((await verifyReceipt(before, keys)).faults).to.deep.equal([])
    const after = await receiptOf(ben, paid.id)
    expect((await verifyReceipt(after, keys)).faults).to.deep.equal([])
    expect(after.payment.payer).to.deep.equal({ id: paid.payer.id, alias: null, name: null })
    expect(after.payment.note).to.equal(null)
    const told = await findTold(({ type }) => type === 'person.erased')
    expect(told).to.deep.include({ object: paid.payer.id })
    expectProblem(
      await call(OPERATOR, 'GET', `/v1/people/${paid.payer.id}/export`),
      404,
      'not_found',
    )
    expect(account).to.match(/^bac_/)

    // The same subject comes back as somebody else, to whom none of it belongs.
    await signInAgain(ada)
    const back = await call(ada, 'GET', '/v1/me/export')
    expect(back.body.id).not.to.equal(paid.payer.id)
    expect(back.body.payments).to.deep.equal([])
  })

  it('by an operator is the same, and is done once', async () => {
    const ada = await person()
    const { body } = await call(ada, 'GET', '/v1/me/export')
    const path = `/v1/people/${body.id}/erasure`
    const asked = { body: { reason: 'They asked for it' } }
    const done = await together(path, asked)
    expect([done.status, done.body.id], done.text).to.deep.equal([200, body.id])
    expectProblem(await together(path, asked), 404, 'not_found')
  })

  it('is heard of elsewhere at once for writes, for names within PERSON_MEMORY_S', async () => {
    const { api, worker, owner } = await world()
    const ada = await person()
    let ahead_ms = 0
    const memory = openMemory(100, () => new Date(Date.now() + ahead_ms))
    const other = { ...worker, memory }
    expect((await findPayee(other, 'person', ada.id))?.name).to.equal(ada.sub)
    expect((await erasure(ada)).status).to.equal(204)
    expect(await api.standings(ada.id)).to.equal(undefined)
    expect((await findPayee(api, 'person', ada.id))?.name).to.equal(null)
    ahead_ms = api.config.PERSON_MEMORY_S * 1000
    expect((await findPayee(other, 'person', ada.id))?.name).to.equal(null)
    const key = await owner('person_keys').where({ person_id: ada.id }).first()
    expect(key.sealed).to.equal(null)
    expect(key.destroyed_at).to.be.instanceOf(Date)
  })

  it('leaves nobody whom money could reach, by id, by name or by a bank', async () => {
    const [ada, ben] = [await person(1_000n), await person()]
    const { body: seen } = await call(ben, 'GET', '/v1/me/export')
    const source = await linkedAccount(ada)
    expect((await erasure(ben)).status).to.equal(204)
    const answer = await call(ada, 'POST', '/v1/payments', {
      body: { ...payment(ben, '100'), payee: seen.id },
    })
    expectProblem(answer, 422, 'payee_not_found')
    const { api, worker, owner } = await world()
    // As another process, which may remember them for a while.
    api.memory.keep(`person ${ben.id}`, { kind: 'person', id: ben.id, alias: null, name: 'B' })
    const late = { ...payment(ben, '100'), payee: seen.id }
    expectProblem(await call(ada, 'POST', '/v1/payments', { body: late }), 409, 'account_closed')
    const funded = await call(ada, 'POST', '/v1/payments', { body: { ...late, source } })
    expect(funded.status, funded.text).to.equal(202)
    const done = await ended(ada, `/v1/payments/${funded.body.id}`)
    expect([done.state, done.failure]).to.deep.equal(['failed', 'account_closed'])
    expect(await walletBalance(ada)).to.equal(1_100n)
    api.memory.forget(`person ${ben.id}`)
    const open = await owner('accounts').where({ owner: seen.id, closed_at: null })
    expect(open).to.deep.equal([])
    expect(worker.db).not.to.equal(api.db)
  })
})
