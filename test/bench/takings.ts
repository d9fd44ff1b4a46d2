/** Merchants with a month of payments behind them, made set-wise, and their batches due. */
import { dropIndexes, SETTINGS } from './fill.ts'
import { withConnection } from './server.ts'

export interface Takings {
  readonly merchants: number
  readonly paymentsEach: number
}

/** In cents. */
const [FUNDS, GROSS, FEE] = [1_000_000_000, 1_000, 25]

export const transfersOfTakings = ({ merchants, paymentsEach }: Takings): number =>
  merchants * (1 + 2 * paymentsEach)

/**
 * Each merchant has a customer, who paid so often; the fee was taken off each time. The payments
 * are two days old, and a schedule whose one cut-off comes tomorrow.
 */
export async function fillTakings(
  url: string,
  takings: Takings,
  say: (line: string) => void,
): Promise<void> {
  await withConnection(url, async (query) => {
    await query(SETTINGS)
    await query('ALTER TABLE transfers DISABLE TRIGGER check_transfers')
    const rebuild = await dropIndexes(query)
    await query(merchantsSql(takings))
    for (const sql of businessSql) await query(sql)
    for (const sql of accountsSql(takings)) await query(sql)
    say(`  loading ${takings.merchants * takings.paymentsEach} payments`)
    for (const sql of transfersSql(takings)) await query(sql)
    say('  loading indexes')
    for (const sql of rebuild) await query(sql)
    await query('ALTER TABLE transfers ENABLE TRIGGER check_transfers')
    await query('VACUUM ANALYZE')
  })
}

/** TypeID of a UUID, as `publicId` writes it. */
const OWNER = `
  CREATE FUNCTION pg_temp.public_id(prefix text, id uuid) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT prefix || '_' || string_agg(substr('0123456789abcdefghjkmnpqrstvwxyz',
             1 + substr(bits, 1 + 5 * n, 5)::bit(5)::int, 1), '' ORDER BY n)
      FROM (SELECT '00' || ('x' || replace(id::text, '-', ''))::bit(128)::text AS bits) b,
           generate_series(0, 25) n $$`

const merchantsSql = ({ merchants }: Takings) => `${OWNER};
  CREATE TEMP TABLE shops AS
    SELECT n, uuidv7() AS id, uuidv7() AS account, uuidv7() AS wallet
      FROM generate_series(1, ${merchants}) n;
  ALTER TABLE shops ADD owner text;
  UPDATE shops SET owner = pg_temp.public_id('mer', id);
  ANALYZE shops`

const businessSql = [
  `INSERT INTO merchants (id, subject, name, state, created_at)
   SELECT id, 'shop' || n, 'Shop ' || n, 'active', now() - interval '30 days' FROM shops`,
  `INSERT INTO bank_accounts (id, owner, bank, number_sealed, holder_sealed, number_index,
          name_check, created_at)
   SELECT uuidv7(), owner, 'north', '\\x00', '\\x00', decode(md5(owner), 'hex'), 'match', now()
     FROM shops`,
  `INSERT INTO settlement_schedules (id, merchant_id, currency, frequency, month_day, cut_off,
          time_zone, delay_days, calendar, minimum_amount, valid_from, created_by, created_at)
   SELECT uuidv7(), id, 'EUR', 'monthly',
          extract(day FROM now() AT TIME ZONE 'UTC' + interval '1 day'),
          '12:00', 'UTC', 0, 'weekends', 0, now() - interval '1 hour', 'bench', now() FROM shops`,
]

const COLUMNS = `id, owner, type, currency, normal_side, floor, debits_posted, credits_posted,
                 last_entry`

const accountsSql = ({ merchants, paymentsEach }: Takings) => [
  `INSERT INTO accounts (${COLUMNS})
   SELECT account, owner, 'merchant', 'EUR', 'credit'::account_side, 0,
          ${paymentsEach * FEE}, ${paymentsEach * GROSS}, ${2 * paymentsEach} FROM shops
   UNION ALL
   SELECT wallet, 'bench:' || n, 'wallet', 'EUR', 'credit', 0, ${paymentsEach * GROSS}, ${FUNDS},
          ${1 + paymentsEach} FROM shops
   UNION ALL
   SELECT uuidv7(), 'bench', 'bank', 'EUR', 'debit', NULL, ${merchants * FUNDS}, 0, ${merchants}
   UNION ALL
   SELECT uuidv7(), 'florin', 'fees', 'EUR', 'credit', NULL, 0,
          ${merchants * paymentsEach * FEE}, ${merchants * paymentsEach}`,
  `CREATE TEMP TABLE ours AS SELECT
     (SELECT id FROM accounts WHERE type = 'bank') AS bank,
     (SELECT id FROM accounts WHERE type = 'fees') AS fees, now() - interval '2 days' AS at`,
]

const INSERT = (code: string) => `
  INSERT INTO transfers (id, reference, kind, currency, recorded_at, code, amount, debit_account_id,
         credit_account_id, debit_entry, credit_entry, debit_balance, credit_balance)
  SELECT uuidv7(), uuidv7(), 'single', 'EUR', ours.at, '${code}',`

const transfersSql = ({ paymentsEach }: Takings) => [
  `${INSERT('test')} ${FUNDS}, bank, wallet, n, 1, n * ${FUNDS}::bigint, ${FUNDS} FROM shops, ours`,
  `${INSERT('payment')} ${GROSS}, wallet, account, 1 + k, 2 * k - 1, ${FUNDS} - k * ${GROSS},
          (k - 1) * ${GROSS - FEE} + ${GROSS}
     FROM generate_series(1, ${paymentsEach}) k, shops, ours`,
  `${INSERT('fee')} ${FEE}, account, fees, 2 * k, (n - 1) * ${paymentsEach} + k, k * ${GROSS - FEE},
          ((n - 1) * ${paymentsEach} + k) * ${FEE}
     FROM generate_series(1, ${paymentsEach}) k, shops, ours`,
]
