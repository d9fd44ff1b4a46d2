/** Who owes whom, against a model, for flows of every kind. */
import { expect } from 'chai'
import fc from 'fast-check'
import { type Flows, obligations, positionsOf } from '../services/netting/obligations.ts'
import { modelAfter, type ModelDebt, modelNets } from './model/netting.ts'

const amount = fc.oneof(fc.bigInt(0n, 9n), fc.bigInt(0n, 10n ** 15n))
const BANKS = ['alder', 'birch', 'cedar', 'elm', 'fir', 'hazel', 'oak']

const flow = fc.record({ received: amount, paid: amount })
const seen = fc.dictionary(fc.constantFrom(...BANKS), flow, { noNullPrototype: true })
const debt = fc
  .record({ from: fc.constantFrom(...BANKS), to: fc.constantFrom(...BANKS), amount })
  .filter(({ from, to }) => from !== to)
const earlier = fc.oneof(fc.constant([]), fc.array(debt, { maxLength: 4 }))

function flowsOf(
  at: Readonly<Record<string, { received: bigint; paid: bigint }>>,
  debts: readonly ModelDebt[],
): Flows[] {
  const names = new Set([...Object.keys(at), ...debts.flatMap(({ from, to }) => [from, to])])
  return [...names].map((bank) => {
    const { received, paid } = at[bank] ?? { received: 0n, paid: 0n }
    const carried = debts.reduce((sum, one) => {
      const sign = one.from === bank ? 1n : one.to === bank ? -1n : 0n
      return sum + sign * one.amount
    }, 0n)
    return { bank, received, paid, carried }
  })
}

const sum = (amounts: readonly bigint[]) => amounts.reduce((all, one) => all + one, 0n)

describe('the netting', () => {
  it('finds the model’s positions, which sum to zero, for any flows in any order', () => {
    fc.assert(
      fc.property(seen, earlier, fc.nat(), (at, debts, turn) => {
        const flows = flowsOf(at, debts)
        const positions = positionsOf(flows)
        expect(sum(positions.map(({ net }) => net))).to.equal(0n)
        const retained = sum(flows.map(({ received, paid }) => received - paid))
        expect(sum(positions.map(({ kept }) => kept))).to.equal(retained)
        const movements = Object.entries(at).flatMap(([bank, { received, paid }]) => [
          { bank, amount: received },
          { bank, amount: -paid },
        ])
        const nets = modelNets(movements, debts)
        for (const { bank, net } of positions) expect(net, bank).to.equal(nets.get(bank) ?? 0n)
        const turned = [...flows.slice(turn % 7), ...flows.slice(0, turn % 7)]
        expect(positionsOf(turned)).to.deep.equal(positions)
      }),
    )
  })

  for (const method of ['multilateral', 'bilateral'] as const) {
    it(`is ${method}: the payments bring every position to zero, none is for nothing`, () => {
      fc.assert(
        fc.property(seen, earlier, (at, debts) => {
          const positions = positionsOf(flowsOf(at, debts))
          const nets = new Map(positions.map(({ bank, net }) => [bank, net]))
          const owed = obligations(positions, method)
          for (const [bank, left] of modelAfter(nets, owed)) expect(left, bank).to.equal(0n)
          for (const { from, to, amount: paid } of owed) {
            expect(paid > 0n && (nets.get(from) ?? 0n) > 0n && (nets.get(to) ?? 0n) < 0n).to.equal(
              true,
            )
          }
          const pairs = new Set(owed.map(({ from, to }) => `${from} ${to}`))
          expect(pairs.size).to.equal(owed.length)
          const open = [...nets.values()].filter((net) => net !== 0n).length
          if (method === 'multilateral') expect(owed.length).to.be.at.most(Math.max(0, open - 1))
          expect(obligations(positions.toReversed(), method)).to.deep.equal(owed)
        }),
      )
    })
  }

  it('leaves what was retained where it came in, as in the example of ARCHITECTURE.md', () => {
    const flows = [
      { bank: 'alder', received: 10_000n, paid: 0n, carried: 0n },
      { bank: 'birch', received: 5_000n, paid: 0n, carried: 0n },
      { bank: 'cedar', received: 0n, paid: 6_000n, carried: 0n },
    ]
    const positions = positionsOf(flows)
    expect(positions.map(({ kept }) => kept)).to.deep.equal([6_000n, 3_000n, 0n])
    expect(positions.map(({ net }) => net)).to.deep.equal([4_000n, 2_000n, -6_000n])
    expect(obligations(positions, 'multilateral')).to.deep.equal([
      { from: 'alder', to: 'cedar', amount: 4_000n },
      { from: 'birch', to: 'cedar', amount: 2_000n },
    ])
  })

  it('refuses positions that do not sum to zero', () => {
    const one = [{ bank: 'alder', net: 1n }]
    expect(() => obligations(one, 'multilateral')).to.throw('do not sum to zero')
  })
})
