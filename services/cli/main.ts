/** `florin`: the commands, by their names. Exit codes: 0 proven, 1 not proven, 2 not done. */
import { audit } from './audit.ts'
import { certifyBank } from './certify.ts'
import { simulateFees } from './fees.ts'
import { exportCheckpoints, verifyLedger } from './ledger.ts'
import { reconcileBank } from './reconcile.ts'
import { rotateKeys } from './rotate.ts'
import { runDueSettlements } from './settlements.ts'
import { statementCommand } from './statement.ts'
import { type Command, openTerminal, UsageError } from './terminal.ts'
import { verify } from './verify.ts'

const COMMANDS: Readonly<Record<string, Command>> = {
  audit,
  verify,
  statement: {
    args: 'ACCOUNT [--from WHEN] [--to WHEN] [--by TIME] [--format csv|json] [--out FILE]',
    summary: 'Write an account’s statement, however long it is (DATABASE_URL)',
    run: (words) => statementCommand(words),
  },
  'bank certify': certifyBank,
  'bank reconcile': reconcileBank,
  'fees simulate': simulateFees,
  'keys rotate': rotateKeys,
  'settlements run': runDueSettlements,
  'ledger verify': verifyLedger,
  'ledger export-checkpoints': exportCheckpoints,
}

const NOT_DONE = 2

const usage = (): string =>
  [
    'florin <command>',
    '',
    ...Object.entries(COMMANDS).map(
      ([name, { args, summary }]) => `  florin ${`${name} ${args}`.trim()}\n      ${summary}`,
    ),
    '',
  ].join('\n')

async function main(words: readonly string[]): Promise<number> {
  const terminal = openTerminal(process.stdout, process.stderr)
  const found = [2, 1]
    .map((count) => [words.slice(0, count).join(' '), words.slice(count)] as const)
    .find(([name]) => Object.hasOwn(COMMANDS, name))
  const command = found && COMMANDS[found[0]]
  if (found === undefined || command === undefined) {
    const isAsked = words.length === 0 || words.includes('--help') || words.includes('-h')
    terminal.say(usage())
    return isAsked ? 0 : NOT_DONE
  }
  try {
    return await command.run(found[1], terminal)
  } catch (error) {
    const isUsage = error instanceof UsageError || isParseError(error)
    const [name] = found
    terminal.complain(`florin ${name}: ${error instanceof Error ? error.message : String(error)}`)
    if (isUsage) terminal.complain(`usage: florin ${name} ${command.args}`)
    return NOT_DONE
  }
}

const isParseError = (error: unknown): boolean =>
  String((error as { code?: unknown }).code).startsWith('ERR_PARSE_ARGS')

process.exitCode = await main(process.argv.slice(2))
