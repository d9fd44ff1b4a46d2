/** What scenarios have found, kept as JSON until a report is made of it: one file for each. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'

/** Git ignores it. */
export const FOLDER = fileURLToPath(new URL('../../../.florin/torture/', import.meta.url))

const Point = z.object({
  at_s: z.number(),
  per_s: z.number(),
  p50_ms: z.number().nullable(),
  p99_ms: z.number().nullable(),
  offered: z.number().optional(),
  refused: z.number().optional(),
})
const Mark = z.object({ at_s: z.number(), what: z.string() })
const Run = z.looseObject({
  seed: z.number(),
  commit: z.string(),
  scenario: z.string(),
  clean: z.boolean(),
  quick: z.boolean(),
  took_s: z.number(),
  at: z.string(),
  /** False where what a scenario needs is not there: nothing was tried. */
  installed: z.boolean().optional(),
  timeline: z.array(Point).readonly().optional(),
  marks: z.array(Mark).readonly().optional(),
  samples: z.array(z.record(z.string(), z.number().nullable())).readonly().optional(),
})

export type KeptRun = z.infer<typeof Run>

/** What a run says in the end, and what its process ends with. */
export const VERDICTS = { clean: 0, 'not clean': 1, 'not tried': 2 } as const

interface Ended {
  readonly clean: boolean
  readonly installed?: boolean | undefined
}

export function verdictOf(run: Ended): keyof typeof VERDICTS {
  if (run.installed === false) return 'not tried'
  return run.clean ? 'clean' : 'not clean'
}

/**
 * The newest run of a scenario takes the place of the one before; one in which nothing was tried
 * takes nobody's.
 */
export function keepFigures(run: Omit<KeptRun, 'at'> & Ended, folder = FOLDER): void {
  if (verdictOf(run) === 'not tried') return
  mkdirSync(folder, { recursive: true })
  const dated = { at: new Date().toISOString(), ...run }
  writeFileSync(join(folder, `${String(run.scenario)}.json`), `${JSON.stringify(dated)}\n`)
}

/** In the order of their names. */
export function keptFigures(folder = FOLDER): KeptRun[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .filter((name) => name.endsWith('.json') && name !== 'report.json')
    .sort()
    .map((name) => Run.parse(JSON.parse(readFileSync(join(folder, name), 'utf8'))))
}
