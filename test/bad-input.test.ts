/** A thousand requests that nobody should send; `npm run torture` sends a hundred thousand. */
import { expect } from 'chai'
import { quiet } from './support/abuse.ts'
import { tokenOf } from './support/api.ts'
import { BANK_SECRET, world } from './support/world.ts'
import { sendBadInput } from './torture/input/input.ts'

const SEED = Number(process.env['SEED'] ?? 4)
const REQUESTS = Number(process.env['REQUESTS'] ?? 1_000)

describe(`bad input (seed ${SEED})`, () => {
  it('is refused as documented, whatever it is, and changes nothing', async () => {
    const { apiUrl, owner } = await world()
    const stage = {
      ...{ apiUrl, db: owner, tokenOf: (sub: string, scope: string) => tokenOf({ sub, scope }) },
      banks: ['north', 'south'].map((name) => ({ name, secret: BANK_SECRET })),
      customer: { number: 'T-0001', holder: 'Customer 1' },
    }
    const { offences, answers } = await sendBadInput(stage, {
      ...{ seed: SEED, requests: REQUESTS, connections: 8, say: () => {} },
      between: quiet,
    })
    if (process.env['SHOW']) console.log(answers)
    expect(offences, offences.join('\n')).to.deep.equal([])
    expect(Object.keys(answers)).to.have.length(8)
  })
})
