/** Virtual days at a bank, over the real code: nothing is lost, and everything becomes final. */
import { expect } from 'chai'
import { type House, openHouse } from './simulation/house.ts'
import { MISTAKES } from './simulation/mistakes.ts'
import { simulate } from './simulation/simulate.ts'

const IS_LONG = Number(process.env['RUNS'] ?? 0) > 1_000
const SEEDS = IS_LONG ? 200 : 2
/** Whoever leaves everything to a person does nothing wrong, and nothing. */
const BY_HAND_MAX = 0.02
/** Few need more than one. */
const SEEDS_MAX = 50
const FIRST = Number(process.env['SEED'] ?? 1)

describe('days at a bank, simulated', function () {
  this.timeout(IS_LONG ? 3_600_000 : 600_000)
  let house: House
  before(async () => (house = await openHouse()))
  after(() => house.close())

  let told: readonly string[] = []
  it(`end with the bank's log, the instructions and the books agreed, ${SEEDS} times`, async () => {
    let [instructions, byHand] = [0, 0]
    for (let seed = FIRST; seed < FIRST + SEEDS; seed += 1) {
      const { violations, story, ...figures } = await simulate(house, seed)
      instructions += figures.instructions
      byHand += figures.states['manual'] ?? 0
      process.stdout.write(`      seed ${seed}: ${JSON.stringify(figures)}\n`)
      expect(violations, `seed ${seed}:\n${story.slice(-40).join('\n')}`).to.deep.equal([])
      if (seed === FIRST) told = story
    }
    expect(byHand, 'left to a person').to.be.at.most(instructions * BY_HAND_MAX)
  })

  it('are the same days for the same seed, so that one that failed can be looked at', async () => {
    const { story } = await simulate(house, FIRST)
    expect(story).to.deep.equal(told)
    expect(story.length).to.be.greaterThan(20)
  })

  // One of them shows that a mistake is found at all; the others take as long as it does.
  for (const [what, mistake] of Object.entries(MISTAKES).slice(0, IS_LONG ? undefined : 1)) {
    it(`do not where ${what}: so this test can fail`, async () => {
      for (let seed = 1; seed <= SEEDS_MAX; seed += 1) {
        const { violations } = await simulate(house, seed, mistake)
        if (violations.length === 0) continue
        process.stdout.write(`      seed ${seed}: ${violations[0]?.split('\n')[0]}\n`)
        return
      }
      expect.fail('no seed has found it')
    })
  }
})
