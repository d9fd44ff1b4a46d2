/** `florin verify`: checks a receipt or evidence offline, with nothing but the public keys. */
import { readFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { verifyEvidence } from '../seals/evidence.ts'
import { verifyReceipt } from '../seals/receipt.ts'
import { findKeys } from './keys.ts'
import { type Command, UsageError } from './terminal.ts'

export const verify: Command = {
  args: '<receipt.json> [--keys <jwks.json or url>] [--json]',
  summary:
    'Verify a receipt or evidence offline; the keys are what /.well-known/jwks.json answered',
  async run(words, terminal) {
    const { values, positionals } = parseArgs({
      args: [...words],
      allowPositionals: true,
      options: { keys: { type: 'string' }, json: { type: 'boolean' } },
    })
    const [file] = positionals
    if (file === undefined || positionals.length > 1)
      throw new UsageError('name one receipt or evidence')
    const text = await readFile(file, 'utf8')
    const keys = await findKeys(values.keys, file)
    if (keys === undefined) throw new UsageError('name the public keys with --keys')
    const document = parsed(text)
    const verifyIt = isEvidence(document) ? verifyEvidence : verifyReceipt
    const { proven, faults } = await verifyIt(document, keys)
    const isProven = faults.length === 0
    if (values.json === true)
      terminal.say(JSON.stringify({ proven: isProven, statements: proven, faults }))
    else
      for (const line of isProven ? proven : faults.map((fault) => `NOT PROVEN: ${fault}`))
        terminal.say(line)
    return isProven ? 0 : 1
  },
}

/** Evidence has a receipt in it. */
const isEvidence = (document: unknown): boolean =>
  typeof document === 'object' && document !== null && 'receipt' in document

/**
 * What is no JSON is no receipt, and neither is what says one thing twice: a reader would believe
 * the first, and we the last.
 */
function parsed(text: string): unknown {
  try {
    const receipt: unknown = JSON.parse(text)
    const keys = [...text.matchAll(STRINGS)].filter(([, colon]) => colon !== undefined)
    return keys.length === keysIn(receipt) ? receipt : undefined
  } catch {
    return undefined
  }
}

/** A string before a colon is a key. */
const STRINGS = /"(?:[^"\\]|\\.)*"(\s*:)?/g

function keysIn(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  const inside = Object.values(value).reduce((sum: number, one) => sum + keysIn(one), 0)
  return inside + (Array.isArray(value) ? 0 : Object.keys(value).length)
}
