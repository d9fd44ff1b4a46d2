/** `npm run mutants` takes minutes; that each mistake can still be made takes none. */
import { existsSync, readFileSync } from 'node:fs'
import { expect } from 'chai'
import { mutated, MUTANTS } from './mutants/mutants.ts'
import { controlOf, outcomeOf, type Tried, verdictOn } from './mutants/verdict.ts'
import { ROOT } from './support/source.ts'

describe('the mistakes that tests must notice', () => {
  it('are twenty-two, each of them of its own', () => {
    expect(new Set(MUTANTS.map(({ name }) => name))).to.have.length(22)
  })

  for (const mutant of MUTANTS) {
    it(`can be made: ${mutant.name}`, () => {
      const source = readFileSync(ROOT + mutant.file, 'utf8')
      expect(mutated(source, mutant)).not.to.equal(source)
      for (const test of mutant.tests) expect(existsSync(ROOT + test), test).to.equal(true)
    })
  }
})

const HOOK = 'refunds "before all" hook in "refunds"'
const AUDIT = 'refunds "after each" hook for "gives back what was paid"'

const report = (
  passes: number,
  ...failures: readonly (readonly [title: string, why: string])[]
) => ({
  stats: { passes },
  failures: failures.map(([fullTitle, message]) => ({ fullTitle, err: { message } })),
})
const failed = (title: string, message = 'expected 1 to equal 2') =>
  outcomeOf(1, report(3, [title, message]))
const [PASSED, EMPTY] = [outcomeOf(0, report(1)), outcomeOf(0, report(0))]
const LATE = 'Timeout of 60000ms exceeded. For async tests and hooks, ensure "done()" is called'

describe('the verdict on a mistake', () => {
  const verdict = (...tried: readonly Omit<Tried, 'test'>[]) =>
    verdictOn(tried.map((one, index) => ({ test: `${index}.test.ts`, ...one })))

  it('is that it was noticed where a test fails with it and passes without', () => {
    const killed = { mutated: failed('a b'), control: PASSED }
    expect(verdict(killed)).to.deep.equal({ is: 'killed', by: '0.test.ts: a b' })
    expect(verdict({ mutated: PASSED }, killed).is).to.equal('killed')
    expect(verdict({ mutated: failed(AUDIT), control: PASSED }).is).to.equal('killed')
    expect(verdict({ mutated: PASSED }).is).to.equal('SURVIVED')
    expect(verdict().is).to.equal('SURVIVED')
  })

  it('is not that where it fails anyway, or where no test ran without the mistake', () => {
    for (const control of [failed('a b'), failed(HOOK), EMPTY]) {
      const { is, by } = verdict({ mutated: failed('a b'), control })
      expect(is).to.equal('UNCLEAR')
      expect(by).to.match(/fails anyway|ran no test/)
    }
    expect(verdict({ mutated: failed('a b') }).is).to.equal('UNCLEAR')
    expect(verdict({ mutated: EMPTY }).is).to.equal('UNCLEAR')
  })

  it('is not that for want of time, until another test notices', () => {
    const late = { mutated: failed('a b', LATE), control: PASSED }
    expect(verdict(late)).to.deep.equal({ is: 'UNCLEAR', by: '0.test.ts: a b (took too long)' })
    expect(verdict(late, { mutated: failed('c d'), control: PASSED }).by).to.equal('1.test.ts: c d')
  })

  it('compares a hook with the whole file, and a test with itself, which must be there', () => {
    expect(controlOf(HOOK)).to.deep.equal([])
    expect(controlOf(AUDIT)).to.deep.equal([])
    expect(controlOf('a b')).to.deep.equal(['--fail-zero', '--fgrep', 'a b'])
    expect(controlOf('says that a hook is called')).to.include('--fail-zero')
  })

  it('is not given on a run that names nothing that failed, or says nothing', () => {
    expect(() => outcomeOf(1, report(3))).to.throw('nothing has failed')
    expect(() => outcomeOf(0, {})).to.throw()
  })
})
