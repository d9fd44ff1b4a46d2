/** The checklist is whole, and each of its proofs is a test that there is. */
import { expect } from 'chai'
import { times } from './support/abuse.ts'
import { CHECKLIST, unproven } from './support/checklist.ts'

describe('the checklist', () => {
  it('has all rows in order, each proven or said to be missing', () => {
    expect(CHECKLIST.map(({ row }) => row)).to.deep.equal(times(46, (index) => index + 1))
    for (const { row, proofs, missing } of CHECKLIST) {
      expect((proofs.length === 0) !== (missing === undefined), `row ${row}`).to.equal(true)
    }
  })

  it('names tests that there are', () => {
    expect(unproven()).to.deep.equal([])
  })
})
