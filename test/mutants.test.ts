/** `npm run mutants` takes minutes; that each mistake can still be made takes none. */
import { existsSync, readFileSync } from 'node:fs'
import { expect } from 'chai'
import { mutated, MUTANTS } from './mutants/mutants.ts'
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
