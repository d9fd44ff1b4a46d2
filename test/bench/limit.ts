/**
 * The limit: groups of transfers that Postgres makes up, locks, decides and writes by itself,
 * set-wise and durably as the group commit does, but with no client that it would wait for.
 */
import pg from 'pg'
import { type Accounts, accountsOf, examine, type Measured, together } from './books.ts'
import { openOurs } from './contenders.ts'
import { fill, transfersOf } from './fill.ts'
import { type Bench, SMALL } from './plan.ts'
import { inTurns, paceOf, ratioOf, type Runner, warmUp } from './rounds.ts'
import { type Database, run } from './server.ts'
import { examineSides, type Load, LOADS, runnerOf, sideOf } from './sides.ts'

interface Limit {
  readonly ours_per_s: number
  readonly one_connection_per_s: number
  readonly two_connections_per_s: number
  /** Ours over the faster of these. */
  readonly ratio: number
}

export interface LimitFigures {
  readonly limit: {
    readonly spread: Limit
    readonly hot: Limit
    readonly transfers_per_group: number
  }
}

/** As many as the group commit takes at most, unless it is told otherwise. */
const GROUP_SIZE = 256

/**
 * Neighbours in id order pay each other. Each account is in a group once, so that entries and
 * balances follow from the locked row; who is in it is far apart on disk.
 */
const SPREAD = `
  UPDATE accounts a
     SET debits_posted = n.debits + n.at % 2, credits_posted = n.credits + 1 - n.at % 2,
         debits_pending = 0, credits_pending = 0, last_entry = n.entry + 1
    FROM unnest(locked, debits, credits, entries) WITH ORDINALITY
      AS n (id, debits, credits, entry, at)
   WHERE a.id = n.id;
  INSERT INTO transfers (id, reference, kind, currency, code, recorded_at, amount, debit_account_id,
         credit_account_id, debit_entry, credit_entry, debit_balance, credit_balance)
  SELECT uuidv7(), uuidv7(), 'single', 'EUR', 'payment', clock_timestamp(), 1,
         locked[2 * n - 1], locked[2 * n],
         entries[2 * n - 1] + 1, entries[2 * n] + 1,
         credits[2 * n - 1] - debits[2 * n - 1] - 1, credits[2 * n] - debits[2 * n] + 1
    FROM generate_series(1, ${GROUP_SIZE}) n`

/** The merchant has the highest id, so it is the last of those locked. */
const HOT = `
  UPDATE accounts a
     SET debits_posted = n.debits + CASE WHEN n.at > ${GROUP_SIZE} THEN 0 ELSE 1 END,
         credits_posted = n.credits + CASE WHEN n.at > ${GROUP_SIZE} THEN ${GROUP_SIZE} ELSE 0 END,
         debits_pending = 0, credits_pending = 0,
         last_entry = n.entry + CASE WHEN n.at > ${GROUP_SIZE} THEN ${GROUP_SIZE} ELSE 1 END
    FROM unnest(locked, debits, credits, entries) WITH ORDINALITY
      AS n (id, debits, credits, entry, at)
   WHERE a.id = n.id;
  INSERT INTO transfers (id, reference, kind, currency, code, recorded_at, amount, debit_account_id,
         credit_account_id, debit_entry, credit_entry, debit_balance, credit_balance)
  SELECT uuidv7(), uuidv7(), 'single', 'EUR', 'payment', clock_timestamp(), 1,
         locked[n], locked[${GROUP_SIZE + 1}],
         entries[n] + 1, entries[${GROUP_SIZE + 1}] + n, credits[n] - debits[n] - 1,
         credits[${GROUP_SIZE + 1}] - debits[${GROUP_SIZE + 1}] + n
    FROM generate_series(1, ${GROUP_SIZE}) n`

/** @param picked what is locked beside the `few`, who are in every group. */
const procedure = (load: Load, picked: number, write: string) => `
  CREATE PROCEDURE bench_${load}(ids uuid[], few uuid[], seconds float8, INOUT posted bigint)
  LANGUAGE plpgsql AS $$
  DECLARE
    closes  timestamptz := clock_timestamp() + make_interval(secs => seconds);
    start   int;
    locked  uuid[];
    debits  bigint[];
    credits bigint[];
    entries bigint[];
  BEGIN
    WHILE clock_timestamp() < closes LOOP
      start := floor(random() * cardinality(ids));
      SELECT array_agg(id), array_agg(debits_posted), array_agg(credits_posted),
             array_agg(last_entry)
        INTO locked, debits, credits, entries
        FROM (SELECT id, debits_posted, credits_posted, last_entry FROM accounts
               WHERE id = ANY (few || ARRAY(
                       SELECT ids[1 + (start + n * 7919) % cardinality(ids)]
                         FROM generate_series(1, ${picked}) n))
               ORDER BY id FOR NO KEY UPDATE) a;
      ${write};
      COMMIT;
      posted := posted + ${GROUP_SIZE};
    END LOOP;
  END $$`

export async function measureLimit(bench: Bench): Promise<Measured<LimitFigures>> {
  const { server, say } = bench
  say(`limit: groups of ${GROUP_SIZE} inside Postgres, on one and on two connections`)
  const ours = await server.databaseOf('florin_bench_limit_ours')
  await fill(ours.url, SMALL, say)
  const limit = await server.databaseOf('florin_bench_limit', ours.name)
  // Whatever else we do than lock, update and insert is part of the distance.
  await run(limit.url, 'ALTER TABLE transfers DISABLE TRIGGER check_transfers')
  await run(limit.url, procedure('spread', 2 * GROUP_SIZE, SPREAD))
  await run(limit.url, procedure('hot', GROUP_SIZE, HOT))
  const side = await sideOf('ours', ours, openOurs(ours), SMALL)
  const posting = await openPosting(limit)
  const compare = (load: Load) =>
    compared(bench, load, posting, runnerOf(bench.meter, side, LOADS[load]))
  const figures = { spread: await compare('spread'), hot: await compare('hot') }
  await posting.close()
  const examined = together([
    await examineSides([side], say),
    await examine(limit, transfersOf(SMALL) + posting.posted(), say),
  ])
  return { figures: { limit: { ...figures, transfers_per_group: GROUP_SIZE } }, ...examined }
}

interface Posting {
  /** Connections share no account but the merchant. */
  readonly runnerOf: (load: Load, connections: 1 | 2) => Runner<{ per_s: number }>
  readonly posted: () => number
  readonly close: () => Promise<void>
}

async function compared(
  { server, plan, say }: Bench,
  load: Load,
  posting: Posting,
  ours: Runner<{ per_s: number }>,
): Promise<Limit> {
  const runners = [ours, posting.runnerOf(load, 1), posting.runnerOf(load, 2)]
  await warmUp(runners, plan.limit)
  await server.checkpoint()
  const [a, one, two] = await inTurns(`limit ${load}`, runners, plan.limit, say)
  const paces = { one_connection_per_s: paceOf(one), two_connections_per_s: paceOf(two) }
  const ratio = Math.min(ratioOf(a, one), ratioOf(a, two))
  return { ours_per_s: paceOf(a), ...paces, ratio }
}

async function openPosting(database: Database): Promise<Posting> {
  const { wallets, merchant }: Accounts = await accountsOf(database.url)
  const half = wallets.length / 2
  const clients = await Promise.all(
    [wallets.slice(0, half), wallets.slice(half)].map(async (ids) => {
      const options = { connectionString: database.url, application_name: 'florin bench limit' }
      const client = new pg.Client(options)
      await client.connect()
      return { client, ids }
    }),
  )
  let posted = 0

  async function post(load: Load, connections: number, seconds: number) {
    const text = `CALL bench_${load}($1, $2, $3, 0)`
    const few = load === 'hot' ? [merchant] : []
    const begun = performance.now()
    const counts = await Promise.all(
      clients.slice(0, connections).map(async ({ client, ids }) => {
        const { rows } = await client.query<{ posted: string }>(text, [ids, few, seconds])
        return Number(rows[0]?.posted)
      }),
    )
    const count = counts.reduce((sum, one) => sum + one, 0)
    posted += count
    return { per_s: (count * 1000) / (performance.now() - begun) }
  }

  return {
    runnerOf: (load, connections) => ({
      name: `${connections} inside`,
      run: (seconds) => post(load, connections, seconds),
    }),
    posted: () => posted,
    async close() {
      await Promise.all(clients.map(({ client }) => client.end()))
    },
  }
}
