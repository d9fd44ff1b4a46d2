/** An adapter that somebody writes outside this repository: a module, by its path. */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { OpenAdapter } from '../../adapters/conformance/certify.ts'
import { UsageError } from './terminal.ts'

/** What such a module exports. */
export interface AdapterModule {
  /** As the functions in `PROTOCOLS` of adapters/index.ts are. */
  readonly openAdapter: OpenAdapter
  /** Starts the bank's sandbox; answers what a file for `--config` holds, and what stops it. */
  readonly openSandbox: (() => unknown) | undefined
}

const TYPESCRIPT = /\.m?ts$/
const MODULE = /\.m?[jt]s$/

/** What is no name of ours is a path, if it looks like one. */
export const isModulePath = (word: string): boolean => word.includes('/') || MODULE.test(word)

/** @throws {UsageError} that names the file, and says what is wrong with it. */
export async function readAdapterModule(path: string): Promise<AdapterModule> {
  if (!existsSync(path)) throw new UsageError(`there is no file ${path}`)
  if (!MODULE.test(path)) throw new UsageError(`${path} is no module: .ts, .mts, .js or .mjs`)
  const exported = await load(path).catch((cause: unknown) => {
    throw new Error(`${path} cannot be loaded: ${messageOf(cause)}`, { cause })
  })
  const { openAdapter, openSandbox } = exported
  if (!isFunction(openAdapter)) {
    const names = Object.keys(exported).join(', ') || 'nothing'
    throw new Error(`${path} exports no function openAdapter, but ${names}`)
  }
  if (openSandbox !== undefined && !isFunction(openSandbox)) {
    throw new Error(`${path}: openSandbox is no function`)
  }
  return { openAdapter: openAdapter as OpenAdapter, openSandbox }
}

/** Node alone may not know TypeScript; whoever writes an adapter has a clone, and its tools. */
async function load(path: string): Promise<Readonly<Record<string, unknown>>> {
  const { href } = pathToFileURL(resolve(path))
  if (!TYPESCRIPT.test(path)) return import(href)
  const { importTypeScript } = await import(new URL('../run.mjs', import.meta.url).href)
  return importTypeScript(href)
}

const isFunction = (value: unknown): value is (...given: unknown[]) => unknown =>
  typeof value === 'function'

/** What a stranger's code throws need not be an error. */
export const messageOf = (thrown: unknown): string =>
  thrown instanceof Error ? thrown.message : String(thrown)
