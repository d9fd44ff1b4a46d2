/**
 * Around the tests: one Postgres for all of them, with books that are migrated once; a world of its
 * own for each file, so that no file meets what another left; an audit of the books after each
 * test; and at the end of a world a look at all events that were told in it, and an audit of what
 * the business keeps beside the books.
 */
import { expect } from 'chai'
import { audit } from '../../ledger/index.ts'
import { auditBusiness } from '../../services/audit/audit.ts'
import { checkEvents, madeUp } from './event-checks.ts'
import { serveTests, type TestServer } from './postgres.ts'
import { untold } from './told-by.ts'
import { closeWorld, world, worldIsOpen } from './world.ts'

const LONG_MS = 3_600_000

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
  async afterAll(this: Mocha.Context) {
    // All that a long run told of and wrote is looked at too.
    if (process.env['RUN_LONG'] === '1') this.timeout(LONG_MS)
    try {
      if (worldIsOpen()) await judgeWorld(this.test?.parent)
    } finally {
      await closeWorld()
    }
  },
}

async function judgeWorld(root: Mocha.Suite | undefined): Promise<void> {
  const { types, faults } = await checkEvents()
  expect([...faults, ...(root ? untold(root, types) : [])], 'its events').to.deep.equal([])
  const { owner } = await world()
  const found = await auditBusiness(owner)
  const wrong = found.filter(({ subject }) => !madeUp.has(subject.split(' ')[0] ?? ''))
  expect(wrong, 'the business').to.deep.equal([])
}
