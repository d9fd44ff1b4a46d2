/** What the scenario of bad input makes of how large the API was. */
import { expect } from 'chai'
import { leastOf } from './torture/input/scenario.ts'

describe('how large the API was', () => {
  it('is the least after the warm-up and in the end: what comes and goes is no growth', () => {
    const [up, down] = [250, 210]
    const sizes = [200, 205, down, up, up, down, up, up]
    expect(leastOf(sizes)).to.deep.equal([210, 250, 250])
    expect(leastOf([...sizes, down])).to.deep.equal([210, 210, 250])
  })

  it('grows where nothing is given back', () => {
    const sizes = Array.from({ length: 40 }, (_, index) => 200 + 10 * index)
    expect(leastOf(sizes)).to.deep.equal([300, 500, 590])
    expect(leastOf([200, 300])).to.deep.equal([200, 300, 300])
    expect(leastOf([200])).to.deep.equal([200, 200, 200])
  })
})
