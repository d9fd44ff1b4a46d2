/** Around every test: says once which Postgres it runs on, and audits the books after each. */
import { expect } from 'chai'
import { audit } from '../../ledger/index.ts'
import { closeWorld, world, worldIsOpen } from './world.ts'

/** Where Postgres's log ended at the last audit: what nothing was written to is still right. */
let audited = ''
let [audits, took_ms] = [0, 0]

export const mochaHooks = {
  async afterEach() {
    if (!worldIsOpen()) return
    const { owner } = await world()
    const { rows } = await owner.raw('SELECT pg_current_wal_insert_lsn()::text AS written')
    if (rows[0].written === audited) return
    audited = rows[0].written
    const started = performance.now()
    const { violations } = await audit(owner)
    audits += 1
    took_ms += performance.now() - started
    expect(violations, 'the books after the test').to.deep.equal([])
  },
  async afterAll() {
    if (!worldIsOpen()) return
    const { kind } = await world()
    const audited_s = (took_ms / 1000).toFixed(1)
    process.stdout.write(
      `\n  (ran on: ${kind}; ${audits} audits of the books took ${audited_s} s)\n`,
    )
    await closeWorld()
  },
}
