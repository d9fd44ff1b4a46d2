/** Settings of how often somebody may ask. Of each process; 0 is no limit. */
import { integer } from './kinds.ts'

export const RATE_SETTINGS = {
  TRUSTED_PROXIES: integer(0, 0, 8).describe(
    'How many proxies of ours every request passes; with 0 behind one all people share an address',
  ),
  RATE_MONEY_PER_MINUTE: integer(10, 0, 1_000_000).describe(
    'Movements of money by one person or merchant within a minute; 0: any number',
  ),
  RATE_MONEY_PER_DAY: integer(100, 0, 1_000_000).describe('And within a day; 0: any number'),
  RATE_LOOKUPS_PER_MINUTE: integer(20, 0, 1_000_000).describe('Aliases one person asks about'),
  RATE_SECURITY_PER_MINUTE: integer(5, 0, 1_000_000).describe(
    'Changes of one person’s PIN, codes and devices',
  ),
  RATE_ANONYMOUS_PER_MINUTE: integer(60, 0, 1_000_000).describe(
    'Requests of one address whose token is missing or not valid',
  ),
  RATE_CALLBACKS_PER_SECOND: integer(200, 0, 1_000_000).describe('Callbacks of one bank'),
}
