/**
 * Runs a program from its TypeScript: `node services/run.mjs services/api.ts ...`.
 *
 * All that is ours of it is made one file first, and again when a source has changed: loaded one by
 * one, five hundred files take a process two seconds longer to start.
 */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const root = fileURLToPath(new URL('../', import.meta.url))
/** Below the packages, which are found from there. */
const folder = join(root, 'node_modules', '.cache', 'florin')
const SOURCES = ['services', 'ledger', 'adapters', 'docs']
const CANNOT_WRITE = ['EROFS', 'EACCES', 'EPERM']

/** Runs it in this process, which looks afterwards as if it had been started with it. */
export async function run(script) {
  process.setSourceMapsEnabled(true)
  const made = join(folder, `${basename(dirname(script))}-${basename(script, '.ts')}.mjs`)
  try {
    if (!isFresh(script, made)) await make(script, made)
  } catch (error) {
    // Installed by somebody else, who may write there: slower, and the same.
    if (!CANNOT_WRITE.includes(error.code)) throw error
    const { register } = await import('tsx/esm/api')
    register()
    return import(pathToFileURL(script).href)
  }
  return import(pathToFileURL(made).href)
}

/** A module of TypeScript that is not ours, with what it imports. */
export async function importTypeScript(href) {
  const { tsImport } = await import('tsx/esm/api')
  return tsImport(href, import.meta.url)
}

function isFresh(script, made) {
  if (!existsSync(made)) return false
  const { mtimeMs } = statSync(made)
  const isOlder = (path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs < mtimeMs
  return [script, join(root, 'package-lock.json'), ...sources()].every(isOlder)
}

/** Folders too: a file that is gone is seen by them. */
const sources = () =>
  SOURCES.flatMap((top) =>
    ['', ...readdirSync(join(root, top), { recursive: true })].map((path) => join(root, top, path)),
  )

async function make(script, made) {
  const { build } = await import('esbuild')
  mkdirSync(folder, { recursive: true })
  // Others may make the same at the same time.
  const draft = join(folder, `${process.pid}-${basename(made)}`)
  writeFileSync(draft, '')
  const { mtime } = statSync(draft)
  await build({
    ...{ entryPoints: [script], outfile: draft, bundle: true, packages: 'external' },
    ...{ platform: 'node', format: 'esm', target: 'node20', logLevel: 'error' },
    ...{ sourcemap: 'inline', sourcesContent: false, plugins: [OWN_URLS] },
  })
  // What is saved while it is made is newer.
  utimesSync(draft, mtime, mtime)
  renameSync(draft, made)
}

/** Whoever looks for what lies beside it still finds it. */
const OWN_URLS = {
  name: 'own urls',
  setup(build) {
    const paths = sources().filter(
      (path) => path.endsWith('.ts') && readFileSync(path, 'utf8').includes('import.meta'),
    )
    const filter = new RegExp(`^(${paths.map(escaped).join('|')})$`)
    build.onLoad({ filter }, ({ path }) => {
      const url = JSON.stringify(pathToFileURL(path).href)
      const contents = readFileSync(path, 'utf8').replaceAll('import.meta.url', url)
      return { contents, loader: 'ts' }
    })
  },
}

const escaped = (path) => path.replaceAll(/[\\^$.*+?()[\]{}|/]/g, '\\$&')

if (realpathSync(process.argv[1]) === realpathSync(fileURLToPath(import.meta.url))) {
  const script = resolve(process.argv[2] ?? '')
  process.argv.splice(1, 2, script)
  await run(script)
}
