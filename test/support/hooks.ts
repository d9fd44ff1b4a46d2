/** Around every test: says once which Postgres it runs on, and audits the books after each. */
import { expect } from 'chai'
import { audit } from '../../ledger/index.ts'
import { closeWorld, world, worldIsOpen } from './world.ts'

export const mochaHooks = {
  async afterEach() {
    if (!worldIsOpen()) return
    const { owner } = await world()
    const { violations } = await audit(owner)
    expect(violations, 'the books after the test').to.deep.equal([])
  },
  async afterAll() {
    if (!worldIsOpen()) return
    const { kind } = await world()
    process.stdout.write(`\n  (ran on: ${kind})\n`)
    await closeWorld()
  },
}
