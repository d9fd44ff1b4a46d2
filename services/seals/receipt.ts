/**
 * A receipt: what a payment moved, and the proof that it is sealed, in one document that anybody
 * can verify with nothing but our public keys.
 */
import { createHash } from 'node:crypto'
import { z } from 'zod'
import {
  formatMoney,
  hashOfHex,
  isIncluded,
  leafOf,
  SEALED_FIELDS,
  type SealedTransfer,
} from '../../ledger/index.ts'
import { idOut, uuidOf } from '../ids.ts'
import { openVerifier, type PublicKeys } from './keys.ts'

const Hex = z.string().regex(/^[0-9a-f]{64}$/)
const Jws = z.string().regex(/^[\w-]+\.[\w-]+\.[\w-]+$/)
/** A tree of 2^53 leaves has paths of 53 hashes. */
const PATH_MAX = 53

const Sealed = z
  .strictObject({
    ...(Object.fromEntries(SEALED_FIELDS.map((field) => [field, z.string().nullable()])) as Record<
      keyof SealedTransfer,
      z.ZodNullable<z.ZodString>
    >),
    evidence: Hex.nullable()
      .optional()
      .describe('Digest of what authorised it; null where a token was enough'),
  })
  .describe('The row of the books, each field as it was sealed')

const PaymentFacts = z
  .looseObject({
    id: idOut('pay'),
    state: z.string(),
    amount: z.string().regex(/^[1-9][0-9]{0,14}$/),
    currency: z.string().regex(/^[A-Z]{3}$/),
  })
  .describe('The payment as `GET /v1/payments/{id}` shows it')

export const Receipt = z
  .strictObject({
    version: z.literal(1),
    payment: PaymentFacts,
    transfers: z
      .array(
        z.strictObject({
          position: z.int().min(0).describe('Of its leaf in the tree'),
          sealed: Sealed,
          path: z.array(Hex).max(PATH_MAX).describe('From the leaf to the root (RFC 6962)'),
        }),
      )
      .min(1)
      .max(10_000),
    checkpoint: Jws.describe('The signed head of the tree that the paths lead to'),
    signature: Jws.describe('Over the SHA-256 of everything above, as JSON without blanks'),
  })
  .meta({ id: 'Receipt' })

export type Receipt = z.infer<typeof Receipt>

export const Head = z.strictObject({
  origin: z.string(),
  number: z.int().min(1),
  size: z.int().min(0),
  root: Hex,
  chain: Hex,
  sealed_at: z.string(),
})

/** What the receipt's signature is over. */
export const digestOf = ({
  version,
  payment,
  transfers,
  checkpoint,
}: Omit<Receipt, 'signature'>) => ({
  sha256: createHash('sha256')
    .update(JSON.stringify({ version, payment, transfers, checkpoint }))
    .digest('hex'),
})

export interface Verdict {
  /** What was shown, in plain words. */
  readonly proven: readonly string[]
  /** What is wrong; empty when the receipt is good. */
  readonly faults: readonly string[]
}

/** Verifies a receipt with nothing but the public keys. */
export async function verifyReceipt(json: unknown, keys: PublicKeys): Promise<Verdict> {
  const parsed = Receipt.safeParse(json)
  if (!parsed.success) return failed('it is not a receipt of version 1')
  // The parser's copy has its properties in another order, and the order was signed.
  const receipt = json as Receipt
  const verify = await openVerifier(keys)
  const whole = await verify('florin-receipt', receipt.signature)
  if (whole === undefined) return failed('it is not signed by one of these keys')
  if (JSON.stringify(whole.payload) !== JSON.stringify(digestOf(receipt))) {
    return failed('it was changed after it was signed')
  }
  const signed = await verify('florin-checkpoint', receipt.checkpoint)
  const head = Head.safeParse(signed?.payload)
  if (signed === undefined || !head.success) {
    return failed('its checkpoint is not signed by one of these keys')
  }
  const faults = faultsOf(receipt, head.data)
  if (faults.length > 0) return { proven: [], faults }
  return { proven: statements(receipt, head.data, signed.kid), faults }
}

const failed = (fault: string): Verdict => ({ proven: [], faults: [fault] })

function faultsOf({ payment, transfers }: Receipt, { size, root }: z.infer<typeof Head>): string[] {
  const isOfPayment = transfers.some(({ sealed }) => sealed.reference === uuidOf(payment.id))
  const strangers = transfers.filter(({ position, sealed, path }) => {
    const leaf = leafOf(sealed)
    const hashes = path.map(hashOfHex)
    return (
      leaf === undefined || !isIncluded({ index: position, size }, leaf, hashes, hashOfHex(root))
    )
  })
  return [
    ...(isOfPayment ? [] : ['its transfers are of another payment']),
    ...strangers.map(({ sealed }) => `transfer ${sealed.id} is not in the sealed books`),
  ]
}

function statements(receipt: Receipt, head: z.infer<typeof Head>, kid: string): string[] {
  const { payment, transfers } = receipt
  const { origin, number, size } = head
  return [
    `The receipt is whole: it is signed by ${origin} with the key ${kid}.`,
    `It is of payment ${payment.id} of ${moneyOf(payment)}, which was ${payment.state}.`,
    `Checkpoint ${number} of ${head.sealed_at}, signed too, holds ${size} transfers for ever.`,
    ...transfers.map(
      ({ position, sealed }) =>
        `Among them, at position ${position}: ${sealed.kind} ${sealed.code} of` +
        ` ${moneyOf(sealed)}, recorded at ${sealed.recorded_at}.`,
    ),
  ]
}

const moneyOf = ({ amount, currency }: { amount: string | null; currency: string | null }) =>
  formatMoney({ amount: BigInt(amount ?? 0), currency: currency ?? '' })
