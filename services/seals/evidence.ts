/**
 * Evidence: that a person agreed to a payment, to exactly this one, in one document that anybody
 * can verify with nothing but our public keys. What they agreed to is written out; its digest is
 * what their device signed; the digest of both is in the sealed row of the books.
 */
import { createHash } from 'node:crypto'
import { z } from 'zod'
import { idOut, isPublicId, uuidOf } from '../ids.ts'
import { type Act, idFact, textOf } from '../approvals/acts.ts'
import { DeviceJwk, keyOf, thumbprintOf } from '../approvals/device_keys.ts'
import { evidenceOf } from '../approvals/evidence.ts'
import { CompactJws, Digest, isSignedBy, readJws } from '../approvals/jws.ts'
import type { PublicKeys } from './keys.ts'
import { Receipt, type Verdict, verifyReceipt } from './receipt.ts'

const FACTORS = ['pin', 'pin_jwe', 'device', 'none'] as const

export const Evidence = z
  .strictObject({
    version: z.literal(1),
    text: z.string().max(2_000).describe('What was agreed to, as the phone showed it'),
    digest: Digest.describe('SHA-256 of the text'),
    factor: z.enum(FACTORS),
    key: z
      .strictObject({
        id: z.string().max(100),
        jwk: DeviceJwk.nullable().describe('The public key of the device'),
      })
      .nullable()
      .describe('Which key showed it'),
    at: z.iso.datetime({ precision: 3 }).describe('When the person agreed'),
    step_up: z.enum(['totp', 'recovery_code']).nullable(),
    proof: CompactJws.nullable().describe('What the device signed'),
    receipt: Receipt,
  })
  .meta({ id: 'Evidence' })

export type Evidence = z.infer<typeof Evidence>

/** What of a payment, as a receipt shows it, the payer agreed to. */
const PaymentFacts = z.object({
  id: idOut('pay'),
  kind: z.enum(['person', 'order', 'top_up', 'withdrawal']),
  payer: z.object({ id: idOut('per') }),
  payee: z.object({ id: z.string() }).nullable(),
  amount: z.string(),
  currency: z.string(),
  order: z.string().nullable(),
  bank_account: z.string().nullable(),
})

/** @throws {z.ZodError} for what is not a payment. */
export function actOf(payment: unknown, key: string): Act {
  const { kind, payer, payee, amount, currency, ...said } = PaymentFacts.parse(payment)
  const [order, source] = [said.order ?? '', said.bank_account ?? '']
  const common = { person: uuidOf(payer.id), key }
  const money = { amount, currency }
  if (kind === 'top_up' || kind === 'withdrawal') {
    return { ...common, action: kind, facts: { ...money, source } }
  }
  const facts = { payee: payee?.id ?? idFact('per', null), ...money, order, source }
  return { ...common, action: 'payment', facts }
}

/** Verifies evidence with nothing but the public keys. */
export async function verifyEvidence(json: unknown, keys: PublicKeys): Promise<Verdict> {
  const parsed = Evidence.safeParse(json)
  if (!parsed.success) return { proven: [], faults: ['it is not evidence of version 1'] }
  // The parser's copy has its properties in another order, and the order was signed.
  const evidence = json as Evidence
  const receipt = await verifyReceipt(evidence.receipt, keys)
  const faults = [...receipt.faults, ...(await faultsOf(evidence))]
  if (faults.length > 0) return { proven: [], faults }
  return { proven: [...statements(evidence), ...receipt.proven], faults }
}

async function faultsOf(evidence: Evidence): Promise<string[]> {
  const { text, digest, factor, receipt } = evidence
  if (factor === 'none') return ['nobody was asked to agree: a token was enough']
  const key = /^key=(.*)$/m.exec(text.slice(text.lastIndexOf('\n') + 1))?.[1] ?? ''
  const isOfPayment = textOfPayment(receipt.payment, key) === text
  const isOfText = createHash('sha256').update(text).digest('hex') === digest
  const thumbprint = evidence.key?.jwk ? await thumbprintOf(evidence.key.jwk) : null
  const sealed = evidenceOf({
    ...{ digest: Buffer.from(digest, 'hex'), factor, key: evidence.key?.id ?? null, thumbprint },
    ...{ at: new Date(evidence.at), stepUp: evidence.step_up, proof: evidence.proof },
  }).toString('hex')
  const isSealed = receipt.transfers.some(
    (one) => one.sealed.evidence === sealed && one.sealed.reference === uuidOf(receipt.payment.id),
  )
  return [
    ...(isOfPayment ? [] : ['what was agreed to is not this payment']),
    ...(isOfText ? [] : ['the digest is of something else than what was agreed to']),
    ...(await signatureFaults(evidence)),
    ...(isSealed ? [] : ['it is not the evidence that is sealed in the books']),
  ]
}

/** Undefined for what is not a payment. */
function textOfPayment(payment: unknown, key: string): string | undefined {
  try {
    return textOf(actOf(payment, key))
  } catch {
    return undefined
  }
}

/** Only a device signs; what it signed must be this, by its key, at that time. */
async function signatureFaults({ factor, key, proof, digest, at }: Evidence): Promise<string[]> {
  if (factor !== 'device') {
    return key?.jwk || proof !== null ? ['a PIN comes with neither a key nor a signature'] : []
  }
  const signed = proof === null ? undefined : readJws(proof, 'florin-approval+jws')
  const publicKey = key?.jwk ? keyOf(key.jwk) : undefined
  const isSigned =
    signed !== undefined &&
    publicKey !== undefined &&
    signed.kid === key?.id &&
    isPublicId('dev', signed.kid) &&
    signed.digest.toString('hex') === digest &&
    signed.at.toISOString() === at &&
    (await isSignedBy(publicKey, signed).catch(() => false))
  return isSigned ? [] : ['it is not signed by the device']
}

const BY = {
  pin: 'by the PIN',
  pin_jwe: 'by the PIN, which their phone encrypted for exactly this',
  device: 'by what their device signed',
  none: '',
} as const satisfies Record<Evidence['factor'], string>

function statements({ text, factor, key, at, step_up: stepUp }: Evidence): string[] {
  const person = /^person=(.*)$/m.exec(text)?.[1]
  return [
    `${person} agreed at ${at}, ${BY[factor]}, to:`,
    ...text.split('\n').map((line) => `  ${line}`),
    ...(key === null ? [] : [`The key that showed it is ${key.id}.`]),
    ...(stepUp === null ? [] : [`A second factor was shown too: ${stepUp}.`]),
    'All of this is sealed in the books, with the transfer below:',
  ]
}
