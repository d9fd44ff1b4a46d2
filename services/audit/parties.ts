/** What must be so of whose money moves: from whom to whom, for each thing that it moves for. */
import { always, type Invariant, publicIdSql } from './invariants.ts'

/** A text that names an account by whose it is and by its type, as `whose` does. */
type Name = string

const PAYER: Name = "payer::text || ' wallet'"
const MERCHANT: Name = "merchant::text || ' merchant'"
const RESERVE: Name = "merchant::text || ' reserve'"
const BENEFICIARY: Name = "beneficiary::text || ' merchant'"
const OWNER: Name = 'owner'
const ours = (type: string): Name => `'florin ${type}'`
const atBank = (type: string): Name => `'bank:' || bank || ' ${type}'`

/** Why money moves, from whom, and to whom. */
type Way = readonly [code: string, giver: Name, getter: Name]

/** The ways of whatever is in `rows`, which has `id`, `currency` and what the ways are made of. */
const waysOf = (rows: string, ways: readonly Way[]) => `
  SELECT id, currency, way.* FROM (${rows}) one
   CROSS JOIN LATERAL (VALUES ${ways.map((way) => `('${way[0]}', ${way[1]}, ${way[2]})`).join(', ')}
   ) way (code, giver, getter)`

/** Until it is clear that it may go on, what is reviewed is held by us. */
const PAYMENTS = [
  waysOf(
    `SELECT id, currency, payer_id AS payer, payee_id AS merchant FROM payments
      WHERE kind = 'order'`,
    [
      ['payment', PAYER, MERCHANT],
      ['payment', PAYER, ours('suspense')],
      ['fee', MERCHANT, ours('fees')],
      ['tax', MERCHANT, ours('tax')],
    ],
  ),
  waysOf(
    `SELECT id, currency, payer_id AS payer, payee_id AS payee FROM payments
      WHERE kind = 'person'`,
    [
      ['payment', PAYER, "payee::text || ' wallet'"],
      ['payment', PAYER, ours('suspense')],
    ],
  ),
  waysOf(
    `SELECT p.id, currency, payee_id AS merchant, s.merchant_id AS beneficiary
       FROM payments p JOIN payment_splits s ON s.payment_id = p.id`,
    [['split', MERCHANT, BENEFICIARY]],
  ),
]

/** The merchant is whom the payment was paid to, whatever the refund or the dispute says. */
const GIVEN_BACK = [
  waysOf(
    `SELECT r.id, r.currency, payer_id AS payer, payee_id AS merchant
       FROM refunds r JOIN payments p ON p.id = r.payment_id`,
    [
      ['refund', MERCHANT, PAYER],
      ['fee_returned', ours('fees'), MERCHANT],
      ['tax_returned', ours('tax'), MERCHANT],
    ],
  ),
  waysOf(
    `SELECT r.id, r.currency, payee_id AS merchant, s.merchant_id AS beneficiary
       FROM refunds r JOIN payments p ON p.id = r.payment_id
       JOIN payment_splits s ON s.payment_id = p.id`,
    [['split_returned', BENEFICIARY, MERCHANT]],
  ),
  waysOf(
    `SELECT d.id, d.currency, payer_id AS payer, payee_id AS merchant
       FROM disputes d JOIN payments p ON p.id = d.payment_id`,
    [
      ['dispute', MERCHANT, ours('suspense')],
      ['dispute_fee', MERCHANT, ours('fees')],
      ['chargeback', ours('suspense'), PAYER],
      ['chargeback_reversed', ours('suspense'), MERCHANT],
      // Of a dispute that was lost: what the payer does not have any more is our loss.
      ['chargeback_reversed', PAYER, MERCHANT],
      ['chargeback_reversed', ours('loss'), MERCHANT],
    ],
  ),
  waysOf('SELECT id, currency, merchant_id AS merchant FROM reserves', [
    ['reserve', MERCHANT, RESERVE],
    ['reserve_released', RESERVE, MERCHANT],
  ]),
]

const EXCHANGES = [
  waysOf('SELECT id, sell_currency AS currency, person_id AS payer FROM exchanges', [
    ['exchange', PAYER, ours('fx')],
  ]),
  waysOf('SELECT id, buy_currency AS currency, person_id AS payer FROM exchanges', [
    ['exchange', ours('fx'), PAYER],
    ['spread', ours('fx'), ours('fees')],
    ['rounding', ours('fx'), ours('rounding')],
  ]),
]

/** Whose money an instruction moves, and whose account at a bank it is told of. */
const SERVED = `
  SELECT id, CASE WHEN kind IN ('person', 'order') THEN 'payment' ELSE kind END AS purpose,
         payer_id::text || ' wallet' AS owner, payer_id::text AS party FROM payments
   WHERE id IN (SELECT subject_id FROM instructions)
   UNION ALL
  SELECT id, 'settlement', merchant_id::text || ' merchant', merchant_id::text FROM settlements
   UNION ALL
  SELECT id, 'netting', 'bank:' || to_bank || ' bank', 'florin' FROM netting_obligations
   UNION ALL
  SELECT r.id, 'send_back', 'bank:' || m.bank || ' suspense', ${publicIdSql('inc', 'm.id')}
    FROM incoming_returns r JOIN incoming_money m ON m.id = r.incoming_id`

/** What is set apart is for what is served; what the bank's word moves, for the instruction. */
const instructed = (id: 'id' | 'subject_id', where: string) => `
  SELECT i.${id} AS id, currency, bank, s.owner FROM instructions i
    JOIN served s ON (s.id, s.purpose) = (i.subject_id, i.purpose) WHERE ${where}`
const OF = {
  debit: "direction = 'debit'",
  credit: "direction = 'credit' AND i.purpose <> 'netting'",
  between: "i.purpose = 'netting'",
} as const

/** Where its owner's account cannot take part, the bank's suspense stands in for it. */
const INSTRUCTIONS = [
  waysOf(instructed('subject_id', OF.debit), [['top_up', atBank('bank'), OWNER]]),
  waysOf(instructed('id', OF.debit), [
    ['top_up', atBank('bank'), OWNER],
    ['return', OWNER, atBank('bank')],
    ['return_unfunded', atBank('suspense'), atBank('bank')],
  ]),
  waysOf(instructed('subject_id', OF.credit), [['payout', OWNER, atBank('transit')]]),
  waysOf(instructed('id', OF.credit), [
    ['payout', atBank('transit'), atBank('bank')],
    ['payout_rejected', atBank('transit'), OWNER],
    ['payout_rejected', atBank('transit'), atBank('suspense')],
  ]),
  waysOf(instructed('subject_id', OF.between), [['netting', OWNER, atBank('bank')]]),
  waysOf(instructed('id', OF.between), [['netting', OWNER, atBank('bank')]]),
  waysOf(instructed('id', "direction = 'credit'"), [
    ['return', atBank('bank'), OWNER],
    ['return', atBank('bank'), atBank('suspense')],
  ]),
]

const INCOMING = [
  waysOf('SELECT id, currency, bank FROM incoming_money', [
    ['incoming', atBank('bank'), atBank('suspense')],
  ]),
  waysOf(
    `SELECT m.id, currency, bank, w.name AS owner FROM incoming_money m
       JOIN whose w ON w.owner = m.owner AND w.type IN ('wallet', 'merchant')`,
    [['incoming_matched', atBank('suspense'), OWNER]],
  ),
]

/** Each account by whose it is: a person's or a merchant's id where it is theirs. */
const WHOSE = `
  known AS MATERIALIZED (
    SELECT id, ${publicIdSql('per', 'id')} AS owner FROM people
     UNION ALL
    SELECT id, ${publicIdSql('mer', 'id')} FROM merchants),
  whose AS MATERIALIZED (
    SELECT a.id, a.owner, a.type, coalesce(k.id::text, a.owner) AS party,
           coalesce(k.id::text, a.owner) || ' ' || a.type AS name
      FROM accounts a LEFT JOIN known k ON k.owner = a.owner)`

export const PARTIES: readonly Invariant[] = [
  ...always({
    // Whatever moves, or is held, for something of the business goes one of its ways.
    money_goes_between_its_parties: `
      WITH ${WHOSE}, served AS (${SERVED}),
      ways (id, currency, code, giver, getter) AS MATERIALIZED (
        ${[PAYMENTS, GIVEN_BACK, EXCHANGES, INSTRUCTIONS, INCOMING].flat().join(' UNION ALL ')})
      SELECT t.reference AS subject FROM transfers t
        JOIN whose d ON d.id = t.debit_account_id
        JOIN whose c ON c.id = t.credit_account_id
       WHERE t.kind <> 'reversal' AND t.reference IN (SELECT id FROM ways)
         AND NOT EXISTS (
               SELECT FROM ways w WHERE (w.id, w.currency, w.code, w.giver, w.getter)
                                      = (t.reference, t.currency, t.code, d.name, c.name))`,
    shares_are_of_their_beneficiaries: `
      WITH ${WHOSE}
      SELECT subject FROM (
          SELECT s.payment_id AS subject, s.merchant_id::text AS party,
                 CASE WHEN p.captured IS NULL AND p.state IN ('completed', 'reversed')
                      THEN s.amount ELSE 0 END AS amount
            FROM payment_splits s JOIN payments p ON p.id = s.payment_id
           UNION ALL
          SELECT c.payment_id, s.merchant_id::text, c.amount FROM capture_splits c
            JOIN payment_splits s USING (payment_id, line)
           UNION ALL
          SELECT r.refund_id, s.merchant_id::text, r.amount - r.from_payee FROM refund_splits r
            JOIN payment_splits s USING (payment_id, line)
           UNION ALL
          SELECT t.reference, w.party, -t.amount FROM transfers t
            JOIN whose w ON w.id = CASE t.code WHEN 'split' THEN t.credit_account_id
                                               ELSE t.debit_account_id END
           WHERE t.kind <> 'reversal' AND t.code IN ('split', 'split_returned')
             AND t.reference IN (SELECT id FROM payments UNION ALL SELECT id FROM refunds)) shares
       GROUP BY subject, party HAVING sum(amount) <> 0`,
    settlements_are_of_their_merchants_account: `
      SELECT s.id AS subject FROM settlements s LEFT JOIN accounts a ON a.id = s.account_id
       WHERE (a.owner, a.type, a.currency) IS DISTINCT FROM
             (${publicIdSql('mer', 's.merchant_id')}, 'merchant', s.currency)`,
    // A bank is told of nobody's account but of whose money it is.
    banks_are_told_of_their_owners_account: `
      WITH ${WHOSE}, served AS (${SERVED})
      SELECT i.id AS subject FROM instructions i
        JOIN served s ON (s.id, s.purpose) = (i.subject_id, i.purpose)
        LEFT JOIN bank_accounts b ON b.id = i.bank_account_id
        LEFT JOIN known k ON k.owner = b.owner
       WHERE coalesce(k.id::text, b.owner) IS DISTINCT FROM s.party`,
  }),
]
