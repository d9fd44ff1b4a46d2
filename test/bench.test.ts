/** The bench must not flatter: what it leaves out, nobody sees. */
import { expect } from 'chai'
import { costOf } from './bench/counters.ts'
import { latencyOf } from './bench/load.ts'
import { offer } from './bench/open-loop.ts'
import { ratioOf } from './bench/rounds.ts'

describe('the bench', () => {
  it('counts a stall for all who came meanwhile', async () => {
    const stalls = performance.now() + 700
    let hasStalled = false
    const round = await offer(500, 1, async () => {
      if (hasStalled || performance.now() < stalls) return
      hasStalled = true
      while (performance.now() < stalls + 400);
    })
    // Those who came in 0.4 s of 1 s waited up to 0.4 s: the tenth that waited longest, 0.3 s.
    expect(round.p90_ms).to.be.within(200, 500)
    expect(round.p999_ms).to.be.greaterThan(350)
    expect(round.answered_per_s).to.be.within(400, 600)
    expect(round.refused).to.equal(0)
  })

  it('gives percentiles that were measured', () => {
    const latencies = Array.from({ length: 1000 }, (_, n) => 1000 - n)
    const { p50_ms, p90_ms, p99_ms, p999_ms } = latencyOf(latencies)
    expect([p50_ms, p90_ms, p99_ms, p999_ms]).to.deep.equal([501, 901, 991, 1000])
  })

  it('compares rounds with those beside them', () => {
    const paced = (...all: number[]) => all.map((per_s) => ({ per_s }))
    expect(ratioOf(paced(10, 20, 90), paced(5, 10, 10))).to.equal(2)
  })

  it('divides what was counted by what was counted with it', () => {
    const usage = { wal_bytes: 3000, node_cpu_us: 100, postgres_cpu_us: null }
    const before = { transfers: 10, updates: 20, hotUpdates: 20, fullPageImages: 1 }
    const after = { transfers: 20, updates: 40, hotUpdates: 35, fullPageImages: 6 }
    expect(costOf([{ answered: 10, usage }], before, after)).to.deep.equal({
      ...{ wal_bytes_per_transfer: 300, full_page_images_per_transfer: 0.5 },
      ...{ node_cpu_us_per_transfer: 10, postgres_cpu_us_per_transfer: null },
      hot_update_ratio: 0.75,
    })
  })
})
