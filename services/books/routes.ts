/** Everything about the books over HTTP, and the proof that they balance. */
import { z } from 'zod'
import { audit, sealStatus } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
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
    seals: z.strictObject({
      size: z.int().describe('How many transfers are sealed'),
      checkpoint: z.int().nullable().describe('The number of the newest'),
      sealed_at: Timestamp.nullable(),
      unsealed: z.int().describe('How many came after it'),
      lag_s: z.number().describe('For how long the oldest of them has waited'),
      newest_intact: z.boolean().describe('`florin ledger verify` verifies all of them'),
    }),
    violations: z.array(z.strictObject({ invariant: z.string(), subject: z.string() })),
    checked_at: Timestamp,
  })
  .meta({ id: 'Proof' })

const sealsOut = (
  { checkpoint, unsealed, unsealedSince, violations }: Awaited<ReturnType<typeof sealStatus>>,
  now: Date,
) => ({
  size: checkpoint?.head.size ?? 0,
  checkpoint: checkpoint?.head.number ?? null,
  sealed_at: checkpoint?.head.sealed_at ?? null,
  unsealed,
  lag_s: unsealedSince === null ? 0 : Math.max(0, (now.getTime() - unsealedSince.getTime()) / 1000),
  newest_intact: violations.length === 0,
})

async function prove(context: Context) {
  const { accounts, transfers, trialBalance, ...found } = await audit(context.db)
  const sealed = await sealStatus(context.db, context.config.SEAL_ORIGIN)
  const violations = [...found.violations, ...sealed.violations]
  return {
    proven: violations.length === 0,
    accounts: accounts.toString(),
    transfers: transfers.toString(),
    trial_balance: trialBalance.map(({ currency, debits, credits }) => ({
      ...{ currency, debits: debits.toString(), credits: credits.toString() },
    })),
    seals: sealsOut(sealed, context.now()),
    violations,
    checked_at: context.now().toISOString(),
  }
}

const proofs = new WeakMap<Context, ReturnType<typeof prove>>()

/** It reads everything: whoever asks while it is worked out gets the same answer. */
function shared(context: Context): ReturnType<typeof prove> {
  const running = proofs.get(context)
  if (running !== undefined) return running
  const proof = prove(context).finally(() => proofs.delete(context))
  proofs.set(context, proof)
  return proof
}

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
    handle: async (context) => ({ status: 200, body: await shared(context) }),
  }),
]
