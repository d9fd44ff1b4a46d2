/** Rules that are dated data: when they bind, and how old what is known of them may be. */
import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'chai'
import { openRuleBook } from '../services/rules/book.ts'

const at = (hour: number) => new Date(Date.UTC(2026, 0, 1, hour))
const rule = (name: string, from: number, to: number | null = null) => ({
  ...{ name, validFrom: at(from), validTo: to === null ? null : at(to) },
})

describe('A book of rules', () => {
  it('knows which rules bind at a moment: from their start on, not at their end', async () => {
    const rules = [rule('always', 0), rule('morning', 6, 12), rule('tomorrow', 24)]
    const book = openRuleBook(async () => rules, { age_ms: 1_000 })
    const names = async (hour: number) => (await book.at(at(hour))).map(({ name }) => name)
    expect(await names(5)).to.deep.equal(['always'])
    expect(await names(6)).to.deep.equal(['always', 'morning'])
    expect(await names(12)).to.deep.equal(['always'])
    expect(await names(24)).to.deep.equal(['always', 'tomorrow'])
  })

  it('is read once for a crowd, and again when it is old', async () => {
    let loads = 0
    const book = openRuleBook(
      async () => {
        loads += 1
        await pause(20)
        return [rule(`load ${loads}`, 0)]
      },
      { age_ms: 200 },
    )
    await Promise.all(Array.from({ length: 100 }, () => book.at(at(1))))
    expect(loads).to.equal(1)
    await pause(220)
    expect((await book.at(at(1)))[0]?.name).to.equal('load 2')
    expect(loads).to.equal(2)
  })

  it('shows a change at once, whatever was being read while it was made', async () => {
    let stored = 'old'
    const book = openRuleBook(
      async () => {
        const seen = stored
        await pause(30)
        return [rule(seen, 0)]
      },
      { age_ms: 60_000 },
    )
    const before = book.at(at(1))
    stored = 'new'
    book.changed()
    expect((await book.at(at(1)))[0]?.name).to.equal('new')
    expect((await before)[0]?.name).to.equal('old')
    expect((await book.at(at(1)))[0]?.name).to.equal('new')
  })

  it('answers nothing rather than what is too old, and recovers', async () => {
    let isDown = false
    const book = openRuleBook(
      async () => {
        if (isDown) throw new Error('no database')
        return [rule('one', 0)]
      },
      { age_ms: 100 },
    )
    await book.at(at(1))
    isDown = true
    await pause(60)
    expect((await book.at(at(1))).length, 'young enough').to.equal(1)
    await pause(60)
    const failure = await book.at(at(1)).catch((error: Error) => error.message)
    expect(failure).to.equal('no database')
    isDown = false
    expect((await book.at(at(1))).length).to.equal(1)
  })
})
