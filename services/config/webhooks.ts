/** Settings of webhooks and of the stream of events. */
import { z } from 'zod'
import { integer } from './kinds.ts'

const PORT_MAX = 65_535

export const WEBHOOK_SETTINGS = {
  WEBHOOK_TARGETS: z
    .enum(['public', 'any'])
    .default('public')
    .describe('Public: https, to addresses of the open internet; any is refused in production'),
  WEBHOOK_PORTS: z
    .string()
    .regex(/^\d{1,5}(,\d{1,5})*$/, 'ports, separated by commas')
    .transform((text) => text.split(',').map(Number))
    .refine((ports) => ports.every((port) => port > 0 && port <= PORT_MAX), 'no such port')
    .prefault('443,8443')
    .describe('The ports that webhooks may be sent to'),
  WEBHOOK_TIMEOUT_MS: integer(10_000, 500, 20_000).describe(
    'How long a receiver may take to answer',
  ),
  WEBHOOK_EVERY_MS: integer(250, 20, 60_000).describe(
    'How often a worker looks for events to deliver',
  ),
  WEBHOOK_SLOTS: integer(64, 4, 1_000).describe(
    'How many webhooks a worker sends at the same time to receivers that answer quickly',
  ),
  WEBHOOK_SLOW_SLOTS: integer(32, 1, 1_000).describe(
    'The same for receivers that are slow, failing or new, one at a time to each',
  ),
  WEBHOOK_OVERLAP_S: integer(86_400, 0, 604_800).describe(
    'How long the old secret of an endpoint signs beside the new one after it was rotated',
  ),
  WEBHOOK_FAILING_DAYS: integer(5, 1, 90).describe(
    'After so many days in which nothing arrived an endpoint is disabled',
  ),
  WEBHOOK_LOG_DAYS: integer(30, 4, 3_650).describe('How long deliveries are kept'),
  EVENT_STREAMS_MAX: integer(200, 1, 10_000).describe(
    'How many streams of events a process keeps open',
  ),
  EVENT_STREAMS_PER_CALLER: integer(4, 1, 100).describe('How many of them one caller may have'),
}
