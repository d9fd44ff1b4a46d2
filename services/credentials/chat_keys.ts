/**
 * Keys of the chat app's servers. Two operators agree on each, and on each new secret. What they
 * agree on is kept, so the secret is no part of it: whoever proposed it fetches it, once.
 */
import type { Knex } from 'knex'
import { answerOnce, type Claim, type Outcome, type Uuid } from '../../ledger/index.ts'
import { ServiceError } from '../errors.ts'
import {
  apiKeyOut,
  type ApiKeyRow,
  COLUMNS,
  type Desk,
  insertApiKey,
  type Issued,
  type NewApiKey,
  newSecret,
  rotateApiKey,
} from './api_keys.ts'

/**
 * A key that opens nothing yet: its first secret is nobody's.
 * @throws {ServiceError} `too_many_api_keys`
 */
export async function allowChatKey(
  desk: Desk,
  key: Omit<NewApiKey, 'merchant'>,
  claim: Claim,
): Promise<Outcome> {
  return answerOnce(desk.db, claim, async (trx) => {
    const { id } = await insertApiKey(trx, desk, { ...key, merchant: undefined }, newSecret())
    return JSON.stringify(apiKeyOut(await allowSecret(trx, desk, id, key.by)))
  })
}

/**
 * Lets the proposer fetch a new secret; until they do, the key stays as it is.
 * @throws {ServiceError} `not_found`
 */
export async function allowNewSecret(
  desk: Desk,
  id: Uuid,
  by: string,
  claim: Claim,
): Promise<Outcome> {
  return answerOnce(desk.db, claim, async (trx) =>
    JSON.stringify(apiKeyOut(await allowSecret(trx, desk, id, by))),
  )
}

/** @throws {ServiceError} `not_found` also for a merchant's key. */
export async function refuseNoChatKey({ db, now }: Desk, id: Uuid): Promise<void> {
  const found = await liveChatKey(db, id, now()).first('id')
  if (found === undefined) throw new ServiceError('not_found')
}

/**
 * The secret that two agreed on, told once: to whoever proposed it, and while it may be fetched.
 * @throws {ServiceError} `not_found`
 */
export async function fetchSecret(desk: Desk, id: Uuid, by: string): Promise<Issued> {
  return rotateApiKey(desk, id, { merchant_id: null, secret_for: by }, () => {})
}

const HOUR_MS = 3_600_000

async function allowSecret(
  trx: Knex.Transaction,
  { config, now }: Desk,
  id: Uuid,
  by: string,
): Promise<ApiKeyRow> {
  const at = now()
  const secret_until = new Date(at.getTime() + config.PROPOSAL_HOURS * HOUR_MS)
  const [row] = await liveChatKey(trx, id, at)
    .update({ secret_for: by, secret_until })
    .returning(COLUMNS)
  if (row === undefined) throw new ServiceError('not_found')
  return row
}

const liveChatKey = (db: Knex, id: Uuid, at: Date) =>
  db('api_keys').where({ id, merchant_id: null, revoked_at: null }).where('expires_at', '>', at)
