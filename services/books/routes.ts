/** Everything about the books over HTTP, and the proof that they balance. */
import { z } from 'zod'
import { audit } from '../../ledger/index.ts'
import { endpoint } from '../http/endpoint.ts'
import { CurrencyCode, Timestamp } from '../http/schemas.ts'
import { accountEndpoints } from './accounts_routes.ts'
import { bulkEndpoints } from './bulk_routes.ts'
import { ledgerEndpoints } from './ledger_routes.ts'
import { statementEndpoints } from './statement_routes.ts'

const ProofOut = z
  .strictObject({
    proven: z.boolean(),
    accounts: z.string(),
    transfers: z.string(),
    trial_balance: z.array(
      z.strictObject({ currency: CurrencyCode, debits: z.string(), credits: z.string() }),
    ),
    violations: z.array(z.strictObject({ invariant: z.string(), subject: z.string() })),
    checked_at: Timestamp,
  })
  .meta({ id: 'Proof' })

export const bookEndpoints = [
  ...accountEndpoints,
  ...statementEndpoints,
  ...ledgerEndpoints,
  ...bulkEndpoints,
  endpoint({
    ...{ method: 'GET', path: '/v1/ledger/proof', tag: 'Operators', scopes: ['operator'] },
    summary: 'Recomputes every balance from the transfers and says whether the books balance',
    answers: { 200: ProofOut },
    refusals: [],
    handle: async (context) => {
      const { accounts, transfers, trialBalance, violations } = await audit(context.db)
      const body = {
        proven: violations.length === 0,
        accounts: accounts.toString(),
        transfers: transfers.toString(),
        trial_balance: trialBalance.map(({ currency, debits, credits }) => ({
          ...{ currency, debits: debits.toString(), credits: credits.toString() },
        })),
        violations,
        checked_at: context.now().toISOString(),
      }
      return { status: 200, body }
    },
  }),
]
