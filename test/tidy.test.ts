/**
 * The shape of the code, as a test. A rule is a list of its breaches, and the list must be empty.
 * Each rule is shown a breach first, made up for it: one that catches nothing is worse than none.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { lineAt, readSources, ROOT, type Source, sourceOf } from './support/source.ts'
import { FORBIDDEN, PLACES, SIZES_MAX, UNIMPORTED } from './support/rules.ts'

const PACKAGE = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
const SCRIPTS = JSON.stringify([PACKAGE.scripts, PACKAGE.mocha])
const DEPENDENCIES = Object.keys(PACKAGE.dependencies)
const INSTALLED = [...DEPENDENCIES, ...Object.keys(PACKAGE.devDependencies)]

const sources = readSources()
const isTest = ({ path }: Source) => path.startsWith('test/')
const isProduct = ({ path }: Source) => /^(?:ledger|adapters|services)\//.test(path)
/** What npm or mocha starts by name; everything else must lead here. */
const isEntry = ({ path }: Source) => SCRIPTS.includes(path) || path.endsWith('.test.ts')

describe('the source', () => {
  it('is read, all of it', () => {
    const count = (few: number, what: readonly unknown[]) =>
      expect(what.length).to.be.greaterThan(few)
    count(90, sources.filter(isProduct))
    count(12, sources.filter(isTest))
    count(3, sources.filter(({ path }) => path.endsWith('.sql')))
    for (const all of [sources.filter(isProduct), sources.filter(isTest)]) {
      count(100, all.flatMap((source) => source.imports))
      count(40, all.flatMap((source) => source.exports))
      count(100, all.flatMap((source) => source.blocks))
    }
  })

  it('is told apart from comments and quotes', () => {
    const { code, said, remarks } = sourceOf('a.ts', "a('x' /* y */, `z${b}'`, /'`/) // 'c'\nd")
    expect(code).to.equal("a(' '         ,     b   ,     )       \nd")
    expect(said).to.equal("a('x'         , `z${b}'`, /'`/)       \nd")
    expect(remarks).to.equal('      /* y */                    // \'c\'\n ')
  })

  rule('imports only what it may', forbiddenImports, [
    ...FORBIDDEN.map(({ like: [path, from] }) => sourceOf(path, `import '${from}'`)),
  ])

  rule('has no import cycle', cycles, [
    sourceOf('services/a.ts', "import { type B } from './b.ts'"),
    sourceOf('services/b.ts', "import { C } from './c/c.ts'"),
    sourceOf('services/c/c.ts', "export type { A } from '../a.ts'"),
  ])

  rule('keeps everything at home', (all) => all.flatMap(misplaced), [
    ...PLACES.map(({ like }) => sourceOf(like.includes('SQL') ? 'services/a.sql' : 'services/a.ts', like)),
  ])

  rule('gives nothing a home it does not need', staleHomes, [sourceOf('services/context.ts', '')])

  rule('is made of small pieces', (all) => all.flatMap(tooBig), [
    sourceOf('services/a.ts', `function a() {\n${'  b()\n'.repeat(SIZES_MAX.function)}}\n`),
    sourceOf('services/b.ts', '\n'.repeat(SIZES_MAX.file + 1)),
    sourceOf('services/c.ts', 'c'.repeat(SIZES_MAX.ts + 1)),
    sourceOf('services/d.sql', 'd'.repeat(SIZES_MAX.sql + 1)),
  ])

  rule('is all in use', deadFiles, [sourceOf('services/a.ts', 'a')])

  rule('exports nothing that nobody imports', unusedExports, [
    sourceOf('services/a.ts', 'export const a = 1'),
    sourceOf('services/b.ts', 'export interface B {}'),
    sourceOf('ledger/index.ts', "export { a } from './a.ts'"),
    sourceOf('ledger/b.ts', "import { a } from './index.ts'"),
  ])

  rule('imports what is installed', undeclared, [
    sourceOf('services/a.ts', "import 'chai'"),
    sourceOf('test/a.ts', "import 'left-pad'"),
  ])

  it('needs what is installed', () => {
    const used = new Set(sources.flatMap(({ imports }) => imports.map(({ from }) => from)))
    const isNeeded = (name: string) => used.has(name) || used.has(name.replace('@types/', ''))
    const idle = INSTALLED.filter((name) => !isNeeded(name) && !(name in UNIMPORTED))
    const excused = Object.keys(UNIMPORTED).filter((name) => isNeeded(name) || !INSTALLED.includes(name))
    expect([...idle, ...excused].join('\n')).to.equal('')
  })
})

/** @param baits each of which breaks the rule, or, where there are files around one, the last does */
function rule(
  title: string,
  breachesOf: (all: readonly Source[]) => readonly string[],
  baits: readonly Source[],
): void {
  it(title, () => {
    const caught = breachesOf(baits).join('\n')
    const named = baits.filter(({ path }) => caught.includes(path))
    expect(named.length, caught).to.be.greaterThan(0)
    expect(breachesOf(sources).join('\n')).to.equal('')
  })
}

function forbiddenImports(all: readonly Source[]): string[] {
  return all.flatMap(({ path, imports }) =>
    imports.flatMap(({ line, from }) =>
      FORBIDDEN.filter(({ who, whom }) => who.test(path) && whom.test(from)).map(
        ({ because }) => `${path}:${line} imports ${from}: ${because}`,
      ),
    ),
  )
}

/** Type imports count: files that need each other's types cannot be read one after the other. */
function cycles(all: readonly Source[]): string[] {
  const byPath = new Map(all.map((source) => [source.path, source]))
  const done = new Set<string>()
  const found: string[] = []
  const visit = (path: string, trail: readonly string[]) => {
    if (trail.includes(path)) found.push([...trail.slice(trail.indexOf(path)), path].join(' -> '))
    if (trail.includes(path) || done.has(path)) return
    for (const { from } of byPath.get(path)?.imports ?? []) visit(from, [...trail, path])
    done.add(path)
  }
  for (const path of byPath.keys()) visit(path, [])
  return [...new Set(found)]
}

function misplaced(source: Source): string[] {
  return PLACES.flatMap(({ what, thing, part = 'code', within = '', homes = {}, instead }) => {
    const isHome = Object.keys(homes).some((home) => source.path.startsWith(home))
    if (isHome || !source.path.startsWith(within)) return []
  })
}
