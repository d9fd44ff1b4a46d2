#!/usr/bin/env node
/** `npx florin ...`: from a clone as it is; from an image, as it was built. */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const source = new URL('./main.ts', import.meta.url)

if (existsSync(source)) {
  const { run } = await import('../run.mjs')
  await run(fileURLToPath(source))
} else {
  await import('./main.js')
}
