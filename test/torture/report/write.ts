/** The report: one page and one JSON, of what scenarios have found so far. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Machine } from '../../bench/machine.ts'
import { FOLDER, keptFigures } from './kept-figures.ts'
import { pageOf } from './page.ts'

/**
 * @param file the page; the JSON is beside it.
 * @returns how many scenarios are in it.
 */
export function writeReport(machine: Machine, file = join(FOLDER, 'report.html')): number {
  const runs = keptFigures()
  const { cpu, cores, memory_gb, node, postgres } = machine
  const made = `${new Date().toISOString().slice(0, 16).replace('T', ' ')} UTC`
  const words = `${cores} cores (${cpu}), ${memory_gb} GB, Node ${node}, Postgres ${postgres}`
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, pageOf(runs, { machine: words, made }))
  const json = file.replace(/(?:\.html)?$/, '.json')
  writeFileSync(json, `${JSON.stringify({ machine, made, runs })}\n`)
  return runs.length
}
