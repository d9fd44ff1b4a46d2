/** `florin settlements run`, as an operator would type it. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { expect } from 'chai'
import { uuidOf } from '../services/ids.ts'
import { together } from './support/proposals.ts'
import { batchesOf, stall } from './support/stall.ts'
import { world } from './support/world.ts'

describe('florin settlements run', () => {
  it('takes everybody whose turn it is, and says how many that were', async () => {
    const { environment, owner } = await world()
    const one = await stall()
    const body = {
      ...{ currency: 'EUR', frequency: 'daily', cut_off: '00:00', time_zone: 'UTC' },
      ...{ delay_days: 0, calendar: 'weekends' },
    }
    await together(`/v1/merchants/${one.shop.id}/settlement_schedules`, { body })
    await one.move(['payment', 4_200n])
    const env = { ...process.env, ...environment, LOG_LEVEL: 'warn' }
    const args = ['services/cli/florin.mjs', 'settlements', 'run']
    const child = spawn(process.execPath, args, { env })
    const [out, err, [code]] = await Promise.all([
      ...([text(child.stdout), text(child.stderr), once(child, 'exit')] as const),
    ])
    expect(code, err).to.equal(0)
    expect(out).to.match(/^[1-9]\d* merchants were due\n\d+ batches were made/)
    // Its turn was looked at: no cut-off has passed since the schedule began.
    expect(await batchesOf(one)).to.deep.equal([])
    const turn = await owner('settlement_turns')
      .where({ merchant_id: uuidOf(one.shop.id) })
      .first()
    expect(turn.next_at.getTime()).to.be.greaterThan(Date.now())
  }).timeout(60_000)
})
