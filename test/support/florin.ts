/** `npm start` as a person would run it, in a data folder of its own, to be watched and killed. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

const ROOT = new URL('../../', import.meta.url)

export interface Florin {
  readonly pid: number
  readonly lines: readonly string[]
  /** Resolves when a line matches, be it printed already or later. */
  readonly printed: (pattern: RegExp) => Promise<string>
  /** The process ids of its parts that run now. */
  readonly parts: () => Readonly<Record<Part, number | undefined>>
  readonly ended: Promise<number | null>
}

export type Part = 'api' | 'worker' | 'sandbox' | 'postgres'

const PARTS: readonly (readonly [Part, RegExp])[] = [
  ['api', /services\/api\.ts/],
  ['worker', /services\/worker\.ts/],
  ['sandbox', /services\/sandbox\/main\.ts/],
  ['postgres', /bin\/postgres\b.* -D /],
]

export function startFlorin(dataDir: string, port: number, ...args: string[]): Florin {
  const env = { ...process.env, DATA_DIR: dataDir, PORT: `${port}` }
  delete (env as Record<string, unknown>)['DATABASE_URL']
  const child = spawn(process.execPath, ['services/run.mjs', 'services/start.ts', ...args], {
    ...{ cwd: ROOT, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] },
  })
  const { pid } = child
  if (pid === undefined) throw new Error('npm start did not start')
  const lines: string[] = []
  const waiting: { pattern: RegExp; found: (line: string) => void }[] = []
  for (const stream of [child.stdout, child.stderr]) {
    createInterface(stream).on('line', (line) => {
      lines.push(line)
      for (const { pattern, found } of waiting) if (pattern.test(line)) found(line)
    })
  }
  const ended = once(child, 'exit').then(([code]) => code as number | null)
  const gone = ended.then((code): never => {
    throw new Error(`npm start ended with ${code}:\n${lines.join('\n')}`)
  })
  gone.catch(() => {})
  const printed = (pattern: RegExp) => {
    const known = lines.find((line) => pattern.test(line))
    if (known !== undefined) return Promise.resolve(known)
    return Promise.race([gone, new Promise<string>((found) => waiting.push({ pattern, found }))])
  }
  return { pid, lines, printed, ended, parts: () => partsIn(dataDir, pid) }
}

/** By what `ps` shows: the parts are children of `npm start`, or servers on its data folder. */
export function partsIn(dataDir: string, pid: number): Record<Part, number | undefined> {
  const { stdout } = spawnSync('ps', ['-ww', '-eo', 'pid=,ppid=,args='], { encoding: 'utf8' })
  const all = stdout
    .split('\n')
    .map((line) => /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line))
    .flatMap((match) =>
      match ? [{ pid: Number(match[1]), ppid: Number(match[2]), args: match[3] ?? '' }] : [],
    )
  const found = PARTS.map(([part, pattern]) => {
    const process = all.find(
      (one) => pattern.test(one.args) && (one.ppid === pid || one.args.includes(dataDir)),
    )
    return [part, process?.pid] as const
  })
  return Object.fromEntries(found) as Record<Part, number | undefined>
}
