/** What load is judged by, and how it is drawn: on figures made up for it. */
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { gapAround } from './torture/load/failover.ts'
import { deadlocksIn } from './torture/load/kept-promises.ts'
import { missedOf as missedInOverload, recoveryOf } from './torture/load/overload.ts'
import { type Note, ownedAfter, partiesOf } from './torture/load/owned.ts'
import { arrive, gapsOf } from './torture/load/pace.ts'
import { demanded, missedOf as missedInSoak, slopeOf } from './torture/load/soak.ts'
import { backOf, broken } from './torture/load/stop.ts'
import { keepFigures, keptFigures, VERDICTS, verdictOf } from './torture/report/kept-figures.ts'
import { pageOf } from './torture/report/page.ts'
import { stepsTo, svgOf } from './torture/report/plot.ts'

const second = (at_s: number, p99_ms: number | null) => ({
  ...{ at_s, offered: 10, per_s: 10, refused: 0 },
  ...{ p50_ms: p99_ms, p99_ms, refused_p99_ms: null },
})

const KEPT = {
  ...{ lost: 0, duplicated: 0, invented: 0, balances_wrong: 0, violations: 0, deadlocks: 0 },
  payments: 5,
}
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

const SOAK = {
  ...{ not_offered: 0, p50_ms: 5, p99_ms: 9, p99_early_ms: 9, p99_late_ms: 9 },
  ...{ api_mb_early: 200, api_mb_late: 201, worker_mb_early: 200, worker_mb_late: 201 },
  ...{ api_mb_per_minute: 0.1, worker_mb_per_minute: 0.1, lag_ms_median: 10, lag_ms_max: 20 },
  ...{ waiting_max: 7, samples_taken: 300, seconds: 1_800 },
}
const OVERLOAD = {
  ...{ maximum_per_s: 800, offered_per_s: 2_400, goodput_per_s: 700, goodput_ratio: 0.9 },
  ...{ goodput_ratios: [0.9], statuses: { 201: 1, 503: 2 }, without_retry_after: 0 },
  ...{ not_offered: 9, not_offered_share: 0.01, late_ms: 3, asking_max: 500, normal_p99_ms: 9 },
  ...{ overload_p99_ms: 90, refusal_p99_ms: 9, recovered_after_s: 0 },
}

describe('what nothing was measured for', () => {
  it('is missed, whatever it is', () => {
    expect(missedInSoak(SOAK, false)).to.deep.equal([])
    expect(missedInOverload(OVERLOAD)).to.deep.equal([])
    for (const name of Object.keys(SOAK)) {
      expect(missedInSoak({ ...SOAK, [name]: Number.NaN }, true), name).to.have.length(1)
    }
    for (const none of [{ goodput_ratio: Number.NaN }, { goodput_ratios: [0.9, Number.NaN] }]) {
      expect(missedInOverload({ ...OVERLOAD, ...none })).to.have.length(1)
    }
    expect(missedInSoak({ ...SOAK, waiting_max: -Infinity }, false)).to.have.length(1)
  })

  it('is missed where it could not even be asked', () => {
    expect(missedInSoak({ ...SOAK, not_offered: 1 }, true)).to.have.length(1)
    const many = { not_offered: 900, not_offered_share: 0.06 }
    expect(missedInOverload({ ...OVERLOAD, ...many })).to.have.length(1)
  })

  it('ends a run where a process does not say it', () => {
    const read = demanded((name) => ({ there: 7, none: Number.NaN })[name])
    expect(read('there')).to.equal(7)
    expect(() => read('none')).to.throw('none is NaN')
    expect(() => read('away')).to.throw('away is undefined')
  })

  it('is not what was offered: only what was sent is that', async () => {
    const server = createServer((request, response) => {
      const answer = () =>
        response.writeHead(request.method === 'GET' ? 200 : 201, { 'content-length': 0 }).end()
      // Nobody is answered before it is over.
      setTimeout(answer, request.method === 'GET' ? 0 : 1_500)
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    try {
      const { port } = server.address() as AddressInfo
      const request = 'POST / HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 0\r\n\r\n'
      const payments = { prepare: () => {}, next: () => ({ key: 'k1', request }) }
      const order = { do: 'arrive', per_s: 300, seconds: 1 } as const
      const done = await arrive({ port, payments, seed: 7 }, order, 20)
      expect(done.timeline.map(({ offered }) => offered)).to.deep.equal([20])
      expect(done.statuses).to.deep.equal({ 201: 20 })
      expect(done.notOffered).to.be.within(200, 350)
    } finally {
      server.closeAllConnections()
      server.close()
    }
  })

  it('comes at times that the seed says', () => {
    const times = (seed: number) => Array.from({ length: 2_000 }, gapsOf(100, seed))
    expect(times(7)).to.deep.equal(times(7)).and.not.deep.equal(times(8))
    expect(times(7).reduce((sum, one) => sum + one, 0) / 2_000).to.be.closeTo(10, 1)
  })
})

describe('what people own after a load', () => {
  const asks = (key: string, from: string, to: string, amount = '1'): Note => ({
    ...{ asks: key, from, to, amount },
  })
  const said = (answered: string, status = 201): Note => ({ answered, status })
  const before = new Map([
    ['wallet ada', 10n],
    ['wallet bob', 10n],
    ['fees', 3n],
  ])

  it('is what they had, less what they paid, with what they were paid', () => {
    const notes = [
      ...[asks('k1', 'ada', 'bob'), said('k1'), asks('k2', 'ada', 'bob', '4'), said('k2')],
      ...[asks('k3', 'bob', 'ada', '2'), said('k3'), asks('k4', 'ada', 'bob'), said('k4', 402)],
      ...[asks('k5', 'ada', 'cid'), asks('k6', 'bob', 'cid'), said('k6')],
    ]
    expect([...ownedAfter(before, notes)]).to.deep.equal([
      ...[['wallet ada', 7n] as const, ['wallet bob', 12n] as const, ['fees', 3n] as const],
      ['wallet cid', 1n],
    ])
    expect(() => ownedAfter(before, [{ asks: 'k1' }, said('k1')])).to.throw('k1: who pays whom?')
  })

  it('is moved by what a request says', () => {
    const token = `e30.${Buffer.from('{"sub":"ada"}').toString('base64url')}.c2ln`
    const body = JSON.stringify({ payee: '@bob', amount: '1', currency: 'EUR' })
    const request =
      `POST /v1/payments HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer ${token}\r\n` +
      `content-length: ${body.length}\r\n\r\n${body}`
    expect(partiesOf(request)).to.deep.equal({ from: 'ada', to: 'bob', amount: '1' })
  })

  it('comes with the deadlocks of all logs, each of which is that of a server', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'florin-logs-'))
    try {
      const files = ['a.log', 'b.log', 'c.log'].map((name) => join(folder, name))
      const ready = 'LOG:  database system is ready to accept connections\n'
      const texts = [`${ready}ERROR:  deadlock detected\nERROR:  deadlock detected\n`, ready, '']
      for (const [index, file] of files.entries()) await writeFile(file, texts[index] ?? '')
      expect(deadlocksIn(files.slice(0, 2))).to.equal(2)
      expect(() => deadlocksIn(files)).to.throw('is not the log of a server')
    } finally {
      await rm(folder, { recursive: true })
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
