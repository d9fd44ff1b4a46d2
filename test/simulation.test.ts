/** Virtual days at a bank, over the real code: nothing is lost, and everything becomes final. */
import { expect } from 'chai'
import { type House, openHouse } from './simulation/house.ts'
import { type Mistake, simulate } from './simulation/simulate.ts'

const SEEDS = Number(process.env['RUNS'] ?? 0) > 1_000 ? 200 : 3
const FIRST = Number(process.env['SEED'] ?? 1)

describe('days at a bank, simulated', function () {
  this.timeout(600_000)
  let house: House
  before(async () => (house = await openHouse()))
  after(() => house.close())

  it(`end with the bank's log, the instructions and the books agreed, ${SEEDS} times`, async () => {
    for (let seed = FIRST; seed < FIRST + SEEDS; seed += 1) {
      const { violations, story, ...figures } = await simulate(house, seed)
      process.stdout.write(`      seed ${seed}: ${JSON.stringify(figures)}\n`)
      expect(violations, `seed ${seed}:\n${story.slice(-40).join('\n')}`).to.deep.equal([])
    }
  })

  const silent = { outcome: 'rejected', eventId: 'MADE_UP', reason: 'AC06' } as const
  const MISTAKES: Readonly<Record<string, Mistake>> = {
    'a bank that is silent has refused': {
      bank: (bank) => ({
        ...bank,
        submit: (asked) =>
          bank.submit(asked).catch(() => {
            const { reference, money } = asked
            const report = { ...silent, reference, money, occurredAt: new Date(0) }
            return { state: 'final', report }
          }),
      }),
    },
    'nobody sweeps': { isDeaf: true },
  }
  for (const [what, mistake] of Object.entries(MISTAKES)) {
    it(`do not where ${what}: so this test can fail`, async () => {
      for (let seed = 1; seed <= 8; seed += 1) {
        const { violations } = await simulate(house, seed, mistake)
        if (violations.length > 0) return
      }
      expect.fail('no seed has found it')
    })
  }
})
