/** `npm run docs`: writes what is written from the source. */
import { writeFileSync } from 'node:fs'
import { documents } from './docs.ts'
import { ROOT } from './source.ts'

for (const [path, text] of await documents()) writeFileSync(`${ROOT}${path}`, text)
