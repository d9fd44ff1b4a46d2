/**
 * Seals what an earlier version kept in clear, and drops the columns it was kept in. Run after the
 * migrations, as the owner of the tables; again after it was interrupted, and then it goes on.
 *
 * Postgres keeps old versions of rows until it has use for their place, and so do backups.
 */
import type { Knex } from 'knex'
import { rewriteAnswers, type Uuid } from '../../ledger/index.ts'
import { sealedColumns } from '../banking/bank_accounts.ts'
import { uuidOf } from '../ids.ts'
import {
  namePlace,
  newPersonKey,
  notePlace,
  openPersonKey,
  sealForPerson,
} from '../privacy/person_keys.ts'
import { storedNote } from '../privacy/shown.ts'
import { openVault, type Vault, VaultError, type VaultKeys } from './vault.ts'

/** Rows of one transaction. */
const BATCH = 500

interface Step {
  readonly table: string
  /** Without them there is nothing to do; the first one is null where a row is done. */
  readonly inClear: readonly string[]
  readonly seal: (trx: Knex.Transaction, vault: Vault, row: Row) => Promise<object>
  /** What is written down elsewhere and must be rewritten while the columns are still there. */
  readonly before?: (db: Knex, vault: Vault) => Promise<void>
}

type Row = Readonly<Record<string, string>> & { readonly id: Uuid }

/** In this order: people's keys are there before anything is sealed under them. */
const STEPS: readonly Step[] = [
  {
    ...{ table: 'bank_accounts', inClear: ['number', 'holder'] },
    seal: async (_trx, vault, { id, number = '', holder = '' }) =>
      sealedColumns(vault, id, { number, holder }),
  },
  {
    ...{ table: 'people', inClear: ['name'] },
    async seal(trx, vault, { id, name = '' }) {
      const key = await keyOf(trx, vault, id)
      return { name_sealed: sealForPerson(key, namePlace(id), name) }
    },
  },
  {
    ...{ table: 'payments', inClear: ['note'], before: rewriteLog },
    async seal(trx, vault, { id, payer_id: payer = '', note = '' }) {
      const key = await keyOf(trx, vault, payer)
      return { note_sealed: sealForPerson(key, notePlace(id), note) }
    },
  },
]

/** @throws {VaultError} when there is something to seal and no keys are given. */
export async function carryOver(db: Knex, keys: VaultKeys | undefined): Promise<void> {
  for (const step of STEPS) {
    const [first = ''] = step.inClear
    if (!(await db.schema.hasColumn(step.table, first))) continue
    if ((await db(step.table).whereNotNull(first).first(first)) !== undefined) {
      if (keys === undefined) throw new VaultError('DATA_KEYS and BLIND_INDEX_KEY are needed')
      await sealRows(db, openVault(keys), step)
    }
    if (keys !== undefined) await step.before?.(db, openVault(keys))
    const drops = step.inClear.map((column) => `DROP COLUMN IF EXISTS ${column}`)
    await db.raw(`ALTER TABLE ${step.table} ${drops.join(', ')}`)
  }
}

async function sealRows(db: Knex, vault: Vault, { table, inClear, seal }: Step): Promise<void> {
  const [first = ''] = inClear
  const empty = Object.fromEntries(inClear.map((column) => [column, null]))
  let after: Uuid | undefined
  do {
    after = await db.transaction(async (trx) => {
      const query = trx(table).whereNotNull(first).orderBy('id').limit(BATCH).forUpdate()
      if (after !== undefined) void query.where('id', '>', after)
      const rows: Row[] = await query
      for (const row of rows) {
        const sealed = await seal(trx, vault, row)
        await trx(table)
          .where({ id: row.id })
          .update({ ...sealed, ...empty })
      }
      return rows.at(-1)?.id
    })
  } while (after !== undefined)
}

/** The person's key, made where there is none yet. */
async function keyOf(trx: Knex.Transaction, vault: Vault, person: Uuid): Promise<Buffer> {
  const known = await trx('person_keys').where({ person_id: person }).first('sealed')
  if (known !== undefined) return openPersonKey(vault, person, known.sealed)
  const { key, row } = newPersonKey(vault, person)
  await trx('person_keys').insert({ ...row, created_at: trx.fn.now() })
  return key
}

const NAMES_PEOPLE = `(type LIKE 'payment.%' OR type = 'instruction.returned')`

/** The log and the stored answers named people, and quoted what they noted. */
async function rewriteLog(db: Knex, vault: Vault): Promise<void> {
  let after: Uuid | undefined
  do {
    after = await db.transaction(async (trx) => {
      const page = trx('events').whereRaw(NAMES_PEOPLE).orderBy('id').limit(BATCH)
      if (after !== undefined) void page.where('id', '>', after)
      const rows: { id: Uuid; data: object }[] = await page.select('id', 'data')
      // The owner of the table may open it for a moment; the processes cannot.
      await trx.raw('ALTER TABLE events DISABLE TRIGGER append_only')
      for (const { id, data } of rows) {
        const stored = await asStored(trx, vault, JSON.stringify(data))
        await trx('events').where({ id }).update({ data: stored })
      }
      await trx.raw('ALTER TABLE events ENABLE TRIGGER append_only')
      return rows.at(-1)?.id
    })
  } while (after !== undefined)
  await rewriteAnswers(db, (trx, answer) => asStored(trx, vault, answer))
}

/** A payment or a bank account as it is stored now, whatever it was; anything else as it is. */
async function asStored(trx: Knex.Transaction, vault: Vault, text: string): Promise<string> {
  const object: Readonly<Record<string, unknown>> = JSON.parse(text)
  const id = String(object['id'])
  if (id.startsWith('bac_')) return JSON.stringify({ id })
  if (!id.startsWith('pay_')) return text
  const { payer, payee, note } = object as { readonly payer: Party; payee: Party; note: unknown }
  return JSON.stringify({
    ...object,
    payer: payer && { id: payer.id },
    payee: payee && { id: payee.id },
    note: typeof note === 'string' ? await sealedNote(trx, vault, payer, id, note) : note,
  })
}

type Party = { readonly id: string } | null

async function sealedNote(
  trx: Knex.Transaction,
  vault: Vault,
  payer: Party,
  payment: string,
  note: string,
) {
  const [person, row] = [uuidOf(payer?.id ?? ''), uuidOf(payment)]
  const key = await keyOf(trx, vault, person)
  return storedNote(person, row, sealForPerson(key, notePlace(row), note))
}
