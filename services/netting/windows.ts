/** A window: a range of seals, and what is owed between banks for what moved in it. */
import type { Knex } from 'knex'
import { type Currency, newId, type Uuid } from '../../ledger/index.ts'
import { publicId } from '../ids.ts'
import type { Method } from './obligations.ts'

/** What may follow, and by what. All else is a bug, or somebody else was quicker. */
export const WINDOW_STATES = {
  /** What is sealed from now on belongs to it. */
  open: { close: 'closing' },
  /** Its last seal is fixed, and what belongs to it is being added up. */
  closing: { added_up: 'closed' },
  /** Who owes whom is written down, and paid once two operators say so. */
  closed: { paid: 'settled' },
  /** Nothing of it is open: each payment was made, or is carried into a later window. */
  settled: {},
} as const satisfies Record<string, Readonly<Record<string, string>>>

export type WindowState = keyof typeof WINDOW_STATES

/** The same of one bank's payment to another. */
export const OBLIGATION_STATES = {
  due: { instructed: 'instructed' },
  instructed: { settled: 'settled', rejected: 'carried', returned: 'carried' },
  settled: { returned: 'carried' },
  /** It failed: what is owed is owed in the next window that is added up. */
  carried: {},
} as const satisfies Record<string, Readonly<Record<string, string>>>

export type ObligationState = keyof typeof OBLIGATION_STATES

export interface NettingWindow {
  readonly id: Uuid
  readonly currency: Currency
  readonly number: number
  readonly state: WindowState
  readonly method: Method
  /** The last seal before it, and its own last one. */
  readonly from_seal: bigint
  readonly to_seal: bigint | null
  readonly transfers: bigint | null
  readonly retained: bigint | null
  readonly opened_at: Date
  readonly closing_at: Date | null
  readonly closed_at: Date | null
  readonly settled_at: Date | null
  readonly approved_at: Date | null
}

/** With `trx` as the database the row stays locked until the transaction ends. */
export async function findWindow(
  db: Knex,
  id: Uuid,
  lock: 'lock' | 'read' = 'read',
): Promise<NettingWindow | undefined> {
  const query = db('netting_windows').where({ id })
  return (lock === 'lock' ? query.forUpdate() : query).first()
}

export async function findWindows(
  db: Knex,
  query: {
    readonly before?: Uuid | undefined
    readonly currency?: string | undefined
    readonly state?: WindowState | undefined
    readonly limit: number
  },
): Promise<NettingWindow[]> {
  const { before, currency, state, limit } = query
  const windows = db('netting_windows').orderBy('id', 'desc').limit(limit)
  for (const [column, value] of Object.entries({ currency, state })) {
    if (value !== undefined) void windows.where(column, value)
  }
  if (before !== undefined) void windows.where('id', '<', before)
  return windows
}

/** The first window of a currency begins with the books. */
export async function openFirst(
  db: Knex,
  currency: string,
  { method, at }: { readonly method: Method; readonly at: Date },
): Promise<void> {
  await db('netting_windows')
    .insert(newWindow({ currency, number: 1, from_seal: 0n, method, at }))
    .onConflict(['currency', 'number'])
    .ignore()
}

export interface Beginning {
  readonly currency: string
  readonly number: number
  readonly from_seal: bigint
  readonly method: Method
  readonly at: Date
}

export const newWindow = ({ currency, number, from_seal, method, at }: Beginning) => ({
  ...{ id: newId(), currency, number, state: 'open', method },
  ...{ from_seal: from_seal.toString(), opened_at: at },
})

export const windowOut = (window: NettingWindow) => ({
  id: publicId('nwi', window.id),
  currency: window.currency,
  number: window.number,
  state: window.state,
  method: window.method,
  from_seal: window.from_seal.toString(),
  to_seal: window.to_seal?.toString() ?? null,
  transfers: window.transfers?.toString() ?? null,
  retained: window.retained?.toString() ?? null,
  opened_at: window.opened_at.toISOString(),
  closing_at: window.closing_at?.toISOString() ?? null,
  closed_at: window.closed_at?.toISOString() ?? null,
  approved_at: window.approved_at?.toISOString() ?? null,
  settled_at: window.settled_at?.toISOString() ?? null,
})
