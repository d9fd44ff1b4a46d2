/** Every call of the API. What is not in this list does not exist. */
import { inboxEndpoints } from './banking/inbox_routes.ts'
import { bankingEndpoints, callbackEndpoint } from './banking/routes.ts'
import { bankEndpoints } from './banks/routes.ts'
import { deskEndpoints } from './banking/desk_routes.ts'
import { bookEndpoints } from './books/routes.ts'
import { disputeEndpoints } from './disputes/routes.ts'
import { eventEndpoints } from './events/routes.ts'
import { exchangeEndpoints } from './exchange/routes.ts'
import type { PublicEndpoint } from './http/endpoint.ts'
import { operationEndpoints } from './http/operations.ts'
import type { Api } from './http/server.ts'
import { chatKeyEndpoints } from './credentials/chat_keys_routes.ts'
import { clientEndpoints } from './credentials/clients_routes.ts'
import { deviceEndpoints } from './people/devices_routes.ts'
import { meEndpoints } from './people/me_routes.ts'
import { peopleEndpoints } from './people/standing_routes.ts'
import { identityEndpoints } from './people/routes.ts'
import { invoiceEndpoints } from './invoices/routes.ts'
import { limitEndpoints } from './limits/routes.ts'
import { sessionEndpoints } from './people/sessions_routes.ts'
import { feeEndpoints } from './fees/routes.ts'
import { onboardingEndpoints } from './merchants/onboarding_routes.ts'
import { merchantEndpoints } from './merchants/routes.ts'
import { nettingEndpoints } from './netting/routes.ts'
import { orderEndpoints } from './orders/routes.ts'
import { wayEndpoints } from './orders/ways_routes.ts'
import { reviewEndpoints } from './payments/review_routes.ts'
import { paymentEndpoints } from './payments/routes.ts'
import { privacyEndpoints } from './privacy/routes.ts'
import { overseen } from './proposals/overseen.ts'
import { proposalEndpoints } from './proposals/routes.ts'
import { reconciliationEndpoints } from './reconciliation/routes.ts'
import { refundEndpoints } from './refunds/routes.ts'
import { reserveEndpoints } from './reserves/routes.ts'
import { reversalEndpoints } from './reversals/routes.ts'
import { riskEndpoints } from './risk/routes.ts'
import { keysEndpoint, sealEndpoints } from './seals/routes.ts'
import { securityEndpoints } from './security/routes.ts'
import { settlementEndpoints } from './settlements/routes.ts'
import { scheduleEndpoints } from './settlements/schedules_routes.ts'
import { merchantStatementEndpoints } from './statements/routes.ts'
import { stepUpEndpoints } from './step_up/routes.ts'
import { totpEndpoints } from './totp/routes.ts'
import { deliveryEndpoints } from './webhooks/deliveries_routes.ts'
import { webhookEndpoints } from './webhooks/routes.ts'
import { eventTypeEndpoints } from './webhooks/types_routes.ts'

const actions = [
  ...paymentEndpoints,
  ...bankingEndpoints,
  ...bankEndpoints,
  ...deskEndpoints,
  ...inboxEndpoints,
  ...bookEndpoints,
  ...sealEndpoints,
  ...merchantEndpoints,
  ...settlementEndpoints,
  ...scheduleEndpoints,
  ...merchantStatementEndpoints,
  ...invoiceEndpoints,
  ...onboardingEndpoints,
  ...feeEndpoints,
  ...orderEndpoints,
  ...wayEndpoints,
  ...nettingEndpoints,
  ...limitEndpoints,
  ...exchangeEndpoints,
  ...identityEndpoints,
  ...stepUpEndpoints,
  ...totpEndpoints,
  ...sessionEndpoints,
  ...clientEndpoints,
  ...chatKeyEndpoints,
  ...meEndpoints,
  ...deviceEndpoints,
  ...eventEndpoints,
  ...eventTypeEndpoints,
  ...webhookEndpoints,
  ...deliveryEndpoints,
  ...refundEndpoints,
  ...reserveEndpoints,
  ...disputeEndpoints,
  ...reversalEndpoints,
  ...privacyEndpoints,
  ...reconciliationEndpoints,
  ...riskEndpoints,
  ...reviewEndpoints,
  ...peopleEndpoints,
  ...securityEndpoints,
]

/** What needs a second person is proposed, and done by the approval. */
const endpoints = [...actions.map(overseen), ...proposalEndpoints(actions)]

/** The sandbox document exists only where there is a sandbox. */
export function openApi(sandbox: unknown): Api {
  const shownSandbox = sandbox === undefined ? [] : [shown(sandbox)]
  const publicEndpoints = [callbackEndpoint, keysEndpoint, ...shownSandbox]
  const operations = operationEndpoints(endpoints, publicEndpoints)
  return { endpoints, publicEndpoints: [...publicEndpoints, ...operations] }
}

const shown = (sandbox: unknown): PublicEndpoint => ({
  ...{ method: 'GET', path: '/sandbox', tag: 'Sandbox' },
  summary: 'Everything a newcomer or a script needs to play',
  why: 'it exists only in the sandbox, where no money is real',
  answers: { 200: null },
  refusals: [],
  handle: async () => ({ status: 200, body: sandbox }),
})
