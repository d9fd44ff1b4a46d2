/** `florin bank certify`: whether an adapter keeps what the contract promises. */
import { readFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import {
  CERTIFIABLE,
  certifyOurs,
  certifyOwn,
  tableOf,
} from '../../adapters/conformance/certify.ts'
import { readTrial } from '../config.ts'
import { type Command, UsageError } from './terminal.ts'

type Ours = (typeof CERTIFIABLE)[number]

/** Whom to try: one of our sandboxes, or what a file describes. */
async function bankOf(words: readonly string[], file: string | undefined) {
  if (file !== undefined && words.length === 0) return readTrial(await readFile(file, 'utf8'))
  const protocol = CERTIFIABLE.find((one) => one === words[0])
  if (protocol === undefined || words.length !== 1 || file !== undefined) {
    throw new UsageError('which adapter')
  }
  return protocol
}

export const certifyBank: Command = {
  args: `${CERTIFIABLE.join('|')}|--config FILE [--json]`,
  summary: 'Try an adapter on its bank’s sandbox, or on the test system that a file describes',
  async run(words, terminal) {
    const { values, positionals } = parseArgs({
      ...{ args: [...words], allowPositionals: true },
      options: { json: { type: 'boolean', default: false }, config: { type: 'string' } },
    })
    const asked: Ours | Awaited<ReturnType<typeof readTrial>> = await bankOf(
      positionals,
      values.config,
    )
    const progress = ({ row }: { readonly row: string }) => terminal.progress(row)
    const isOurs = typeof asked === 'string'
    const protocol = isOurs ? asked : asked.bank.name
    const verdicts = isOurs
      ? await certifyOurs(asked, progress)
      : await certifyOwn(asked.bank, asked.trial, progress)
    terminal.done()
    const count = (verdict: string) => verdicts.filter((one) => one.verdict === verdict).length
    const failed = count('failed')
    if (values.json) terminal.say(JSON.stringify({ protocol, verdicts }))
    if (!values.json) {
      const left = count('not offered')
      terminal.say(protocol)
      terminal.say(tableOf(verdicts))
      terminal.say(`${count('passed')} passed, ${failed} failed, ${left} not offered`)
    }
    return failed === 0 ? 0 : 1
  },
}
