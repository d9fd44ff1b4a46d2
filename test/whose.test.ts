/** The judge of the simulation that asks whose money it is in the end. */
import { expect } from 'chai'
import { type Ended, mayHave, type Wish } from './simulation/whose.ts'

describe('two wallets in the end', () => {
  const wish = (kind: Wish['kind'], payer: 0 | 1 = 0): Wish[] => [
    { reference: 'R', kind, payer, amount: 7n },
  ]
  const may = (wishes: readonly Wish[], ended: Ended, first: bigint, second: bigint) =>
    mayHave([100n, 50n], wishes, () => ended, [first, second])
  const [paid, back] = [
    { state: 'settled', paid: 1 },
    { state: 'returned', paid: 0 },
  ]

  it('have what the bank has moved for whoever asked, and for nobody else', () => {
    expect(may(wish('withdrawal'), paid, 93n, 50n)).to.equal(true)
    expect(may(wish('withdrawal'), paid, 100n, 43n)).to.equal(false)
    expect(may(wish('top_up', 1), paid, 100n, 57n)).to.equal(true)
    expect(may(wish('top_up', 1), paid, 107n, 50n)).to.equal(false)
    expect(may(wish('payment'), paid, 100n, 57n)).to.equal(true)
    expect(may(wish('payment'), paid, 107n, 50n)).to.equal(false)
    expect(may(wish('payment'), { state: 'rejected', paid: 0 }, 100n, 57n)).to.equal(false)
  })

  it('have it where it was sent back, as far as that is known', () => {
    expect(may(wish('withdrawal'), back, 100n, 50n)).to.equal(true)
    expect(may(wish('withdrawal'), back, 93n, 50n)).to.equal(false)
    for (const [first, second, is] of [
      ...([
        [100n, 50n, true],
        [93n, 57n, true],
        [100n, 57n, true],
      ] as const),
      ...([
        [93n, 50n, false],
        [107n, 43n, false],
      ] as const),
    ]) {
      expect(may(wish('payment'), back, first, second)).to.equal(is)
    }
  })

  it('have nothing yet of what waits for a person, and no longer what is to go', () => {
    const waits = { state: 'manual', paid: 1 }
    expect(may(wish('withdrawal'), waits, 93n, 50n)).to.equal(true)
    expect(may(wish('top_up'), waits, 107n, 50n)).to.equal(false)
  })
})
