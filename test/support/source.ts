/**
 * Our source as test/tidy.test.ts reads it: comments, quotes and code told apart; imports, exports
 * and functions found. TypeScript 7 has no compiler API, so this reads text, and relies on the
 * formatter having been over it: `npx prettier --check .` belongs to it.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { extname, join } from 'node:path'

export interface Import {
  readonly line: number
  /** A path from the root of the repository, `node:...`, or the name of a package. */
  readonly from: string
  /** What is taken, as its home calls it; `*` when that cannot be told. */
  readonly names: readonly string[]
}

export interface Export {
  readonly line: number
  readonly name: string
  readonly isType: boolean
}

/** A function with a block for a body. */
export interface Block {
  readonly line: number
  readonly lines: number
  /** The line it begins with. */
  readonly head: string
}

export interface Source {
  /** From the root of the repository. */
  readonly path: string
  readonly text: string
  /** The text with comments and what is between quotes blank; every line and column stays. */
  readonly code: string
  /** The text with comments blank. */
  readonly said: string
  /** The comments alone; everything, where there is no code. */
  readonly remarks: string
  readonly imports: readonly Import[]
  readonly exports: readonly Export[]
  /** Nested ones too. */
  readonly functions: readonly Block[]
  /** Files named in quotes, as paths from the root: what is imported, and what is started. */
  readonly named: readonly string[]
}

export const ROOT = new URL('../..', import.meta.url).pathname
const FOLDERS = ['ledger', 'adapters', 'services', 'test']
const KINDS = ['.ts', '.mjs', '.sql', '.md']

export function readSources(): readonly Source[] {
  const inside = FOLDERS.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map((name) =>
      join(folder, name),
    ),
  )
  return [...readdirSync(ROOT), ...inside]
    .filter((path) => KINDS.includes(extname(path)))
    .map((path) => sourceOf(path, readFileSync(join(ROOT, path), 'utf8')))
}

export function sourceOf(path: string, text: string): Source {
  if (!/\.(ts|mjs)$/.test(path)) {
    const nothing = { imports: [], exports: [], functions: [], named: [] }
    return { path, text, code: '', said: sqlSaid(path, text), remarks: text, ...nothing }
  }
  const { code, said, remarks } = partsOf(text)
  const known = { path, text, code, said, remarks, exports: exportsOf(code) }
  return {
    ...known,
    imports: importsOf(known),
    functions: functionsOf(known),
    named: namedIn(known),
  }
}

export const lineAt = (text: string, index: number): number =>
  text.slice(0, index).split('\n').length

const blank = (text: string) => text.replaceAll(/[^\n]/g, ' ')
const sqlSaid = (path: string, text: string) =>
  path.endsWith('.sql') ? text.replaceAll(/--.*/g, blank) : ''

const COMMENT = /\/\/.*|\/\*[^]*?\*\//y
const STRING = /'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"/y
/** Of a template: from its beginning, or from the end of `${}`, to its end, or to the next `${`. */
const TEMPLATE = /[`}](?:\\[^]|\$(?!\{)|[^\\`$])*(?:`|\$\{)/y
const PATTERN = /\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\[\n])+\/[a-z]*/y
/** What stands before a pattern; after anything else a slash divides. */
const BEFORE_PATTERN =
  /(?:^|[(,=:[!&|?{};+\-*%<>~^]|\b(?:return|typeof|case|in|of|yield|await))\s*$/

function partsOf(text: string): { code: string; said: string; remarks: string } {
  const parts = { code: '', said: '', remarks: '' }
  const templates: number[] = []
  let depth = 0
  for (let at = 0; at < text.length;) {
    const match = (token: RegExp) => ((token.lastIndex = at), token.exec(text)?.[0])
    const comment = match(COMMENT)
    const ends = text[at] === '}' && templates.at(-1) === depth
    const template = text[at] === '`' || ends ? match(TEMPLATE) : undefined
    const isPattern = text[at] === '/' && BEFORE_PATTERN.test(parts.code.slice(-40))
    const quote = template ?? match(STRING) ?? (isPattern ? match(PATTERN) : undefined)
    const token = comment ?? quote ?? text.charAt(at)
    if (ends) templates.pop()
    if (template?.endsWith('${') === true) templates.push(depth)
    if (comment === undefined && quote === undefined) depth += { '{': 1, '}': -1 }[token] ?? 0
    parts.code +=
      quote === undefined ? (comment === undefined ? token : blank(token)) : hollow(token)
    parts.said += comment === undefined ? token : blank(token)
    parts.remarks += comment === undefined ? blank(token) : token
    at += token.length
  }
  return parts
}

/** Quotes of a string are kept, so that one can see where it was. */
const hollow = (token: string) =>
  token.startsWith("'") ? `'${blank(token.slice(1, -1))}'` : blank(token)

type Text = Pick<Source, 'path' | 'text' | 'code'>

const CLAUSE = String.raw`\{[^}]*\}|\*(?: as \w+)?|\w+(?:, \{[^}]*\})?`
const IMPORT = new RegExp(
  String.raw`^(?:import|export) (?:type )?(${CLAUSE}) from '( *)'|(?:^import |\bimport\()'( *)'`,
  'dgm',
)

function importsOf({ path, text, code }: Text): Import[] {
  return [...code.matchAll(IMPORT)].map((match) => {
    const [start, end] = match.indices?.[2] ?? match.indices?.[3] ?? [0, 0]
    const from = targetOf(path, text.slice(start, end))
    return { line: lineAt(text, match.index), from, names: namesOf(match[1] ?? '*', code) }
  })
}

/** `@scope/name/inner` is of the package `@scope/name`. */
function targetOf(path: string, from: string): string {
  if (from.startsWith('.')) return join(path, '..', from)
  if (from.startsWith('node:')) return from
  return /^(?:@[^/]+\/)?[^/]+/.exec(from)?.[0] ?? from
}

function namesOf(clause: string, code: string): string[] {
  const space = /^\* as (\w+)/.exec(clause)?.[1]
  if (space !== undefined) {
    return [...code.matchAll(new RegExp(String.raw`\b${space}\.(\w+)`, 'g'))].map(
      ([, name]) => name!,
    )
  }
  if (clause.startsWith('*')) return ['*']
  return listed(clause.replaceAll(/^\w+(?:, )?/g, '')).map((one) => one.split(' as ')[0]!)
}

const listed = (clause: string): string[] =>
  clause
    .replaceAll(/[{}]|\btype\b/g, '')
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '')

const DECLARED = 'function|const|let|class|interface|type|enum'
const EXPORT = new RegExp(
  String.raw`^export (?:(?:async |abstract )?(?:${DECLARED}) (\w+)|(?:type )?\{([^}]*)\})`,
  'gm',
)

const exportsOf = (code: string): Export[] =>
  [...code.matchAll(EXPORT)].flatMap(({ index, 0: head, 1: name, 2: list = '' }) => {
    const names = name === undefined ? listed(list).map((one) => one.split(' as ').at(-1)!) : [name]
    const isType = /^export (?:interface|type) /.test(head)
    return names.map((one) => ({ line: lineAt(code, index), name: one, isType }))
  })

/** What can stand before a bracket and a block, and is no method. */
const NO_METHOD = 'if|for|while|switch|catch|return|super|await'
const METHOD = String.raw`^ +(?!(?:${NO_METHOD})\b)(?:(?:async|get|set) )*\w+(?:<[^>]*>)?\(`
const FUNCTION = new RegExp(String.raw`\bfunction\b|=> \{$|${METHOD}`, 'gm')

function functionsOf({ text, code }: Text): Block[] {
  const lines = text.split('\n')
  return [...code.matchAll(FUNCTION)].flatMap(({ index, 0: head }) => {
    const open = head.endsWith('{') ? index + head.length - 1 : bodyAfter(code, index)
    if (open === undefined) return []
    const line = lineAt(code, index)
    return [
      { line, lines: lineAt(code, closing(code, open)) - line + 1, head: lines[line - 1] ?? '' },
    ]
  })
}

/** The brace that opens the body, which is the last thing on its line. */
function bodyAfter(code: string, head: number): number | undefined {
  const after = closing(code, code.indexOf('(', head)) + 1
  const type = /^(?:: [^=\n]*)? \{$/m.exec(code.slice(after).split('\n', 1)[0] ?? '')?.[0]
  return type === undefined ? undefined : after + type.length - 1
}

function closing(code: string, open: number): number {
  const [left, right] = code[open] === '(' ? '()' : '{}'
  for (let at = open, depth = 0; at < code.length; at += 1) {
    if (code[at] === left) depth += 1
    if (code[at] === right && (depth -= 1) === 0) return at
  }
  return code.length
}

function namedIn({ path, text, code }: Text): string[] {
  return [...code.matchAll(/'( *)'/dg)]
    .map(({ indices }) => text.slice(...indices![1]!))
    .filter((quoted) => /^[\w./-]+\.(?:ts|mjs)$/.test(quoted))
    .flatMap((quoted) => [join(path, '..', quoted), join(quoted)])
}
