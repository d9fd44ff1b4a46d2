#!/usr/bin/env node
/** `npx florin ...`: from a clone as it is, through tsx; from an image, as it was built. */
import { existsSync } from 'node:fs'

const source = new URL('./main.ts', import.meta.url)

if (existsSync(source)) {
  const { register } = await import(import.meta.resolve('tsx/esm/api'))
  register()
  await import(source.href)
} else {
  await import('./main.js')
}
