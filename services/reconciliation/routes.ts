/** Reconciliations over HTTP: ask for one, read what it found, put right what differs. */
import { z } from 'zod'
import { BankError } from '../../adapters/adapter.ts'
import { answerOnce } from '../../ledger/index.ts'
import { DIFFERENCES } from '../books/postings.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { endpoint } from '../http/endpoint.ts'
import { claimed } from '../http/idempotency.ts'
import {
  CurrencyCode,
  listOf,
  MoneyOut,
  page,
  pageQuery,
  text,
  Timestamp,
} from '../http/schemas.ts'
import type { Upload } from '../http/uploads.ts'
import { idIn, idOut } from '../ids.ts'
import { checkResolution, proposalOf, resolveItem } from './corrections.ts'
import { findItems, type Item, ITEM_STATES, itemOut, itemsCsv } from './items.ts'
import {
  addRun,
  balanceOut,
  findRun,
  findRuns,
  ITEM_KINDS,
  refuseUnknownBank,
  type Run,
  RUN_STATES,
  shownRuns,
  SOURCES,
} from './runs.ts'
import { TYPES } from './sources.ts'
import { newestBalances } from './unexplained.ts'
import { receiveStatement } from './uploads.ts'

const TAG = 'Reconciliation'
const BankName = z.string().regex(/^[a-z][a-z0-9_]{1,31}$/)
const Count = z.int().min(0)

const BalanceOut = z
  .strictObject({
    currency: CurrencyCode,
    opening_balance: MoneyOut.nullable().describe('As the statement says, where it does'),
    closing_balance: MoneyOut.nullable(),
    statement: MoneyOut.describe('What all of the bank’s lines ever came to'),
    books: MoneyOut.describe('What our account of our money there said when it was read'),
    unexplained: MoneyOut.describe('What open items differ by, and what not even they account for'),
    open_items: Count,
    agrees: z.boolean().describe('Nothing differs and nothing is open'),
  })
  .meta({ id: 'ReconciliationBalance' })

const ReconciliationOut = z
  .strictObject({
    id: idOut('rcn'),
    bank: BankName,
    source: z.enum(SOURCES),
    state: z.enum(RUN_STATES),
    file_sha256: z.string().nullable(),
    period: z.strictObject({ from: z.iso.date(), to: z.iso.date() }).nullable(),
    lines: Count.describe('Of the statement'),
    fresh_lines: Count.describe('Those that no earlier one had reconciled'),
    done_lines: Count.describe('Of the fresh ones, while it runs'),
    counts: z.strictObject(Object.fromEntries(ITEM_KINDS.map((kind) => [kind, Count]))),
    balances: z.array(BalanceOut),
    requested_by: z.string(),
    failure: z.string().nullable(),
    created_at: Timestamp,
    completed_at: Timestamp.nullable(),
  })
  .meta({ id: 'Reconciliation' })

const Minor = z.string().regex(/^-?[0-9]+$/)

const StoredItem = z.strictObject({
  id: idOut('rci'),
  reconciliation: idOut('rcn').describe('Which found it'),
  kind: z.enum(ITEM_KINDS),
  state: z.enum(ITEM_STATES),
  line: Count.nullable().describe('Its place in the statement; null for what no line shows'),
  reference: z.string(),
  bank_reference: z.string().nullable(),
  currency: CurrencyCode,
  statement_amount: Minor.nullable().describe('Minor units; positive when our money there grew'),
  books_amount: Minor.nullable(),
  booked_at: Timestamp.nullable(),
  effective_at: Timestamp.nullable().describe('When it happened, by our books'),
  description: z.string().nullable(),
  instruction: idOut('ins').nullable(),
  transfer: idOut('trf').nullable(),
  proposed_transfer: idOut('trf').nullable().describe('Same amount and day; nobody is sure'),
  correction: idOut('trf').nullable(),
  resolved_by: z.string().nullable(),
  approved_by: z.string().nullable(),
  reason: z.string().nullable(),
  resolved_at: Timestamp.nullable(),
})

const ResolvedItemOut = StoredItem.meta({ id: 'ResolvedReconciliationItem' })

const ItemOut = StoredItem.extend({
  proposed_correction: z
    .strictObject({ difference: z.enum(DIFFERENCES), amount: Minor })
    .nullable()
    .describe('The transfer that would correct it'),
}).meta({ id: 'ReconciliationItem' })

function shownItem(item: Item) {
  const isOpen = item.state === 'open' || item.state === 'proposed'
  const proposal = isOpen ? proposalOf(item) : undefined
  const proposed_correction = proposal
    ? { difference: proposal.difference, amount: proposal.amount.toString() }
    : null
  return { ...itemOut(item), proposed_correction }
}

const Id = z.strictObject({ id: idIn('rcn') })
const ItemQuery = { kind: z.enum(ITEM_KINDS).optional(), state: z.enum(ITEM_STATES).optional() }

async function known({ db }: Context, id: string): Promise<Run> {
  const run = await findRun(db, id)
  if (run === undefined) throw new ServiceError('not_found')
  return run
}

async function uploaded(context: Context, bank: string, requestedBy: string, upload: Upload) {
  const source = TYPES[upload.type as keyof typeof TYPES]
  const asked = { bank, source, requestedBy }
  const { run, isNew } = await receiveStatement(context, asked, upload.stream)
  if (isNew) await context.queue.ring('reconciliation', [run.id])
  const [body] = await shownRuns(context.db, [run])
  return { status: isNew ? 202 : 200, body }
}

export const reconciliationEndpoints = [
  endpoint({
    ...{ method: 'POST', path: '/v1/banks/:bank/reconciliations', tag: TAG, scopes: ['operator'] },
    summary: 'Reconcile the bank’s own statement, or the one that is sent along (camt.053, CSV)',
    idempotency: 'optional',
    params: z.strictObject({ bank: BankName }),
    body: z.strictObject({
      source: z.literal('bank').optional().describe('What the bank tells us itself'),
    }),
    uploadTypes: Object.keys(TYPES),
    answers: { 202: ReconciliationOut, 200: ReconciliationOut },
    refusals: ['not_found', 'bank_not_capable', 'saturated'],
    handle: async (context, { caller, params: { bank }, upload, claim }) => {
      refuseUnknownBank(context, bank)
      if (upload !== undefined) return uploaded(context, bank, caller.subject, upload)
      if (context.banks.get(bank)?.capabilities.has('statement') !== true) {
        throw new BankError('bank_not_capable', { detail: 'the bank has no statement' })
      }
      const { db, queue, now } = context
      const asked = { bank, source: 'bank', requestedBy: caller.subject, at: now() } as const
      const add = async (trx: typeof db) => {
        const run = await addRun(trx, asked)
        if (run === undefined) throw new Error('a reconciliation was not added')
        const [shown] = await shownRuns(trx, [run])
        return { id: run.id, shown }
      }
      if (claim === undefined) {
        const { id, shown } = await add(db)
        await queue.ring('reconciliation', [id])
        return { status: 202, body: shown }
      }
      let added: string[] = []
      const outcome = await answerOnce(db, claim, async (trx) => {
        const { id, shown } = await add(trx)
        added = [id]
        return JSON.stringify(shown)
      })
      await queue.ring('reconciliation', added)
      return outcome
    },
  }),
  endpoint({
    ...{ method: 'GET', path: '/v1/banks/:bank/reconciliation', tag: TAG, scopes: ['operator'] },
    summary: 'What the newest reconciliation of the bank came to, for each currency',
    params: z.strictObject({ bank: BankName }),
    answers: {
      200: z.strictObject({
        reconciliation: idOut('rcn').nullable(),
        completed_at: Timestamp.nullable(),
        data: z.array(BalanceOut),
      }),
    },
    refusals: ['not_found'],
    handle: async (context, { params: { bank } }) => {
      refuseUnknownBank(context, bank)
      const newest = await newestBalances(context.db, bank)
      const [shown] = newest === undefined ? [] : await shownRuns(context.db, [newest.run])
      const body = {
        ...{ reconciliation: shown?.id ?? null, completed_at: shown?.completed_at ?? null },
        data: (newest?.balances ?? []).map(balanceOut),
      }
      return { status: 200, body }
    },
  }),
  endpoint({
    ...{ method: 'GET', path: '/v1/reconciliations', tag: TAG, scopes: ['operator'] },
    summary: 'Reconciliations, newest first',
    query: pageQuery('rcn').extend({ bank: BankName.optional() }),
    answers: { 200: listOf(ReconciliationOut) },
    refusals: [],
    handle: async ({ db }, { query: { bank, limit, cursor: before } }) => {
      const runs = await findRuns(db, { bank, before, limit })
      return { status: 200, body: page(await shownRuns(db, runs), limit) }
    },
  }),
  endpoint({
    ...{ method: 'GET', path: '/v1/reconciliations/:id', tag: TAG, scopes: ['operator'] },
    summary: 'A reconciliation: how far it is, what it found, what is unexplained',
    params: Id,
    answers: { 200: ReconciliationOut },
    refusals: ['not_found'],
    handle: async (context, { params }) => {
      const [body] = await shownRuns(context.db, [await known(context, params.id)])
      return { status: 200, body }
    },
  }),
  endpoint({
    ...{ method: 'GET', path: '/v1/reconciliations/:id/items', tag: TAG, scopes: ['operator'] },
    summary: 'What it found: lines in the order of the statement, then what no line shows',
    params: Id,
    query: pageQuery('rci').extend(ItemQuery),
    answers: { 200: listOf(ItemOut) },
    refusals: ['not_found'],
    handle: async (context, { params, query: { cursor: after, limit, ...where } }) => {
      const { id } = await known(context, params.id)
      const items = await findItems(context.db, id, { ...where, after, limit })
      return { status: 200, body: page(items.map(shownItem), limit) }
    },
  }),
  endpoint({
    ...{ method: 'GET', path: '/v1/reconciliations/:id/items.csv', tag: TAG, scopes: ['operator'] },
    summary: 'The same as a file, of any length',
    params: Id,
    query: z.strictObject(ItemQuery),
    answers: { 200: z.string() },
    otherTypes: ['text/csv'],
    refusals: ['not_found'],
    handle: async (context, { params, query }) => {
      const run = await known(context, params.id)
      return {
        ...{ status: 200, contentType: 'text/csv; charset=utf-8' },
        ...{ fileName: 'reconciliation.csv', stream: itemsCsv(context.db, run, query) },
      }
    },
  }),
  endpoint({
    ...{ method: 'POST', path: '/v1/reconciliation_items/:id/resolve', tag: TAG },
    summary: 'Post the proposed correction, or agree that line and proposed transfer are one',
    ...{ scopes: ['operator'], idempotency: 'required', secondPerson: true },
    params: z.strictObject({ id: idIn('rci') }),
    body: z.strictObject({ how: z.enum(['correct', 'match']), reason: text(200) }),
    answers: { 200: ResolvedItemOut },
    refusals: [
      ...(['not_found', 'item_resolved', 'item_not_correctable'] as const),
      ...(['account_closed', 'account_frozen', 'insufficient_funds', 'total_too_large'] as const),
    ],
    check: async (context, { params, body: { how } }) =>
      void (await checkResolution(context, params.id, how)),
    handle: (context, { caller, params, body, claim }) => {
      const { subject: operator, approvedBy } = caller
      const resolution = { ...body, operator, approvedBy }
      return resolveItem(context, params.id, resolution, claimed(claim))
    },
  }),
]
