/**
 * The books: accounts, and transfers of money between them.
 *
 * Invariants, each also a constraint or a trigger in Postgres:
 *  - Money moves only by a transfer, which debits one account and credits another the same amount.
 *  - Transfers are never changed or deleted. A hold is resolved by a new row, a mistake corrected
 *    by a new transfer.
 *  - No account falls below its floor, counting what is reserved to leave, not even in between.
 *  - Entries of an account are numbered 1, 2, 3, ... and each carries the balance after it.
 *  - What is claimed once is answered once, in the transaction that moved the money.
 *  - The ledger knows nothing of HTTP, queues, banks, persons or merchants.
 */
export {
  type AccountBalances,
  type AccountKey,
  closeAccount,
  findAccounts,
  findPurposes,
  findAccountWithHolds,
  freezeAccount,
  HOLDS_MAX,
  type Metadata,
  openAccount,
  type OpenHold,
  setMetadata,
  stateOf,
} from './accounts.ts'
export { audit, type Violation } from './audit/audit.ts'
export { ACCOUNT_TYPES, type AccountType } from './chart.ts'
export { type Claim, claimOf, purgeClaims, rewriteAnswers } from './claims.ts'
export type { CompanionRow, CompanionRows } from './companions.ts'
export { connect, KEEP_ALIVE, migrate, PATIENT } from './database.ts'
export { isUnavailable, LedgerError, type LedgerErrorCode, violatedConstraint } from './errors.ts'
export { movedByDay } from './daily.ts'
export { creditsOf, type Funds, lockAvailable, lockFunds, setFloor } from './floors.ts'
export type { Bulk, BulkResult } from './bulks.ts'
export type { Accepted, Conclusion, Outcome, Refusal, Unit } from './commit.ts'
export { type Head, hashOfHex } from './seals/heads.ts'
export { type Group, openGroup } from './group.ts'
export type { Question } from './looks.ts'
export { type ExpiredHold, postponeExpiry, takeExpired } from './holds.ts'
export {
  type AccountId,
  newId,
  newUnitId,
  type TransferId,
  transferIdAt,
  type UnitId,
  type Uuid,
  uuidOfHex,
} from './ids.ts'
export {
  allocate,
  basisPointsOf,
  convert,
  CURRENCIES,
  type Currency,
  formatMoney,
  isCurrency,
  leastWorth,
  type Money,
  percentOf,
  type Rounding,
  ROUNDINGS,
} from './money.ts'
export { balanceAt, type CountedBy, type Moment } from './moments.ts'
export {
  type Calendar,
  type Ceiling,
  findQuotas,
  type Period,
  type Quota,
  type Return,
  returnUses,
  type Use,
} from './quotas.ts'
export { answerOnce } from './once.ts'
export { closePeriod } from './periods.ts'
export { endWhenSilent } from './silence.ts'
export { type Entry, findEntries, openStatement, type Span } from './statement.ts'
export {
  accountsOfOwners,
  creditedBy,
  endsBefore,
  momentsCredited,
  type CodeSum,
  type RangeSums,
  type SumAgainst,
  sumRanges,
  sumsAgainst,
} from './ranges.ts'
export { createTransfers } from './transfers.ts'
export { turnoverOf } from './turnover.ts'
export { type Copy, copyOfText } from './wire/copy.ts'
export { copyOut } from './wire/copy-out.ts'
export type { Condition, Movement, NewTransfer, Resolution } from './units.ts'
export {
  type Checkpoint,
  consistencyProof,
  findCheckpoints,
  findFamily,
  inclusionProofs,
  positionsOf,
} from './seals/proofs.ts'
export { lastSeal, listFlows, sumFlows } from './seals/flows.ts'
export { leafOf, SEALED_FIELDS, type SealedTransfer } from './seals/leaves.ts'
export { isConsistent, isIncluded } from './seals/merkle.ts'
export { sealStatus } from './seals/status.ts'
export { seal, type Sealed, type SealOptions } from './seals/seal.ts'
export { type SealCheck, type SealState, stateAt, verifySeals } from './seals/verify.ts'
