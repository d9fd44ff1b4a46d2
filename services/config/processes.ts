/** Settings of the processes themselves: where they listen, and how much they do at once. */
import { z } from 'zod'
import { integer, json, postgresUrl } from './kinds.ts'

export const PROCESS_SETTINGS = {
  NODE_ENV: z
    .enum(['production', 'development', 'test'])
    .default('development')
    .describe('In production the sandbox and what is convenient on a laptop are refused at start'),
  LOG_LEVEL: z
    .enum(['fatal', 'error', 'warn', 'info', 'debug', 'silent'])
    .default('info')
    .describe('The least of what is logged'),
  HOST: z.string().default('127.0.0.1').describe('The address on which the processes listen'),
  PORT: integer(8080, 0, 65_535).describe('The port of the API'),
  WORKER_PORT: integer(9090, 0, 65_535).describe(
    'The port of the worker, for probes and metrics only',
  ),
  DATABASE_URL: postgresUrl.describe(
    'The database; every connection acts as the role of its process',
  ),
  REDIS_URL: z
    .string()
    .regex(/^rediss?:\/\//, 'must be a redis:// url')
    .optional()
    .describe('What BullMQ keeps its rings in; Postgres where it is left out'),
  WORKER_CONCURRENCY: integer(8, 1, 256).describe('Rings that a worker handles at the same time'),
  SWEEP_EVERY_MS: integer(5_000, 100, 600_000).describe(
    'How often a worker looks for what nobody rang for',
  ),
  SANDBOX: json.optional().describe('What a newcomer needs, as JSON; only `npm start` sets it'),
}
