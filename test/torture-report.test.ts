/** What load is judged by, and how it is drawn: on figures made up for it. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { gapAround } from './torture/load/failover.ts'
import { recoveryOf } from './torture/load/overload.ts'
import { slopeOf } from './torture/load/soak.ts'
import { backOf, broken } from './torture/load/stop.ts'
import { keepFigures, keptFigures, VERDICTS, verdictOf } from './torture/report/kept-figures.ts'
import { pageOf } from './torture/report/page.ts'
import { stepsTo, svgOf } from './torture/report/plot.ts'

const second = (at_s: number, p99_ms: number | null) => ({
  ...{ at_s, offered: 10, per_s: 10, refused: 0 },
  ...{ p50_ms: p99_ms, p99_ms, refused_p99_ms: null },
})

const KEPT = { lost: 0, duplicated: 0, invented: 0, violations: 0, deadlocks: 0, payments: 5 }
const CALM = { ...KEPT, refused: {}, again: { 503: 7 }, without_retry_after: 0, slowest_ms: 900 }

describe('a plot', () => {
  const drawn = (count: number) =>
    svgOf({
      ...{ title: 'Payments', unit: 'a second', until_s: 60 },
      series: [{ name: 'paid', tone: 'first', points: [[0, 1]] }],
      marks: Array.from({ length: count }, (_, at_s) => ({
        ...{ at_s, what: `banks: ${at_s % 2 === 0 ? 'killed' : 'stood still'}: api ${at_s}` },
      })),
    })

  it('says of a few things what each was, and of many how many there were of a kind', () => {
    const [few, many] = [drawn(3), drawn(60)]
    expect(few).to.contain('banks: killed: api 2').and.not.contain('tick-mark')
    expect(many).to.contain('killed, 30').and.contain('stood still, 30')
    expect(many.split('class="tick-mark"')).to.have.length(61)
    const heightOf = (svg: string) => Number(/viewBox="0 0 \d+ (\d+)"/.exec(svg)?.[1])
    expect(heightOf(many) - heightOf(few)).to.be.lessThan(20)
  })
})

describe('the judgement of load', () => {
  it('finds a slope, a gap, and when it was as before', () => {
    expect(
      slopeOf([
        [0, 10],
        [1, 12],
        [2, 14],
      ]),
    ).to.equal(2)
    expect(
      slopeOf([
        [0, 10],
        [1, 11],
        [2, 9],
        [3, 10],
      ]),
    ).to.be.closeTo(-0.2, 1e-9)
    expect(gapAround([100, 200, 900, 950], 300)).to.equal(700)
    expect(backOf([100, 200, 900], 201)).to.equal(699)
    expect(backOf([100, 200], 201)).to.equal(null)
    expect(
      recoveryOf([second(0, 500), second(1, 40), second(2, 500), second(3, 40), second(4, 9)], 50),
    ).to.equal(3)
    expect(recoveryOf([second(0, 500), second(1, null)], 50)).to.equal(null)
  })

  it('misses nothing when all is well, and each thing that is not', () => {
    expect(broken(CALM)).to.deep.equal([])
    const changes = [
      ...Object.keys(KEPT)
        .filter((name) => name !== 'payments')
        .map((name) => ({ [name]: 1 })),
      ...[{ refused: { '402 no': 1 } }, { again: { 500: 1 } }, { again: { hung: 1 } }],
      ...[{ without_retry_after: 1 }, { slowest_ms: 60_000 }],
    ]
    for (const change of changes) {
      expect(broken({ ...CALM, ...change }), JSON.stringify(change)).to.have.length(1)
    }
  })
})

describe('the report', () => {
  it('draws what was kept, and nothing that a run could smuggle in', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'florin-report-'))
    try {
      const run = { seed: 7, commit: 'abc', clean: false, quick: true, took_s: 61 }
      const timeline = [0, 1, 2].map((at) => second(at, at === 1 ? null : 20))
      const marks = [{ at_s: 1, what: '<b>killed</b>' }]
      keepFigures({ ...run, scenario: 'stop', missed: ['<i>lost</i>'], timeline, marks }, folder)
      keepFigures({ ...run, scenario: 'banks', lost: 0 }, folder)
      const runs = keptFigures(folder)
      expect(runs.map(({ scenario }) => scenario)).to.deep.equal(['banks', 'stop'])
      const page = pageOf(runs, { machine: 'a machine', made: 'today' })
      expect(page).to.contain('&lt;b&gt;killed').and.to.contain('&lt;i&gt;lost')
      expect(page).not.to.match(/<b>|<i>|<script|https?:/)
      expect(page.match(/<svg/g)).to.have.length(2)
      expect(page).not.to.contain('NaN')
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  it('keeps the last run that tried something, and calls none clean that did not', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'florin-report-'))
    try {
      const run = { scenario: 'failover', commit: 'abc', clean: true, quick: true, took_s: 61 }
      keepFigures({ ...run, seed: 7 }, folder)
      const idle = { ...run, seed: 8, installed: false }
      keepFigures(idle, folder)
      expect(keptFigures(folder).map(({ seed }) => seed)).to.deep.equal([7])
      // As runs were kept once.
      const page = pageOf([{ ...idle, at: '2026-11-29' }], { machine: 'a machine', made: 'today' })
      expect(page).to.contain('>not tried<').and.not.contain('>clean<')
      const codes = [{ clean: true }, { clean: false }, idle].map((one) => VERDICTS[verdictOf(one)])
      expect(codes).to.deep.equal([0, 1, 2])
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  it('has ticks at 1, 2 or 5 of a power of ten, up to what is drawn', () => {
    expect(stepsTo(0)).to.satisfy(([step, end]: number[]) => step === end)
    expect(stepsTo(9)).to.deep.equal([2, 10])
    expect(stepsTo(2_327)).to.deep.equal([500, 2_500])
    expect(stepsTo(41)).to.deep.equal([10, 50])
  })
})
