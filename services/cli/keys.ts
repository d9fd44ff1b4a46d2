/** Finding the public keys that somebody trusts. */
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { readCommandConfig } from '../config.ts'
import { type PublicKeys, readPublicKeys } from '../seals/keys.ts'

const FETCH_MAX_MS = 10_000

/**
 * The keys in a file or at an address; where none is named, in jwks.json beside `file` or in the
 * data folder of `npm start`. Undefined when none is named and there is none.
 */
export async function findKeys(
  named: string | undefined,
  file?: string,
): Promise<PublicKeys | undefined> {
  if (named !== undefined) return readKeys(named)
  const { DATA_DIR } = readCommandConfig()
  const folders = [...(file === undefined ? [] : [dirname(file)]), DATA_DIR]
  for (const folder of folders) {
    const keys = await readKeys(join(folder, 'jwks.json')).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw error
    })
    if (keys !== undefined) return keys
  }
  return undefined
}

async function readKeys(from: string): Promise<PublicKeys> {
  const json = /^https?:/.test(from) ? await fetched(from) : await readFile(from, 'utf8')
  try {
    return await readPublicKeys(JSON.parse(json))
  } catch {
    throw new Error(`${from} holds no public keys`)
  }
}

async function fetched(url: string): Promise<string> {
  const response = await fetch(url, { signal: AbortSignal.timeout(FETCH_MAX_MS) })
  if (!response.ok) throw new Error(`${url} answered ${response.status}`)
  return response.text()
}
