/** `florin verify`: checks a receipt offline, with nothing but the public keys. */
import { readFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { verifyReceipt } from '../seals/receipt.ts'
import { findKeys } from './keys.ts'
import { type Command, UsageError } from './terminal.ts'

export const verify: Command = {
  args: '<receipt.json> [--keys <jwks.json or url>] [--json]',
  summary: 'Verify a receipt offline; the keys are what /.well-known/jwks.json answered',
  async run(words, terminal) {
    const { values, positionals } = parseArgs({
      args: [...words],
      allowPositionals: true,
      options: { keys: { type: 'string' }, json: { type: 'boolean' } },
    })
    const [file] = positionals
    if (file === undefined || positionals.length > 1) throw new UsageError('name one receipt')
    const text = await readFile(file, 'utf8')
    const keys = await findKeys(values.keys, file)
    if (keys === undefined) throw new UsageError('name the public keys with --keys')
    const { proven, faults } = await verifyReceipt(parsed(text), keys)
    const isProven = faults.length === 0
    if (values.json === true)
      terminal.say(JSON.stringify({ proven: isProven, statements: proven, faults }))
    else
      for (const line of isProven ? proven : faults.map((fault) => `NOT PROVEN: ${fault}`))
        terminal.say(line)
    return isProven ? 0 : 1
  },
}

/** What is no JSON is no receipt. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
