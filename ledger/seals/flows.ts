/**
 * What sealed transfers moved into and out of some accounts. A range of seals is a set of transfers
 * that never changes, and ranges that meet leave none out; so whoever counts by seals counts each
 * transfer once, however late it was committed. Reads rows that nobody ever changes, and no others.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Knex } from 'knex'
import type { AccountId, TransferId } from '../ids.ts'

/** Seals from the one after `after` to `through`. */
export interface SealRange {
  readonly after: bigint
  readonly through: bigint
}

export interface Flow {
  readonly account: AccountId
  /** Posted, minor units: what the account was debited, and what it was credited. */
  readonly debits: bigint
  readonly credits: bigint
}

export interface FlowRow extends Flow {
  readonly seal: bigint
  readonly transfer: TransferId
  readonly recordedAt: Date
}

/** The newest seal with which all that had been committed was sealed; 0 before the first. */
export async function lastSeal(db: Knex): Promise<bigint> {
  const row = await db('seals').whereNotNull('snapshot').orderBy('number', 'desc').first('number')
  return row?.number ?? 0n
}

/**
 * What each of the accounts took in and gave out, and by how many transfers. What moved between two
 * of them counts for neither: taken together they gained and lost nothing by it.
 * @param after done after each part, of which there may be many.
 */
export async function sumFlows(
  db: Knex,
  accounts: readonly AccountId[],
  range: SealRange,
  after: () => Promise<void> = async () => {},
): Promise<{ readonly flows: readonly Flow[]; readonly transfers: bigint }> {
  const sums = new Map<AccountId, Flow>()
  let transfers = 0n
  for await (const part of partsOf(db, range)) {
    const started = performance.now()
    const { rows } = await db.raw<{ rows: (Flow & { readonly count: bigint })[] }>(
      `SELECT account, sum(debits)::bigint AS debits, sum(credits)::bigint AS credits, count(*)
         FROM (${FLOWS}) f GROUP BY account`,
      { ...part, accounts: [...accounts] },
    )
    for (const { account, count, debits, credits } of rows) {
      const before = sums.get(account) ?? { debits: 0n, credits: 0n }
      const sum = { debits: before.debits + debits, credits: before.credits + credits }
      sums.set(account, { account, ...sum })
      transfers += count
    }
    await after()
    // Nobody waits for it: it rests for longer than it worked, so that payments hardly feel it.
    await sleep(Math.min(REST * (performance.now() - started), REST_MAX_MS))
  }
  return { flows: [...sums.values()], transfers }
}

/** The same one by one, in the order of their seals, some thousands at a time. */
export async function* listFlows(
  db: Knex,
  accounts: readonly AccountId[],
  range: SealRange,
): AsyncGenerator<readonly FlowRow[]> {
  for await (const part of partsOf(db, range)) {
    const { rows } = await db.raw<{ rows: FlowRow[] }>(
      `${FLOWS} ORDER BY s.number, t.recorded_at, t.id`,
      { ...part, accounts: [...accounts] },
    )
    yield rows
  }
}

const OURS = 'CAST(:accounts AS uuid[])'
const [IS_DEBITED, IS_CREDITED] = [
  `(t.debit_account_id = ANY (${OURS}))`,
  `(t.credit_account_id = ANY (${OURS}))`,
]
const FLOWS = `
  SELECT s.number AS seal, t.id AS transfer, t.recorded_at AS "recordedAt",
         CASE WHEN ${IS_DEBITED} THEN t.debit_account_id ELSE t.credit_account_id END AS account,
         CASE WHEN ${IS_DEBITED} THEN t.amount ELSE 0 END AS debits,
         CASE WHEN ${IS_CREDITED} THEN t.amount ELSE 0 END AS credits
    FROM seals s
   CROSS JOIN LATERAL unpacked_ids(s.transfer_ids) AS sealed (id)
    JOIN transfers t ON t.id = sealed.id
   WHERE s.number > :after AND s.number <= :through
     AND t.kind IN ('single', 'post', 'reversal') AND ${IS_DEBITED} <> ${IS_CREDITED}`

const REST = 6
const REST_MAX_MS = 2_000

/** So many transfers are read by one statement, or one seal of more. */
const PART_SIZE = 16_384
const PART_SEALS_MAX = 256

async function* partsOf(db: Knex, { after, through }: SealRange): AsyncGenerator<SealRange> {
  let from = after
  while (from < through) {
    const seals: { number: bigint; size: number }[] = await db('seals')
      .whereRaw('number > ? AND number <= ?', [from.toString(), through.toString()])
      .orderBy('number')
      .limit(PART_SEALS_MAX)
      .select('number', 'size')
    let [to, size] = [from, 0]
    for (const seal of seals) {
      size += seal.size
      if (to > from && size > PART_SIZE) break
      to = seal.number
    }
    if (to === from) return
    yield { after: from, through: to }
    from = to
  }
}
