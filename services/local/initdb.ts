/** Makes the data folder of the local Postgres: it is whole, or it is not there. */
import { execFile } from 'node:child_process'
import { chownSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { deathPact, ENVIRONMENT } from './account.ts'
import type { Account } from './account.ts'
import { WAY_OUT } from './binaries.ts'
import type { Binaries } from './binaries.ts'
import { codeOf, explain } from './errors.ts'
import { telling } from './log-file.ts'
import { isAlive } from './signals.ts'

interface ClusterOptions {
  /** An absolute path without symbolic links. */
  readonly folder: string
  readonly binaries: Binaries
  readonly account: Account
  /** Whether to wait until the disk has it all. */
  readonly durable: boolean
}

/** Makes the folder under another name first. Does nothing if it is there already. */
export async function makeCluster(options: ClusterOptions): Promise<void> {
  const { folder, account } = options
  if (isCluster(folder)) return
  const draft = `${folder}.init-${process.pid}`
  try {
    removeDrafts(folder)
    mkdirSync(draft, { mode: 0o700 })
    if (account.ids !== undefined) chownSync(draft, account.ids.uid, account.ids.gid)
  } catch (error) {
    throw explain(`the data folder ${folder} cannot be written`, error)
  }
  try {
    await fill(draft, options)
    if (!isCluster(folder)) renameSync(draft, folder)
  } catch (error) {
    // Another start may have been faster.
    if (!isCluster(folder)) throw reasonOf(folder, error)
  } finally {
    rmSync(draft, { recursive: true, force: true, maxRetries: 5 })
  }
}

const isCluster = (folder: string) => existsSync(join(folder, 'PG_VERSION'))

async function fill(draft: string, { binaries, account, durable }: ClusterOptions): Promise<void> {
  // The order of text is built into Postgres: no update of the operating system can change it.
  const locale = ['--locale-provider=builtin', '--locale=C', '--builtin-locale=C.UTF-8']
  const access = ['-U', 'postgres', '--auth=trust', '--encoding=UTF8', '--no-instructions']
  const sync = durable ? [] : ['--no-sync']
  const line = [binaries.initdb, '-D', draft, ...access, ...locale, ...sync]
  const [command = '', ...args] = [...account.prefix, ...deathPact(), ...line]
  await promisify(execFile)(command, args, { ...account.ids, cwd: '/', env: ENVIRONMENT })
}

/** What earlier starts left that were killed half-way; not those of a start that is under way. */
function removeDrafts(folder: string): void {
  const start = `${basename(folder)}.init-`
  const drafts = readdirSync(dirname(folder)).filter((name) => name.startsWith(start))
  for (const draft of drafts) {
    const pid = Number.parseInt(draft.slice(start.length), 10)
    if (!(pid > 0) || (pid !== process.pid && isAlive(pid))) continue
    rmSync(join(dirname(folder), draft), { recursive: true, force: true, maxRetries: 5 })
  }
}

function reasonOf(folder: string, error: unknown): Error {
  if (['ENOTEMPTY', 'EEXIST'].includes(codeOf(error))) {
    return new Error(`the data folder ${folder} holds files that are not of Postgres`)
  }
  const output = error instanceof Error && 'stderr' in error ? String(error.stderr) : ''
  if (output === '') return explain(`the data folder ${folder} cannot be made`, error)
  // The first complaint: a broken initdb goes on to complain of what follows from it.
  const reason = /^.*(?:error|FATAL|PANIC):.*$/m.exec(output)?.[0] ?? output
  return new Error(`Postgres cannot make its data folder: ${telling(reason)}; or ${WAY_OUT}`)
}
