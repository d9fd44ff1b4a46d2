/** `florin keys rotate`: what earlier data keys sealed comes under the current one. */
import { parseArgs } from 'node:util'
import { connect } from '../../ledger/index.ts'
import { readCommandConfig, vaultKeysOf } from '../config.ts'
import { rotate } from '../vault/rotate.ts'
import { openVault } from '../vault/vault.ts'
import { type Command, counted, progressLine, UsageError } from './terminal.ts'

export const rotateKeys: Command = {
  args: '',
  summary: 'Seal everything at rest under the first of DATA_KEYS (DATABASE_URL of the owner)',
  async run(words, terminal) {
    parseArgs({ args: [...words], options: {} })
    const config = readCommandConfig()
    const keys = vaultKeysOf(config)
    if (config.DATABASE_URL === undefined) throw new UsageError('DATABASE_URL is not set')
    if (keys === undefined) throw new UsageError('DATA_KEYS and BLIND_INDEX_KEY are not set')
    const vault = openVault(keys)
    const options = { connectionsMax: 2, applicationName: 'florin keys rotate' }
    const db = connect({ url: config.DATABASE_URL, ...options })
    const started = performance.now()
    try {
      const { rotated, left, faults } = await rotate(db, vault, (done, of) => {
        const elapsed_s = (performance.now() - started) / 1000
        terminal.progress(progressLine('keys', { done, of }, elapsed_s))
      })
      terminal.done()
      for (const fault of faults) terminal.complain(fault)
      terminal.say(`${counted(rotated)} values were sealed anew under ${vault.current}`)
      for (const [kid, count] of left) terminal.say(`${counted(count)} are left under ${kid}`)
      if (left.size === 0) terminal.say('none is left under another key: those may be taken out')
      return left.size === 0 ? 0 : 1
    } finally {
      terminal.done()
      await db.destroy()
    }
  },
}
