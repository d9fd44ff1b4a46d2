/**
 * Around the tests: one Postgres for all of them, with books that are migrated once; a world of its
 * own for each file, so that no file meets what another left; and an audit of the books after each
 * test.
 */
import { expect } from 'chai'
import { audit } from '../../ledger/index.ts'
import { serveTests, type TestServer } from './postgres.ts'
import { closeWorld, world, worldIsOpen } from './world.ts'

let server: TestServer | undefined

export async function mochaGlobalSetup(): Promise<void> {
  server = await serveTests()
  process.stdout.write(`\n  (running on: ${server.kind})\n`)
}

export const mochaGlobalTeardown = () => server?.stop()

/** Where Postgres's log ended at the last audit: what nothing was written to is still right. */
let audited = ''

export const mochaHooks = {
  async afterEach() {
    if (!worldIsOpen()) return
    const { owner } = await world()
    const { rows } = await owner.raw('SELECT pg_current_wal_insert_lsn()::text AS written')
    if (rows[0].written === audited) return
    audited = rows[0].written
    const { violations } = await audit(owner)
    expect(violations, 'the books after the test').to.deep.equal([])
  },
  afterAll: closeWorld,
}
