/** `florin bank certify`: whether an adapter keeps what the contract promises. */
import { parseArgs } from 'node:util'
import { CERTIFIABLE, certifyOurs, tableOf } from '../../adapters/conformance/certify.ts'
import { type Command, UsageError } from './terminal.ts'

export const certifyBank: Command = {
  args: `${CERTIFIABLE.join('|')} [--json]`,
  summary: 'Try an adapter on its bank’s sandbox, promise by promise',
  async run(words, terminal) {
    const { values, positionals } = parseArgs({
      ...{ args: [...words], allowPositionals: true },
      options: { json: { type: 'boolean', default: false } },
    })
    const protocol = CERTIFIABLE.find((one) => one === positionals[0])
    if (protocol === undefined || positionals.length !== 1) throw new UsageError('which adapter')
    const verdicts = await certifyOurs(protocol, ({ row }) => terminal.progress(row))
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
