/** A bank that fails is left alone, and one that was silent is not asked twice as much. */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'chai'
import { BankError } from '../adapters/adapter.ts'
import { type Health, openBreakers } from '../services/banking/breaker.ts'
import { refusalOf, times } from './support/books.ts'

const OPTIONS = { threshold: 0.5, calls: 20, pause_ms: 100, repeats: 0.1 }

const fail = (code: 'bank_unreachable' | 'bad_callback') => async (): Promise<never> => {
  throw new BankError(code)
}

describe('the breaker of a bank', () => {
  it('opens when half of twenty calls failed, and one call tries after a pause', async () => {
    const seen: [string, Health][] = []
    const breakers = openBreakers({ ...OPTIONS, onChange: (...change) => seen.push(change) })
    for (const _ of times(9, () => 0)) await breakers.call('north', async () => 'well')
    let asked = 0
    for (const _ of times(30, () => 0)) {
      if (!breakers.mayCall('north')) continue
      asked += 1
      await refusalOf(breakers.call('north', fail('bank_unreachable')))
    }
    expect(asked, 'twenty are looked at').to.equal(11)
    expect(breakers.health('north')).to.equal('open')
    expect(breakers.health('south'), 'the other is as it was').to.equal('closed')
    const left = await refusalOf(breakers.call('north', async () => 'well'))
    expect(left, 'not even tried').to.equal('bank_unreachable')
    await sleep(OPTIONS.pause_ms + 20)
    expect(breakers.mayCall('north')).to.equal(true)
    await breakers.call('north', async () => 'well')
    expect(breakers.health('north')).to.equal('closed')
    expect(seen.map(([, health]) => health)).to.deep.equal(['open', 'half_open', 'closed'])
  })

  it('lets one call try after the pause, and none of those that waited for it', async () => {
    const breakers = openBreakers(OPTIONS)
    for (const _ of times(20, () => 0)) {
      await refusalOf(breakers.call('north', fail('bank_unreachable')))
    }
    await sleep(OPTIONS.pause_ms + 20)
    let tried = 0
    const slowly = async (): Promise<never> => {
      tried += 1
      await sleep(10)
      throw new BankError('bank_unreachable')
    }
    await Promise.all(times(8, () => refusalOf(breakers.call('north', slowly))))
    expect(tried).to.equal(1)
    expect(breakers.mayCall('north')).to.equal(false)
  })

  it('tries after its pause on a machine whose clock was set back meanwhile', async () => {
    const breakers = openBreakers(OPTIONS)
    for (const _ of times(20, () => 0)) {
      await refusalOf(breakers.call('north', fail('bank_unreachable')))
    }
    expect(breakers.mayCall('north')).to.equal(false)
    await sleep(OPTIONS.pause_ms + 20)
    const { now } = Date
    Date.now = () => now() - 3_600_000
    try {
      expect(await breakers.call('north', async () => 'well')).to.equal('well')
    } finally {
      Date.now = now
    }
    expect(breakers.health('north')).to.equal('closed')
  })

  it('does not take what is wrong with one message for trouble of the bank', async () => {
    const breakers = openBreakers(OPTIONS)
    for (const _ of times(40, () => 0)) {
      await refusalOf(breakers.call('north', fail('bad_callback')))
    }
    expect(breakers.health('north')).to.equal('closed')
  })

  it('lets a tenth of all calls be repetitions, and one a second where there are few', async () => {
    const breakers = openBreakers(OPTIONS)
    const repeated = () => times(100, () => breakers.mayRepeat('north')).filter(Boolean).length
    expect(repeated(), 'what is saved').to.equal(10)
    for (const _ of times(100, () => 0)) await breakers.call('north', async () => 'well')
    expect(repeated()).to.equal(10)
    expect(repeated()).to.equal(0)
    await sleep(1_050)
    expect(repeated()).to.equal(1)
  })
})
