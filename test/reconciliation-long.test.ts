/**
 * A long statement by `florin bank reconcile`, in constant memory: a million lines with RUN_LONG=1,
 * else five thousand. The figures are printed.
 */
import { expect } from 'chai'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { audit, connect } from '../ledger/index.ts'
import {
  expectedOf,
  fillBooks,
  type Format,
  LONG_BANK,
  writeStatement,
} from './support/long-statement.ts'
import { ROOT } from './support/source.ts'
import { world } from './support/world.ts'

const IS_LONG = process.env['RUN_LONG'] !== undefined
const PAYOUTS = IS_LONG ? 1_000_000 : 5_000
const FORMATS: readonly Format[] = IS_LONG ? ['csv', 'camt053'] : ['camt053']
const MEMORY_MAX_MB = 400
const SAMPLE_EVERY_MS = 200

/** Of the process itself, which knows how much it had at most. */
async function peakOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1024
}

async function florin(url: string, words: readonly string[]) {
  const child = spawn(process.execPath, ['services/cli/florin.mjs', ...words], {
    cwd: ROOT,
    env: { ...process.env, DATABASE_URL: url },
  })
  const text: string[] = []
  child.stdout.on('data', (bytes: Buffer) => text.push(bytes.toString()))
  child.stderr.on('data', (bytes: Buffer) => text.push(bytes.toString()))
  let memory_mb = 0
  const sampler = setInterval(() => {
    void peakOf(child.pid ?? 0).then((mb) => (memory_mb = Math.max(memory_mb, mb)))
  }, SAMPLE_EVERY_MS)
  const started = performance.now()
  const [code] = await once(child, 'close')
  clearInterval(sampler)
  return { code, text: text.join(''), memory_mb, elapsed_s: (performance.now() - started) / 1000 }
}

describe('a long statement', function () {
  this.timeout(900_000)
  let folder: string
  before(async () => (folder = await mkdtemp(join(tmpdir(), 'florin-statement-'))))
  after(() => rm(folder, { recursive: true, force: true }))

  for (const format of FORMATS) {
    it(`is reconciled in constant memory, as ${format}`, async () => {
      const { newDatabase } = await world()
      const { url } = await newDatabase()
      const db = connect({ url, connectionsMax: 2, applicationName: 'test' })
      try {
        await fillBooks(db, PAYOUTS)
        const file = join(folder, format === 'csv' ? 'statement.csv' : 'statement.xml')
        await writeStatement(file, format, PAYOUTS)
        const words = ['bank', 'reconcile', '--bank', LONG_BANK, '--file', file]
        const { code, text, memory_mb, elapsed_s } = await florin(url, words)
        // 1: not everything is explained.
        expect(code, text).to.equal(1)
        const run = await db('reconciliations').first()
        expect(run.counts).to.deep.equal(expectedOf(PAYOUTS))
        const size_mb = (await stat(file)).size / 1024 / 1024
        process.stdout.write(
          `      ${run.lines} lines (${size_mb.toFixed(0)} MB of ${format}) in ` +
            `${elapsed_s.toFixed(1)} s, ${Math.round(Number(run.lines) / elapsed_s)} lines/s, ` +
            `${memory_mb.toFixed(0)} MB at most\n`,
        )
        expect(memory_mb).to.be.within(1, MEMORY_MAX_MB)
        expect((await florin(url, words)).text).to.contain('reconciled before')
        if (!IS_LONG) expect((await audit(db)).violations).to.deep.equal([])
      } finally {
        await db.destroy()
      }
    })
  }
})
