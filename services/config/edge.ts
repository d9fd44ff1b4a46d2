/** What the HTTP edge accepts, and for how long it waits. */
import { integer } from './kinds.ts'

export const EDGE_SETTINGS = {
  BODY_BYTES_MAX: integer(16 * 1024, 1_024, 65_536).describe(
    'How many bytes a body may have; bulks may be larger',
  ),
  CALLBACK_BYTES_MAX: integer(64 * 1024, 1_024, 1_048_576).describe(
    'How many bytes a bank’s callback may have',
  ),
  JSON_DEPTH_MAX: integer(8, 4, 32).describe('How deep objects and lists may be nested'),
  JSON_KEYS_MAX: integer(64, 16, 1_024).describe('How many keys one object may have'),
  HEADERS_BYTES_MAX: integer(8 * 1024, 2_048, 65_536).describe(
    'How many bytes all headers together may have',
  ),
  HEADERS_TIMEOUT_MS: integer(10_000, 500, 60_000).describe('How long headers may take to arrive'),
  REQUEST_TIMEOUT_MS: integer(15_000, 500, 300_000).describe('How long a request may take to come'),
  KEEP_ALIVE_TIMEOUT_MS: integer(5_000, 0, 120_000).describe('How long an idle socket is kept'),
  SOCKET_REQUESTS_MAX: integer(1_000, 1, 1_000_000).describe(
    'Requests after which a socket is closed',
  ),
  REQUESTS_AT_ONCE_MAX: integer(512, 16, 65_536).describe(
    'Requests answered at the same time, four times as many for a moment; the next gets 503',
  ),
  CLAIM_DAYS: integer(30, 30, 3_650).describe('How long a repeated Idempotency-Key is recognised'),
}
