/** How the stage is set: by whoever may, through the API alone. */
import { randomUUID } from 'node:crypto'
import type { Knex } from 'knex'
import type { Cast, Role } from './requests.ts'

interface Customer {
  readonly number: string
  readonly holder: string
}

export interface Stage {
  readonly apiUrl: string
  /** The owner's. */
  readonly db: Knex
  readonly tokenOf: (sub: string, scope: string) => Promise<string>
  readonly banks: Cast['banks']
  /** Of customers of the first bank, whom nobody has linked yet: a person's and a shop's. */
  readonly customers: readonly [Customer, Customer]
}

export interface Who {
  readonly sub: string
  readonly scope: Role
}

export const OPERATOR: Who = { sub: 'olga', scope: 'operator' }
/** Agrees to what the first proposes. */
const SECOND_OPERATOR: Who = { sub: 'otto', scope: 'operator' }

// Whoever sets the stage takes what it finds there.
export type Found = Readonly<Record<string, unknown>>

/** Refused is a failure: the stage must be set. */
export type Ask = (
  who: Who,
  method: string,
  path: string,
  body?: object,
  key?: string,
) => Promise<Found>

export const newKey = () => `stage-${randomUUID()}`

/** @param heard is told each answer as it came. */
export const openAsk =
  ({ apiUrl, tokenOf }: Stage, heard: (text: string) => void): Ask =>
  async ({ sub, scope }, method, path, body, key = newKey()) => {
    const token = await tokenOf(sub, scope)
    const response = await fetch(`${apiUrl}/v1/${path}`, {
      method,
      headers: {
        ...{ authorization: `Bearer ${token}`, 'idempotency-key': key },
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    if (!response.ok) throw new Error(`the stage: ${method} ${path}: ${text}`)
    heard(text)
    return text === '' ? {} : (JSON.parse(text) as Found)
  }

/** What needs two operators where it does; as it was answered to whoever proposed it. */
export async function together(
  ask: Ask,
  path: string,
  body: object,
  method = 'POST',
): Promise<Found> {
  const proposed = await ask(OPERATOR, method, path, body)
  if (!idOf(proposed).startsWith('prp_')) return proposed
  const { result } = await ask(SECOND_OPERATOR, 'POST', `proposals/${idOf(proposed)}/approve`)
  const { status, body: done } = result as { readonly status: number; readonly body: Found }
  if (status >= 400) throw new Error(`the stage: ${path}: ${JSON.stringify(done)}`)
  return done
}

export const idOf = ({ id }: Found): string => String(id)

const WAIT_MS = 30_000

/** @param what is waited for, to be named where it never comes. */
export async function until(what: string, isTrue: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + WAIT_MS
  while (!(await isTrue())) {
    if (performance.now() > deadline) throw new Error(`the stage was never set: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
