/** What it was measured on. */
import { execFileSync } from 'node:child_process'
import { cpus, totalmem } from 'node:os'

export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memory_gb: number
  readonly node: string
  readonly postgres: string
  /** With a plus when files were changed since. */
  readonly commit: string
}

export function machineWith(postgres: string): Machine {
  const [{ model: cpu } = { model: 'unknown' }, ...others] = cpus()
  return {
    ...{ cpu, cores: others.length + 1, memory_gb: Math.round(totalmem() / 2 ** 30) },
    ...{ node: process.version, postgres, commit: commit() },
  }
}

function commit(): string {
  const git = (...args: string[]) =>
    execFileSync('git', args, { cwd: import.meta.dirname, encoding: 'utf8', stdio: 'pipe' }).trim()
  try {
    return git('rev-parse', '--short', 'HEAD') + (git('status', '--porcelain') === '' ? '' : '+')
  } catch {
    return 'unknown'
  }
}
