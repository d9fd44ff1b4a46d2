/** The rules of test/tidy.test.ts: each function lists the breaches of one. */
import { extname } from 'node:path'
import { lineAt, type Source } from './source.ts'

type Sources = readonly Source[]

export interface Forbidden {
  readonly who: RegExp
  readonly whom: RegExp
  readonly because: string
  readonly like: readonly [path: string, from: string]
}

export const forbiddenImports = (all: Sources, forbidden: readonly Forbidden[]): string[] =>
  all.flatMap(({ path, imports }) =>
    imports.flatMap(({ line, from }) =>
      forbidden
        .filter(({ who, whom }) => who.test(path) && whom.test(from))
        .map(({ because }) => `${path}:${line} imports ${from}: ${because}`),
    ),
  )

/** Type imports count: files that need each other's types cannot be read one after the other. */
export function cycles(all: Sources): string[] {
  const importsOf = new Map(all.map(({ path, imports }) => [path, imports]))
  const done = new Set<string>()
  const found = new Set<string>()
  const visit = (path: string, trail: readonly string[]) => {
    const since = trail.indexOf(path)
    if (since >= 0) found.add([...trail.slice(since), path].join(' -> '))
    if (since >= 0 || done.has(path)) return
    for (const { from } of importsOf.get(path) ?? []) visit(from, [...trail, path])
    done.add(path)
  }
  for (const path of importsOf.keys()) visit(path, [])
  return [...found]
}

export interface Place {
  readonly what: string
  readonly thing: RegExp
  /** Where to look: the code unless told. */
  readonly part?: 'code' | 'said' | 'remarks'
  /** The files that must not have it; all, unless told. */
  readonly among?: RegExp
  /** Files and folders that may, with the reason. */
  readonly homes?: Readonly<Record<string, string>>
  readonly instead: string
  readonly like: string
}

export const misplaced = (all: Sources, places: readonly Place[]): string[] =>
  all.flatMap((source) =>
    places
      .filter(({ among = /^/, homes = {} }) => among.test(source.path) && !isIn(homes, source.path))
      .flatMap((place) =>
        linesOf(place, source).map(
          (line) => `${source.path}:${line} has ${place.what}; use ${place.instead}`,
        ),
      ),
  )

const isIn = (homes: Readonly<Record<string, string>>, path: string) =>
  Object.keys(homes).some((home) => path.startsWith(home))

function linesOf({ thing, part = 'code' }: Place, source: Source): number[] {
  const everywhere = new RegExp(thing, `${thing.flags}g`)
  return [...source[part].matchAll(everywhere)].map(({ index }) => lineAt(source.text, index))
}

/** An exemption that nobody uses would one day excuse what nobody has looked at. */
export const emptyHomes = (all: Sources, places: readonly Place[]): string[] =>
  places.flatMap((place) =>
    Object.keys(place.homes ?? {})
      .filter((home) => {
        const inhabitants = all.filter(({ path }) => path.startsWith(home))
        return inhabitants.every((source) => linesOf(place, source).length === 0)
      })
      .map((home) => `${home} has no ${place.what}, and need not be a home of it`),
  )

export interface Sizes {
  /** By the kind of file; what is not named has no limit. */
  readonly columns: Readonly<Record<string, number>>
  readonly functionLines: number
  readonly fileLines: number
}

/** A `describe` is a chapter, and its length is no more than the sum of its tests. */
export const tooBig = (all: Sources, max: Sizes): string[] =>
  all.flatMap(({ path, text, functions }) => {
    const columnsMax = max.columns[extname(path).slice(1)]
    if (columnsMax === undefined) return []
    const lines = text.replace(/\n$/, '').split('\n')
    return [
      ...(lines.length > max.fileLines ? [`${path} has ${lines.length} lines`] : []),
      ...lines.flatMap((line, index) =>
        line.length > columnsMax ? [`${path}:${index + 1} has ${line.length} columns`] : [],
      ),
      ...functions
        .filter((one) => one.lines > max.functionLines && !/^\s*describe\(/.test(one.head))
        .map((one) => `${path}:${one.line} has ${one.lines} lines: ${one.head.trim()}`),
    ]
  })

/** Product that only tests need is dead. A script started by its path is as good as imported. */
export function deadFiles(all: Sources, isEntry: (path: string) => boolean): string[] {
  const isProduct = ({ path }: Source) => !path.startsWith('test/')
  const alive = reachable(all.filter(isProduct), isEntry)
  const needed = new Set([...alive, ...reachable(all, isEntry)])
  return all
    .filter((source) => /\.(?:ts|mjs)$/.test(source.path))
    .filter((source) => !(isProduct(source) ? alive : needed).has(source.path))
    .map(({ path }) => `${path} is needed by nothing`)
}

function reachable(all: Sources, isEntry: (path: string) => boolean): Set<string> {
  const byPath = new Map(all.map((source) => [source.path, source]))
  const reached = new Set(all.map(({ path }) => path).filter(isEntry))
  for (const path of reached) {
    for (const next of byPath.get(path)?.named ?? []) if (byPath.has(next)) reached.add(next)
  }
  return reached
}

/**
 * A type that another export of its file mentions is part of that export's promise. What leaves by
 * a door, `index.ts`, must be wanted outside the door's folder.
 */
export function unusedExports(all: Sources, isEntry: (path: string) => boolean): string[] {
  return all.flatMap(({ path, code, exports }) => {
    if (isEntry(path)) return []
    const isDoor = path.endsWith('/index.ts')
    const folder = path.replace(/[^/]*$/, '')
    const wanted = all
      .filter((other) => other.path !== path && !(isDoor && other.path.startsWith(folder)))
      .flatMap(({ imports }) => imports.filter(({ from }) => from === path))
      .flatMap(({ names }) => names)
    return exports
      .filter(({ name }) => !wanted.includes(name) && !wanted.includes('*'))
      .filter(({ name, isType }) => isDoor || !isType || !isPromised(name, code))
      .map(({ line, name }) => `${path}:${line} exports ${name}, which nobody imports`)
  })
}

const isPromised = (name: string, code: string): boolean =>
  code
    .split(/^(?=\w)/m)
    .filter((part) => part.startsWith('export '))
    .filter((part) => !new RegExp(`^export (?:interface|type|class) ${name}\\b`).test(part))
    .some((part) => new RegExp(`\\b${name}\\b`).test(part))

/** The product runs without what only development needs; what runs a clone is not built into it. */
const isOfAClone = (path: string) => path.startsWith('test/') || path === 'services/run.mjs'

export const uninstalled = (
  all: Sources,
  dependencies: readonly string[],
  installed: readonly string[],
): string[] =>
  all.flatMap(({ path, imports }) =>
    imports
      .filter(({ from }) => !from.startsWith('node:') && !/\.\w+$/.test(from))
      .filter(({ from }) => !(isOfAClone(path) ? installed : dependencies).includes(from))
      .map(({ line, from }) => `${path}:${line} imports ${from}, which is not installed for it`),
  )

/** Packages that nobody imports and nothing excuses, and excuses that nothing needs. */
export function idlePackages(
  all: Sources,
  installed: readonly string[],
  excused: Readonly<Record<string, string>>,
): string[] {
  const used = new Set(all.flatMap(({ imports }) => imports.map(({ from }) => from)))
  const isUsed = (name: string) => used.has(name.replace(/^@types\//, ''))
  return [
    ...installed.filter((name) => !isUsed(name) && !(name in excused)),
    ...Object.keys(excused).filter((name) => isUsed(name) || !installed.includes(name)),
  ]
}
