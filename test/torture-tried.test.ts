/** What a run of the torture was: what broke in it, what was tried, and when it was fast. */
import { expect } from 'chai'
import { done } from './support/done.ts'
import { timelineOf } from './torture/laps.ts'
import { intentsOf } from './torture/told.ts'
import { brokenIn, FAULTS, type Tried, untried } from './torture/tried.ts'

describe('the judge of what broke', () => {
  const found = (
    log: string,
    gaveUp: readonly string[] = [],
    doubts: Record<string, number> = {},
  ) => brokenIn([{ name: 'api 1', words: () => log, gaveUp: () => gaveUp }], { doubts }).length

  it('finds a process that ended by itself, answers of 500, and words of surprise', () => {
    expect(found('{"level":40,"msg":"connection"}\n', [], { 503: 9, none: 9 })).to.equal(0)
    expect(found('', ['api 1: 1'])).to.equal(1)
    expect(found('', [], { 500: 1 })).to.equal(1)
    expect(found('{"level":50,"msg":"internal error"}\n')).to.equal(1)
    expect(found('UnhandledPromiseRejection: x\nUncaught y\n')).to.equal(2)
  })
})

describe('the judge of what was tried', () => {
  const made = (path: string) => done('ada', path, 'x')
  const PATHS = [
    ...['top_ups', 'withdrawals', 'orders', 'payments', 'payments/p/capture', 'payments/p/void'],
    ...['payments/p/refunds', 'payments/p/disputes', 'disputes/d/accept', 'disputes/d/evidence'],
    'settlements',
  ].map((path) => `/v1/${path}`)
  const outcomes = {
    ...{ 'debit settled': 9, 'debit rejected': 1 },
    ...{ 'credit settled': 9, 'credit rejected': 1, 'credit returned': 1 },
  }
  const harmed = {
    ...{ killed: 1, 'stood still': 1, 'all killed': 1, 'Postgres killed': 1 },
    ...{ 'backend of Postgres killed': 1, 'backend of Postgres stood still': 1 },
    ...{ 'wrong time': 1, clock_believed: 1 },
  }
  const faults = Object.fromEntries(FAULTS.map((name) => [name, 1]))
  const ALL: Tried = {
    ...{ chaos_s: 300, intents: intentsOf(PATHS.flatMap(made)), outcomes, harmed },
    ...{ refused_by: { insufficient_funds: 9 }, instructions: 100, decided_by_hand: 5, checks: 5 },
    ...{ unasked: 1, faults, jobs_deleted: 1, possible: { clocks: true, redis: false } },
  }
  const missing = (more: Partial<Tried>) => untried({ ...ALL, ...more }).map(({ where }) => where)

  it('asks for everything of a long run, and of a short one for what is always so', () => {
    expect(missing({})).to.deep.equal([])
    const nothing = {
      ...{ intents: intentsOf([]), outcomes: {}, harmed: { clock_believed: 0 }, faults: {} },
      ...{ checks: 0, unasked: 0, jobs_deleted: 0 },
    }
    expect(missing(nothing)).to.have.length(11 + 5 + 8 + FAULTS.length + 3)
    expect(missing({ ...nothing, chaos_s: 25 })).to.deep.equal([])
  })

  it('asks for what can be done where it runs', () => {
    const { 'wrong time': _, clock_believed: __, ...noClocks } = harmed
    const possible = { clocks: false, redis: false }
    expect(missing({ harmed: noClocks })).to.deep.equal(['wrong time', 'clock_believed'])
    expect(missing({ harmed: noClocks, possible })).to.deep.equal([])
    const inRedis = { jobs_deleted: 0, possible: { clocks: true, redis: true } }
    expect(missing(inRedis)).to.deep.equal([])
    expect(missing({ ...inRedis, chaos_s: 900, checks: 15 })).to.deep.equal([
      ...['Redis killed', 'Redis killed, its disk lost', 'Redis wiped'],
    ])
  })

  it('finds what nobody should have been told, and too much that people had to decide', () => {
    const odd = { refused_by: { internal: 1 }, decided_by_hand: 6 }
    const found = ['refused with internal', '6 instructions left to people']
    expect(missing({ ...odd, chaos_s: 25 })).to.deep.equal(found)
  })
})

describe('the timeline of a run', () => {
  it('has each second, those in which nobody was answered too', () => {
    const answers = [
      [900, 1],
      [1100, 10],
      [1200, 30],
      [3000, 7],
    ] as const
    const laps = timelineOf(
      answers.map(([at_ms, took_ms]) => ({ at_ms, took_ms })),
      1000,
    )
    expect(laps).to.deep.equal([
      { at_s: 0, per_s: 2, p50_ms: 30, p99_ms: 30 },
      { at_s: 1, per_s: 0, p50_ms: null, p99_ms: null },
      { at_s: 2, per_s: 1, p50_ms: 7, p99_ms: 7 },
    ])
  })
})
