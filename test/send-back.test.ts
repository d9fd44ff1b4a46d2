/** Money that nobody asked for goes back to the account it came from. */
import { randomUUID } from 'node:crypto'
import { expect } from 'chai'
import type { RegisteredBank } from '../services/banks/registry.ts'
import { publicId, uuidOf } from '../services/ids.ts'
import { expectProblem, until } from './support/abuse.ts'
import { call } from './support/api.ts'
import { comes as arrives, NUMBER } from './support/north-arrivals.ts'
import { OPERATOR, person, walletBalance } from './support/people.ts'
import { together } from './support/proposals.ts'
import { reconciled } from './support/reconciliation.ts'
import { world } from './support/world.ts'

/** What the bank's customer has, by the bank's own books. */
async function atBank(): Promise<bigint> {
  const { banks } = await world()
  const north = banks.find(({ name }) => name === 'north')
  const books = (await (await fetch(`${north?.url}/books`)).json()) as {
    accounts: { number: string; balance: string }[]
  }
  return BigInt(books.accounts.find(({ number }) => number === NUMBER)?.balance ?? -1)
}

/** Our own accounts with the bank, credit balance. */
async function ours(type: 'suspense' | 'transit'): Promise<bigint> {
  const { owner } = await world()
  const rows = await owner('accounts').where({ type, currency: 'EUR' })
  return rows.reduce((sum, row) => sum + BigInt(row.credits_posted) - BigInt(row.debits_posted), 0n)
}

const rowOf = async (id: string) => {
  const { owner } = await world()
  return owner('incoming_money')
    .where({ id: uuidOf(id) })
    .first()
}

const back = (id: string) =>
  together(`/v1/incoming_money/${id}/return`, { body: { note: 'Nobody knows it' } })

async function expectBankAgrees() {
  const { state, balances } = await reconciled('north')
  expect(state).to.equal('completed')
  for (const one of balances) expect(one.agrees, JSON.stringify(one)).to.equal(true)
}

describe('money that is sent back', () => {
  it('is with its sender again when two operators want it, and in no account of ours', async () => {
    const [had, suspense] = [await atBank(), await ours('suspense')]
    const id = await arrives('1200')
    expect(await ours('suspense')).to.equal(suspense + 1_200n)
    // What it came in by is spoken for: nobody moves that back beside it.
    const unit = publicId('trf', (await rowOf(id)).transfer_id)
    const beside = { body: { reason: 'A mistake', unit } }
    expectProblem(await together('/v1/ledger/reversals', beside), 409, 'not_reversible')
    const proposed = await call(OPERATOR, 'POST', `/v1/incoming_money/${id}/return`, {
      body: { note: 'Nobody knows it' },
    })
    expect(proposed.status, proposed.text).to.equal(202)
    expect((await rowOf(id)).state).to.equal('unmatched')
    const asked = await back(id)
    expect([asked.status, asked.body.state]).to.deep.equal([200, 'returning'])
    await until(async () => (await rowOf(id)).state === 'sent_back')
    expect(await atBank()).to.equal(had)
    expect([await ours('suspense'), await ours('transit')]).to.deep.equal([suspense, 0n])
    expectProblem(await back(id), 409, 'incoming_money_returned')
    const ada = await person()
    const match = { body: { person: publicId('per', ada.id) } }
    const late = await together(`/v1/incoming_money/${id}/match`, match)
    expectProblem(late, 409, 'incoming_money_returned')
    await expectBankAgrees()
  })

  it('is in transit while nobody knows, and in suspense when the bank rejects it', async () => {
    const [had, suspense] = [await atBank(), await ours('suspense')]
    const id = await arrives('1291')
    expect((await back(id)).status).to.equal(200)
    await until(async () => (await rowOf(id)).state === 'unmatched')
    expect(await atBank()).to.equal(had - 1_291n)
    expect([await ours('suspense'), await ours('transit')]).to.deep.equal([suspense + 1_291n, 0n])
    // It is nobody's again: so it can be somebody's.
    const ada = await person()
    const match = { body: { person: publicId('per', ada.id) } }
    expect((await together(`/v1/incoming_money/${id}/match`, match)).status).to.equal(200)
    expect(await walletBalance(ada)).to.equal(1_291n)
    expectProblem(await back(id), 409, 'incoming_money_matched')
    await expectBankAgrees()
  })

  it('is nobody’s again when it comes back a second time', async () => {
    const suspense = await ours('suspense')
    const id = await arrives('1298')
    expect((await back(id)).status).to.equal(200)
    await until(async () => (await rowOf(id)).state === 'sent_back')
    await until(async () => (await rowOf(id)).state === 'unmatched')
    expect([await ours('suspense'), await ours('transit')]).to.deep.equal([suspense + 1_298n, 0n])
    await expectBankAgrees()
  })

  it('goes back once, however many want it', async () => {
    const [had, suspense] = [await atBank(), await ours('suspense')]
    const id = await arrives('1300')
    const answers = await Promise.all([back(id), back(id), back(id)])
    const codes = answers.map(({ status }) => status).sort((a, b) => a - b)
    expect(codes).to.deep.equal([200, 409, 409])
    await until(async () => (await rowOf(id)).state === 'sent_back')
    expect([await atBank(), await ours('suspense')]).to.deep.equal([had, suspense])
  })

  it('goes over the rail that routing chooses, or waits for one', async () => {
    const { api, owner } = await world()
    const registry = api.registry as Map<string, RegisteredBank>
    const north = registry.get('north')
    const [internal] = north?.rails ?? []
    if (north === undefined || internal === undefined) throw new Error('north is not there')
    const dear = { ...internal, rail: 'dear', priority: 900 }
    const narrow = { ...internal, rail: 'narrow', priority: 1, amountMax: { EUR: 1_000n } }
    const id = await arrives('1500')
    try {
      const closed = { timeZone: 'UTC', days: [1], opens: '00:00', closes: '00:00' }
      registry.set('north', { ...north, rails: [{ ...dear, hours: closed }, narrow] })
      expectProblem(await back(id), 503, 'bank_closed')
      registry.set('north', { ...north, rails: [narrow] })
      expectProblem(await back(id), 422, 'return_not_possible')
      registry.set('north', { ...north, rails: [dear, narrow, internal] })
      expect((await back(id)).status).to.equal(200)
    } finally {
      registry.set('north', north)
    }
    const { id: subject } = await owner('incoming_returns')
      .where({ incoming_id: uuidOf(id) })
      .first()
    const { rail } = await owner('instructions').where({ subject_id: subject }).first()
    expect(rail).to.equal('internal')
    await until(async () => (await rowOf(id)).state === 'sent_back')
  })

  it('goes nowhere where the number is none that every bank can be told', async () => {
    const { owner, worker } = await world()
    for (const number of ['12_34', 'N'.repeat(40), 'nl01ada', 'AB1']) {
      const id = await arrives('1401')
      const place = { table: 'callbacks', row: uuidOf(id), column: 'sender_account_sealed' }
      const sender_account_sealed = worker.vault.seal(place, number)
      await owner('callbacks').where({ id: place.row }).update({ sender_account_sealed })
      expectProblem(await back(id), 422, 'return_not_possible')
      expect((await rowOf(id)).state).to.equal('unmatched')
    }
  })

  it('goes nowhere where the bank does not say from whom it came', async () => {
    const id = await arrives('1400')
    const { owner } = await world()
    await owner('callbacks')
      .where({ id: uuidOf(id) })
      .update({ sender_account_sealed: null })
    const refused = await call(OPERATOR, 'POST', `/v1/incoming_money/${id}/return`, {
      body: { note: 'Nobody knows it' },
    })
    expectProblem(refused, 422, 'return_not_possible')
    const path = `/v1/incoming_money/${id}/return`
    expectProblem(await call(OPERATOR, 'POST', path, { body: {} }), 400, 'invalid_request')
    const nobodys = `/v1/incoming_money/${publicId('inc', randomUUID())}/return`
    expectProblem(await call(OPERATOR, 'POST', nobodys, { body: { note: 'x' } }), 404, 'not_found')
  })
})
