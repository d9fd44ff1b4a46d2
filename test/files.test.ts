/** Files that banks put down, money that nobody asked for, and whose it turns out to be. */
import { randomUUID } from 'node:crypto'
import { expect } from 'chai'
import type { BankEvent } from '../adapters/adapter.ts'
import { connect } from '../ledger/index.ts'
import { collectFrom, FILE_EVENTS_MAX, watchFailedFiles } from '../services/banking/files.ts'
import { sweep } from '../services/banking/sweep.ts'
import type { Context } from '../services/context.ts'
import { publicId } from '../services/ids.ts'
import { openMetrics } from '../services/metrics.ts'
import { times } from './support/abuse.ts'
import { call } from './support/api.ts'
import { dying } from './support/dying.ts'
import { applied, arrives } from './support/paper-arrivals.ts'
import { incoming, type PaperBank, paperBank } from './support/paper-bank.ts'
import { merchant, merchantBalance, OPERATOR, person, walletBalance } from './support/people.ts'
import { approve, together } from './support/proposals.ts'
import { world } from './support/world.ts'

const LATER_MS = 600_000

/** What `paper` has in suspense, by our books. */
async function inSuspense(): Promise<bigint> {
  const { owner } = await world()
  const row = await owner('accounts').where({ type: 'suspense', owner: 'bank:paper' }).first()
  return row === undefined ? 0n : BigInt(row.credits_posted) - BigInt(row.debits_posted)
}

/** What other tests left there. */
let elsewhere = 0n

/** The same by the list of what came and is nobody's: written from other rows. */
async function unmatched(): Promise<bigint> {
  const { owner } = await world()
  const found = await owner('incoming_money').where({ bank: 'paper', state: 'unmatched' })
  return found.reduce((sum, { amount }) => sum + BigInt(amount), elsewhere)
}

describe('a file of a bank', () => {
  let bank: PaperBank
  before(async () => {
    bank = await paperBank()
    elsewhere += (await inSuspense()) - (await unmatched())
  })

  it('is written down with all its events, accepted, and each event applied', async () => {
    const { worker } = await world()
    const events = times(3, (index) => incoming(BigInt(100 + index)))
    const messageId = bank.putDown(events)
    await collectFrom(worker, bank)
    await applied(events)
    const { body } = await call(OPERATOR, 'GET', '/v1/bank_files?limit=1')
    expect(body.data[0]).to.deep.include({ bank: 'paper', message_id: messageId, events: 3 })
    expect(await inSuspense()).to.equal(await unmatched())
  })

  it('that comes again changes nothing, and is taken away again', async () => {
    const { worker, owner } = await world()
    const events = [incoming(55n)]
    const messageId = bank.putDown(events)
    await collectFrom(worker, bank)
    await applied(events)
    const before = await inSuspense()
    bank.putDown(events, messageId)
    await collectFrom(worker, bank)
    expect(await inSuspense()).to.equal(before)
    expect(await owner('bank_files').where({ message_id: messageId })).to.have.length(1)
    expect(bank.rejected.has(messageId)).to.equal(false)
  })

  it('whose id comes with other contents is set aside, and somebody is told once', async () => {
    const { worker, owner } = await world()
    const events = [incoming(56n)]
    const messageId = bank.putDown(events)
    await collectFrom(worker, bank)
    await applied(events)
    for (const amount of [57n, 58n]) {
      bank.putDown([incoming(amount)], messageId)
      await collectFrom(worker, bank)
    }
    expect(bank.rejected.get(messageId)).to.match(/another file/)
    const { id } = await owner('bank_files').where({ message_id: messageId }).first()
    const alerts = await owner('events').where({ object_id: publicId('bfl', id) })
    expect(alerts.map(({ type }) => type)).to.deep.equal(['bank_file.contradicted'])
    expect(await inSuspense()).to.equal(await unmatched())
  })

  it('with more events than a file may have is for a person', async () => {
    const { worker, owner } = await world()
    const one = incoming(1n)
    const messageId = bank.putDown(times(FILE_EVENTS_MAX + 1, () => one))
    await collectFrom(worker, bank)
    expect(bank.rejected.get(messageId)).to.match(/more than/)
    expect(await owner('callbacks').where({ event_id: one.eventId })).to.deep.equal([])
    await toldOfFailure(bank.nameOf(messageId), /more than/)
  })

  it('that cannot be read or written down is shown with its fault, and told once', async () => {
    const { worker } = await world()
    const unread = bank.putDown([], 'unread', 'DONE is no status we know')
    const unwritten = bank.putDown([{ ...incoming(1n), reference: 'a\0b' }])
    await collectFrom(worker, bank)
    bank.putDown([], unread, 'DONE is no status we know')
    await collectFrom(worker, bank)
    expect(bank.rejected.get(unread)).to.equal('DONE is no status we know')
    await toldOfFailure(bank.nameOf(unread), /DONE is no status/)
    await toldOfFailure(bank.nameOf(unwritten), /cannot be written down/)
    const metrics = openMetrics('test')
    watchFailedFiles({ ...worker, metrics })
    expect(await metrics.text()).to.match(/bank_files_failed{bank="paper".*} [3-9]\n/)
  })

  it('that comes good under the id of one that failed is used', async () => {
    const { worker } = await world()
    const messageId = bank.putDown([], undefined, 'cut off')
    await collectFrom(worker, bank)
    const events = [incoming(59n)]
    bank.putDown(events, messageId)
    await collectFrom(worker, bank)
    await applied(events)
  })

  async function toldOfFailure(name: string, fault: RegExp) {
    const { owner } = await world()
    const { body } = await call(OPERATOR, 'GET', '/v1/bank_files?limit=100')
    const shown = body.data.filter((file: { name: string }) => file.name === name)
    expect(shown).to.have.length(1)
    expect(shown[0]).to.include({ bank: 'paper', events: 0 })
    expect(shown[0].fault).to.match(fault)
    const told = await owner('events').where({ object_id: shown[0].id })
    expect(told.map(({ type }) => type)).to.deep.equal(['bank_file.failed'])
    expect(told[0].data).to.include({ fault: shown[0].fault })
  }

  it('is fetched by one worker at a time', async () => {
    const { worker, owner } = await world()
    const events = times(5, () => incoming(10n))
    const messageId = bank.putDown(events)
    await Promise.all(times(8, () => collectFrom(worker, bank)))
    await collectFrom(worker, bank)
    await applied(events)
    expect(await owner('bank_files').where({ message_id: messageId })).to.have.length(1)
    expect(await inSuspense()).to.equal(await unmatched())
  })

  it('is half applied by nobody, wherever the worker dies', async () => {
    const { worker, url } = await world()
    for (let at = 1; ; at += 1) {
      const db = connect({ url, role: 'florin_worker', connectionsMax: 2, applicationName: 'd' })
      const mortal: Context = { ...worker, db }
      const events = times(2, () => incoming(BigInt(at)))
      const [messageId, before] = [bank.putDown(events), await inSuspense()]
      const { died } = await dying(mortal, bank, at, () => collectFrom(mortal, bank))
      await db.destroy()
      // Somebody else goes on when the lease has run out.
      const later = { ...worker, now: () => new Date(Date.now() + LATER_MS) }
      await collectFrom(later, bank)
      await forgetLease()
      await sweepUntilApplied(events)
      expect(await inSuspense(), `died at ${at}`).to.equal(before + 2n * BigInt(at))
      expect(bank.rejected.has(messageId)).to.equal(false)
      if (!died) {
        expect(at).to.be.greaterThan(10)
        return
      }
    }
  }).timeout(30_000)

  /** The lease that was taken in the future of these tests. */
  async function forgetLease() {
    const { owner } = await world()
    await owner('bank_collections')
      .where({ bank: 'paper' })
      .update({ leased_until: new Date(0) })
  }

  async function sweepUntilApplied(events: readonly BankEvent[]) {
    const { owner, worker } = await world()
    const ids = events.map(({ eventId }) => eventId)
    await owner('callbacks')
      .whereIn('event_id', ids)
      .update({ next_at: new Date(0) })
    await sweep(worker)
    await applied(events)
  }
})

describe('money that nobody asked for', () => {
  before(async () => {
    await paperBank()
    elsewhere += (await inSuspense()) - (await unmatched())
  })

  const listed = async (id: string) => {
    const { body } = await call(OPERATOR, 'GET', '/v1/incoming_money?limit=100')
    return body.data.find((one: { id: string }) => one.id === id)
  }

  it('waits in suspense, and operators see what its sender wrote', async () => {
    const { id } = await arrives('rent, thank you')
    expect(await listed(id)).to.deep.include({
      ...{ amount: '1234', state: 'unmatched', owner: null },
      ...{ remittance: 'rent, thank you', sender: 'Ada of Arles' },
    })
    expect(await inSuspense()).to.equal(await unmatched())
  })

  it('is a person’s at once when exactly one alias of ours is named', async () => {
    const ada = await person()
    const { row } = await arrives(`FOR ${ada.alias.toUpperCase()}.`)
    expect(row).to.deep.include({ state: 'matched', matched_by: 'rule:alias' })
    expect(await walletBalance(ada)).to.equal(1_234n)
  })

  it('is nobody’s by a rule when its bank gives nothing to know it by', async () => {
    const ada = await person()
    const { worker, owner } = await world()
    const bank = await paperBank()
    const event = { ...incoming(77n, { remittance: ada.alias }), isUnidentified: true } as const
    bank.putDown([event])
    await collectFrom(worker, bank)
    await applied([event])
    const [row] = await owner('incoming_money').where({ reference: event.reference })
    expect(row.state).to.equal('unmatched')
    expect(await walletBalance(ada)).to.equal(0n)
  })

  it('is a merchant’s when exactly its id is named, as banks write it', async () => {
    const shop = await merchant()
    const { row } = await arrives(`Order 7 ${shop.id.toUpperCase().replace('_', ' ')}`)
    expect(row).to.deep.include({ state: 'matched', owner: shop.id, matched_by: 'rule:merchant' })
    expect(await merchantBalance(shop)).to.equal(1_234n)
  })

  it('is nobody’s when two are named, or something that only looks like it', async () => {
    const [ada, ben] = [await person(), await person()]
    const texts = [
      `${ada.alias} ${ben.alias}`,
      `${ada.alias} ${ada.alias}`,
      `mail to x${ada.alias}`,
      `${ada.alias}@example.org`,
      '@nobody.at.all',
      `per_${'0'.repeat(26)}`,
      `${'x'.repeat(1_000)} ${ada.alias}`,
    ]
    for (const text of texts) expect((await arrives(text)).row.state, text).to.equal('unmatched')
    expect([await walletBalance(ada), await walletBalance(ben)]).to.deep.equal([0n, 0n])
  })

  it('is given by no rule to whoever is frozen', async () => {
    const ada = await person(1n)
    const { owner } = await world()
    const wallet = await owner('accounts')
      .where({ owner: publicId('per', ada.id) })
      .first()
    const path = `/v1/ledger/accounts/${publicId('acc', wallet.id)}/freeze`
    const body = { debits: true, credits: true, reason: 'A test' }
    const frozen = await together(path, { body })
    expect(frozen.status, frozen.text).to.equal(200)
    expect((await arrives(ada.alias)).row.state).to.equal('unmatched')
    expect(await inSuspense()).to.equal(await unmatched())
  })

  it('is matched by an operator and a second one, once', async () => {
    const [ada, ben] = [await person(), await person()]
    const { id } = await arrives(undefined, 500n)
    const proposals = await Promise.all(
      [ada, ben].map((who) =>
        call(OPERATOR, 'POST', `/v1/incoming_money/${id}/match`, {
          body: { person: publicId('per', who.id) },
        }),
      ),
    )
    expect(proposals.map(({ status }) => status)).to.deep.equal([202, 202])
    await Promise.all(proposals.map(({ body }) => approve(body.id)))
    const balances = [await walletBalance(ada), await walletBalance(ben)]
    expect(balances.sort((a, b) => Number(a - b))).to.deep.equal([0n, 500n])
    expect(await listed(id)).to.equal(undefined)
    expect(await inSuspense()).to.equal(await unmatched())
    const again = { body: { person: publicId('per', ben.id) } }
    expect((await together(`/v1/incoming_money/${id}/match`, again)).body.code).to.equal(
      'incoming_money_matched',
    )
  })

  it('is refused a match with nobody, before anybody is asked to agree', async () => {
    const { id } = await arrives(undefined, 5n)
    const body = { person: publicId('per', randomUUID()) }
    const answer = await call(OPERATOR, 'POST', `/v1/incoming_money/${id}/match`, { body })
    expect([answer.status, answer.body.code]).to.deep.equal([422, 'payee_not_found'])
  })
})
