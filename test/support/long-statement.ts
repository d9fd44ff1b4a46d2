/** A bank with very many settled payouts, and its statement with a known number of faults. */
import { createWriteStream } from 'node:fs'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Knex } from 'knex'

const BANK = 'longbank'
const DATE = '2026-02-02'
const LATER = '2026-02-14'

/** Of a thousand lines. */
const FAULTS = { missing: 1, differs: 2, twice: 3, late: 4, fee: 5 } as const

const amountOf = (n: number) => 100 + (n % 900)
const referenceOf = (n: number) => `R${String(n).padStart(9, '0')}`

/** What the reconciliation must come to. @param payouts thousands of them. */
export const expectedOf = (payouts: number) => {
  const each = payouts / 1_000
  return {
    matched: payouts - 3 * each,
    unmatched_in_statement: each,
    unmatched_in_books: each,
    amount_differs: each,
    duplicate: each,
    late: each,
  }
}

/** Instructions and transfers as if each had been made and settled; books that balance. */
export async function fillBooks(db: Knex, payouts: number): Promise<void> {
  const big = (sql: string) =>
    db.transaction(async (trx) => {
      await trx.raw("SET LOCAL transaction_timeout = 0; SET LOCAL statement_timeout = '10min'")
      await trx.raw(sql)
    })
  await big(`
    INSERT INTO accounts (id, owner, type, currency, normal_side, floor)
    VALUES (uuidv7(), 'bank:${BANK}', 'bank', 'EUR', 'debit', NULL),
           (uuidv7(), 'bank:${BANK}', 'suspense', 'EUR', 'credit', NULL);
    INSERT INTO bank_accounts (id, owner, bank, name_check, created_at)
    VALUES (uuidv7(), 'per_none', '${BANK}', 'match', now())`)
  await big(`
    INSERT INTO instructions (id, reference, bank, direction, rail, purpose, subject_id,
           bank_account_id, owner_account_id, transfer_id, amount, currency, state, next_at,
           created_at, changed_at)
    SELECT uuidv7(), 'R' || lpad(n::text, 9, '0'), '${BANK}', 'credit', 'internal', 'withdrawal',
           uuidv7(), (SELECT id FROM bank_accounts WHERE bank = '${BANK}'), uuidv7(), uuidv7(),
           100 + n % 900, 'EUR', 'settled', '${DATE}', '${DATE}', '${DATE}'
      FROM generate_series(1, ${payouts}) n`)
  await big(`
    ALTER TABLE transfers DISABLE TRIGGER check_transfers;
    INSERT INTO transfers (id, reference, kind, currency, code, amount, debit_account_id,
           credit_account_id, debit_entry, credit_entry, debit_balance, credit_balance,
           effective_at)
    SELECT uuidv7(), i.id, 'single', 'EUR', 'payout', i.amount, suspense.id, bank.id,
           row_number() OVER everything, row_number() OVER everything,
           -sum(i.amount) OVER everything, -sum(i.amount) OVER everything, '${DATE} 12:00Z'
      FROM instructions i
      JOIN accounts suspense ON suspense.owner = 'bank:${BANK}' AND suspense.type = 'suspense'
      JOIN accounts bank ON bank.owner = 'bank:${BANK}' AND bank.type = 'bank'
    WINDOW everything AS (ORDER BY i.reference ROWS UNBOUNDED PRECEDING);
    ALTER TABLE transfers ENABLE TRIGGER check_transfers;
    UPDATE accounts a SET last_entry = ${payouts},
           debits_posted = CASE type WHEN 'suspense' THEN total.sum ELSE 0 END,
           credits_posted = CASE type WHEN 'bank' THEN total.sum ELSE 0 END
      FROM (SELECT sum(amount) FROM transfers) total WHERE a.owner = 'bank:${BANK}'`)
  await db.raw('VACUUM ANALYZE')
}

interface Line {
  readonly reference: string
  readonly cents: number
  readonly date: string
}

function* linesOf(payouts: number): Generator<Line> {
  for (let n = 1; n <= payouts; n += 1) {
    const fault = n % 1_000
    const line = { reference: referenceOf(n), cents: amountOf(n), date: DATE }
    if (fault === FAULTS.missing) continue
    if (fault === FAULTS.differs) yield { ...line, cents: line.cents + 1 }
    else if (fault === FAULTS.late) yield { ...line, date: LATER }
    else yield line
    if (fault === FAULTS.twice) yield line
    if (fault === FAULTS.fee) yield { reference: `FEE/${n}`, cents: 7, date: DATE }
  }
}

const FORMATS = { csv: csvText, camt053: camtText } as const
export type Format = keyof typeof FORMATS

/** Without ever holding much of it. */
export async function writeStatement(file: string, format: Format, payouts: number): Promise<void> {
  await pipeline(Readable.from(inParts(FORMATS[format](payouts))), createWriteStream(file))
}

const PART = 64 * 1024

function* inParts(texts: Iterable<string>): Generator<string> {
  let part = ''
  for (const text of texts) {
    part += text
    if (part.length < PART) continue
    yield part
    part = ''
  }
  yield part
}

function* csvText(payouts: number): Generator<string> {
  yield 'date,reference,amount,currency,description\n'
  for (const { date, reference, cents } of linesOf(payouts)) {
    yield `${date},${reference},-${cents},EUR,Payout to a customer\n`
  }
}

const euros = (cents: number) =>
  `${Math.floor(cents / 100)}.${String(cents % 100).padStart(2, '0')}`

const balance = (code: string, cents: number) =>
  `<Bal><Tp><CdOrPrtry><Cd>${code}</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">${euros(cents)}</Amt>` +
  `<CdtDbtInd>DBIT</CdtDbtInd><Dt><Dt>${DATE}</Dt></Dt></Bal>`

function* camtText(payouts: number): Generator<string> {
  let total = 0
  for (const { cents } of linesOf(payouts)) total += cents
  yield '<?xml version="1.0" encoding="UTF-8"?>\n'
  yield '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt>'
  yield '<GrpHdr><MsgId>M1</MsgId><CreDtTm>2026-02-15T05:00:00Z</CreDtTm></GrpHdr>'
  yield '<Stmt><Id>S1</Id><CreDtTm>2026-02-15T05:00:00Z</CreDtTm>'
  yield '<Acct><Id><IBAN>NL91ABNA0417164300</IBAN></Id><Ccy>EUR</Ccy></Acct>'
  yield balance('OPBD', 0) + balance('CLBD', total)
  for (const { date, reference, cents } of linesOf(payouts)) {
    yield (
      `<Ntry><Amt Ccy="EUR">${euros(cents)}</Amt><CdtDbtInd>DBIT</CdtDbtInd>` +
      `<Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>${date}</Dt></BookgDt><NtryDtls><TxDtls>` +
      `<Refs><EndToEndId>${reference}</EndToEndId></Refs>` +
      `<RmtInf><Ustrd>Payout to a customer</Ustrd></RmtInf></TxDtls></NtryDtls></Ntry>\n`
    )
  }
  yield '</Stmt></BkToCstmrStmt></Document>'
}

export { BANK as LONG_BANK }
