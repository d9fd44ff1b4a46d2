/** The judges of the torture find what they are there to find. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { type Entry, openJournal, readJournal } from './torture/journal.ts'
import { type Effect, intentsOf, judgeAnswers, judgeEffects } from './torture/told.ts'

const asks = (key: string, amount: string, path = '/v1/payments'): Entry => ({
  ...{ kind: 'asks', key, who: 'ada', path, body: { amount }, at_ms: 0 },
})

const answered = (key: string, id: string, more: object = {}): Entry => ({
  ...{ kind: 'answered', key, status: 201, text: JSON.stringify({ id }) },
  ...{ isReplayed: false, at_ms: 0, doubt_ms: 0, ...more },
})

const refused = (key: string, code: string, more: object = {}): Entry =>
  answered(key, '', { status: 422, text: JSON.stringify({ code }), ...more })

const row = (id: string, amount: bigint, key: string): Effect => ({ id, amount, who: 'ada', key })
const refundRow = (id: string, amount: bigint, of: string): Effect => ({ id, amount, of })

const REPLAYED = { isReplayed: true }
const REFUNDS = '/v1/payments/pay_1/refunds'
const JOURNAL = [
  ...[asks('k1', '100'), answered('k1', 'pay_1'), asks('k2', '50'), refused('k2', 'no_funds')],
  ...[asks('k3', '30', REFUNDS), answered('k3', 'rfd_1'), answered('k3', 'rfd_1', REPLAYED)],
]
const ROWS = [row('pay_1', 100n, 'k1'), refundRow('rfd_1', 30n, 'pay_1')]

const effectsFound = (rows: readonly Effect[], entries: readonly Entry[] = JOURNAL) =>
  judgeEffects(intentsOf(entries), rows).map(({ what, where }) => `${what} ${where}`)

const answersFound = (...entries: Entry[]) =>
  judgeAnswers(intentsOf(entries)).map(({ what, where }) => `${what} ${where}`)

describe('the judges of the torture', () => {
  it('find nothing where all is as it was asked for', () => {
    expect(effectsFound(ROWS)).to.deep.equal([])
    expect(answersFound(...JOURNAL)).to.deep.equal([])
  })

  it('find what was acknowledged and is not there', () => {
    expect(effectsFound(ROWS.slice(1))).to.deep.equal(['lost k1'])
    expect(effectsFound(ROWS.slice(0, 1))).to.deep.equal(['lost k3'])
  })

  it('find what is there with another amount, for somebody else, or under another key', () => {
    const [, refund] = ROWS
    for (const wrong of [
      ...[row('pay_1', 101n, 'k1'), { ...row('pay_1', 100n, 'k1'), who: 'eve' }],
      row('pay_1', 100n, 'k9'),
    ]) {
      expect(effectsFound([wrong, ...(refund ? [refund] : [])])).to.deep.equal(['changed k1'])
    }
  })

  it('find a refund of another payment', () => {
    const moved = [row('pay_1', 100n, 'k1'), refundRow('rfd_1', 30n, 'pay_2')]
    expect(effectsFound(moved)).to.deep.equal(['changed k3'])
  })

  it('find one effect that two were told of', () => {
    const entries = [...JOURNAL, asks('k4', '100'), answered('k4', 'pay_1')]
    expect(effectsFound(ROWS, entries)).to.include('lost k4: told that of k1')
  })

  it('find what was done twice', () => {
    const found = effectsFound([...ROWS, row('pay_2', 100n, 'k1')])
    expect(found).to.include('duplicated k1')
  })

  it('find what was refused and done all the same', () => {
    expect(effectsFound([...ROWS, row('pay_3', 50n, 'k2')])).to.deep.equal(['duplicated k2'])
  })

  it('find what nobody asked for', () => {
    const found = effectsFound([...ROWS, row('pay_3', 5n, 'k8'), refundRow('rfd_2', 1n, 'pay_1')])
    expect(found).to.deep.equal(['invented k8', 'invented rfd_2'])
  })

  it('find another answer under the same key', () => {
    const made = [asks('k1', '1'), answered('k1', 'pay_1')]
    expect(answersFound(...made, answered('k1', 'pay_2', REPLAYED))).to.have.length(1)
    expect(answersFound(...made, answered('k1', 'pay_1'))).to.have.length(1)
    expect(answersFound(...made, answered('k1', 'pay_1', { status: 200 }))).to.have.length(1)
    expect(answersFound(...made, refused('k1', 'no_funds', REPLAYED))).to.have.length(1)
  })

  it('find a refusal that was not final', () => {
    for (const more of [{ status: 402 }, REPLAYED]) {
      const turned = [refused('k1', 'no_funds', more), answered('k1', 'pay_1', REPLAYED)]
      expect(answersFound(asks('k1', '1'), ...turned)).to.have.length(1)
    }
  })

  it('ask no refusal that is not kept to be final', () => {
    const refusal = refused('k1', 'approval_required', { status: 403 })
    const [asked, made] = [asks('k1', '1'), answered('k1', 'pay_1')]
    expect(answersFound(asked, refusal, made)).to.deep.equal([])
    expect(answersFound(asked, made, refusal)).to.deep.equal(['told_otherwise k1'])
  })
})

describe('the journal of who asks', () => {
  it('keeps the order, and all that was noted at the same time', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'florin-journal-'))
    try {
      const file = join(folder, 'client.jsonl')
      const journal = await openJournal(file)
      const keys = Array.from({ length: 200 }, (_, index) => `k${index}`)
      await Promise.all(keys.map((key) => journal.note(asks(key, '1'))))
      expect(readJournal(file).map(({ key }) => key)).to.deep.equal(keys)
      await journal.note(answered('k0', 'pay_1'))
      expect(readJournal(file)).to.have.length(201)
      await journal.close()
    } finally {
      await rm(folder, { recursive: true })
    }
  })
})
