/** How the processes use Postgres, and what they demand of it. */
import { z } from 'zod'
import { integer } from './kinds.ts'

export const DATABASE_SETTINGS = {
  DATABASE_CONNECTIONS_MAX: integer(10, 4, 20).describe(
    'Connections of a process, beside five that post and at most six of the doorbell',
  ),
  DATABASE_STATEMENT_TIMEOUT_MS: integer(5_000, 100, 60_000).describe(
    'How long a statement may take; who audits or seals has longer',
  ),
  DATABASE_LOCK_TIMEOUT_MS: integer(2_000, 50, 30_000).describe(
    'How long anything waits for a lock',
  ),
  DATABASE_IDLE_IN_TRANSACTION_TIMEOUT_MS: integer(5_000, 100, 60_000).describe(
    'How long a transaction in which nothing happens is left alone',
  ),
  DATABASE_TRANSACTION_TIMEOUT_MS: integer(10_000, 200, 120_000).describe(
    'How long a transaction may take, where Postgres is 17 or later',
  ),
  DATABASE_DURABILITY: z
    .enum(['required', 'any'])
    .default('required')
    .describe(
      'With required no replica, and no server with fsync or the like switched off, is used',
    ),
  DATA_NETWORK: z
    .enum(['open', 'private'])
    .default('open')
    .describe(
      'What lies between a process and Postgres and Redis: in production only TLS goes over an ' +
        'open one; private says that nobody else is on it',
    ),
}
