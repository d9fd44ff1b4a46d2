/** Virtual days at a bank, over the real code: nothing is lost, and everything becomes final. */
import { expect } from 'chai'
import { type House, openHouse } from './simulation/house.ts'
import { simulate } from './simulation/simulate.ts'

const SEEDS = Number(process.env['RUNS'] ?? 0) > 1_000 ? 200 : 3
const FIRST = Number(process.env['SEED'] ?? 1)

describe('days at a bank, simulated', function () {
  this.timeout(600_000)
  let house: House
  before(async () => (house = await openHouse()))
  after(() => house.close())

  it(`end with the bank's log, the instructions and the books agreed, ${SEEDS} times`, async () => {
    for (let seed = FIRST; seed < FIRST + SEEDS; seed += 1) {
      const t = performance.now()
      const { violations, story, ...figures } = await simulate(house, seed)
      if (process.env['SHOW']) console.log(seed, performance.now() - t, JSON.stringify(figures))
      expect(violations, `seed ${seed}:\n${story.slice(-40).join('\n')}`).to.deep.equal([])
    }
  })
})
