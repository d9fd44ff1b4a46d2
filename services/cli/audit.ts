/** `florin audit`: proves what the business says of its payments, from the database itself. */
import { parseArgs } from 'node:util'
import { connect } from '../../ledger/index.ts'
import { auditBusiness, INVARIANTS } from '../audit/audit.ts'
import { readCommandConfig } from '../config.ts'
import { type Command, UsageError } from './terminal.ts'

export const audit: Command = {
  args: '[--drained] [--json]',
  summary:
    'Prove payments, instructions and batches against books, banks and events (DATABASE_URL);' +
    ' --drained: also what holds only while nobody is at work',
  async run(words, terminal) {
    const options = { drained: { type: 'boolean' }, json: { type: 'boolean' } } as const
    const { values } = parseArgs({ args: [...words], options })
    const isDrained = values.drained === true
    const { DATABASE_URL: url } = readCommandConfig()
    if (url === undefined) throw new UsageError('DATABASE_URL is not set')
    const db = connect({ url, connectionsMax: 1, applicationName: 'florin audit' })
    try {
      const violations = await auditBusiness(db, {
        isDrained,
        onProgress: (name, done, of) => terminal.progress(`${done} of ${of}: ${name}`),
      })
      terminal.done()
      const asked = INVARIANTS.filter(({ holds }) => isDrained || holds === 'always').length
      const proven = violations.length === 0
      if (values.json === true) {
        terminal.say(JSON.stringify({ proven, invariants: asked, violations }))
        return proven ? 0 : 1
      }
      for (const { invariant, subject } of violations) {
        terminal.say(`VIOLATED ${invariant}: ${subject}`)
      }
      terminal.say(`${asked} invariants: ${proven ? 'all of them hold' : 'NOT PROVEN'}`)
      return proven ? 0 : 1
    } finally {
      terminal.done()
      await db.destroy()
    }
  },
}
