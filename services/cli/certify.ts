/** `florin bank certify`: whether an adapter keeps what the contract promises. */
import { readFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import {
  CERTIFIABLE,
  certifyElse,
  certifyOurs,
  certifyOwn,
  tableOf,
} from '../../adapters/conformance/certify.ts'
import { foreignTrialOf, readForeignTrial, readTrial } from '../config.ts'
import { isModulePath, messageOf, readAdapterModule } from './adapter_module.ts'
import { type Command, UsageError } from './terminal.ts'

type OnVerdict = Parameters<typeof certifyOurs>[1]

/** Whom to try: one of our sandboxes, what a file describes, or what somebody wrote elsewhere. */
async function trialOf(words: readonly string[], file: string | undefined) {
  const [word, ...more] = words
  if (more.length > 0) throw new UsageError('one adapter at a time')
  if (word !== undefined && isModulePath(word)) return moduleTrial(word, file)
  if (file !== undefined && word === undefined) {
    const { bank, trial } = readTrial(await readFile(file, 'utf8'))
    return { what: bank.name, run: (each: OnVerdict) => certifyOwn(bank, trial, each) }
  }
  const protocol = CERTIFIABLE.find((one) => one === word)
  if (protocol === undefined || file !== undefined) throw new UsageError('which adapter')
  return { what: protocol, run: (each: OnVerdict) => certifyOurs(protocol, each) }
}

/** On the test system that a file describes, or else on the sandbox that the module brings. */
async function moduleTrial(path: string, file: string | undefined) {
  const { openAdapter, openSandbox } = await readAdapterModule(path)
  const run = async (each: OnVerdict) => {
    if (file !== undefined) {
      const { bank, trial } = readForeignTrial(await readFile(file, 'utf8'))
      return certifyElse(openAdapter, bank, trial, each)
    }
    if (openSandbox === undefined) {
      throw new UsageError(`${path} exports no openSandbox: say by --config how to try its bank`)
    }
    const { stop, ...told } = Object(await openSandbox())
    try {
      const { bank, trial } = foreignTrialOf(told)
      return await certifyElse(openAdapter, bank, trial, each)
    } finally {
      if (typeof stop === 'function') await stop()
    }
  }
  return { what: path, run: (each: OnVerdict) => run(each).catch((thrown) => blame(path, thrown)) }
}

/** Whatever a stranger's code throws, whoever reads it must know whose it is. */
function blame(path: string, thrown: unknown): never {
  if (thrown instanceof UsageError) throw thrown
  throw new Error(`${path}: ${messageOf(thrown)}`, { cause: thrown })
}

export const certifyBank: Command = {
  args: `${CERTIFIABLE.join('|')}|[MODULE] [--config FILE] [--json]`,
  summary:
    'Try an adapter, by name or by the path of its module, on its bank’s sandbox, or on the test ' +
    'system that a file describes',
  async run(words, terminal) {
    const { values, positionals } = parseArgs({
      ...{ args: [...words], allowPositionals: true },
      options: { json: { type: 'boolean', default: false }, config: { type: 'string' } },
    })
    const { what, run } = await trialOf(positionals, values.config)
    const verdicts = await run(({ row }) => terminal.progress(row))
    terminal.done()
    const count = (verdict: string) => verdicts.filter((one) => one.verdict === verdict).length
    const failed = count('failed')
    if (values.json) terminal.say(JSON.stringify({ protocol: what, verdicts }))
    if (!values.json) {
      const left = count('not offered')
      terminal.say(what)
      terminal.say(tableOf(verdicts))
      terminal.say(`${count('passed')} passed, ${failed} failed, ${left} not offered`)
    }
    return failed === 0 ? 0 : 1
  },
}
