/** The keys of what is sealed at rest, and how long a process may remember a person. */
import { z } from 'zod'
import { integer, json, key } from './kinds.ts'

const DataKey = z.strictObject({
  kid: z.string().regex(/^[A-Za-z0-9_-]{1,32}$/, 'must be 1 to 32 letters, digits, - or _'),
  key: key.refine((bytes) => bytes.length === 32, 'must be exactly 32 bytes, base64'),
})

const DataKeys = z
  .array(DataKey)
  .min(1, 'needs a key')
  .max(16)
  .refine(
    (keys) => new Set(keys.map(({ kid }) => kid)).size === keys.length,
    'a kid is there twice',
  )

export const VAULT_SETTINGS = {
  DATA_KEYS: json
    .pipe(DataKeys)
    .describe(
      'JSON: `[{kid, key}]`, 32 bytes in base64; the first seals what is kept, others open it',
    ),
  BLIND_INDEX_KEY: key.describe('32 bytes, base64: finds sealed account numbers; never changes'),
  PERSON_MEMORY_S: integer(30, 1, 300).describe(
    'How long a process may remember who a person is: so long an erasure takes to reach it',
  ),
}
