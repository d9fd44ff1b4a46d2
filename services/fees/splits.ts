/**
 * What of a payment goes to other merchants than the one that is paid: a marketplace keeps its
 * commission, and the beneficiaries get their shares of the net, in the unit of the payment. Pure.
 */
import { z } from 'zod'
import { allocate, percentOf, type Uuid } from '../../ledger/index.ts'
import { ServiceError } from '../errors.ts'
import { MinorUnits, Percent } from '../http/schemas.ts'
import { idOut, publicId, uuidOf } from '../ids.ts'

const BENEFICIARIES_MAX = 20

const ShareIn = z.strictObject({
  percent: Percent.optional().describe('Of the net, less what is said in amounts'),
  amount: MinorUnits.optional().describe('Minor units; comes before all percentages'),
})
const isShare = ({ percent, amount }: Share) => (percent === undefined) !== (amount === undefined)
const ONE = 'either percent or amount'

/** Either of them. */
interface Share {
  readonly percent?: string | undefined
  readonly amount?: string | undefined
}

/** As they are sent, and stored with the order. */
export interface Splits {
  readonly commission?: Share | undefined
  readonly beneficiaries: readonly (Share & { readonly merchant: string })[]
}

export const Splits: z.ZodType<Splits> = z
  .strictObject({
    commission: ShareIn.refine(isShare, ONE)
      .optional()
      .describe('What the merchant of the order keeps, beside what is nobody else’s'),
    beneficiaries: z
      .array(ShareIn.extend({ merchant: idOut('mer') }).refine(isShare, ONE))
      .min(1)
      .max(BENEFICIARIES_MAX),
  })
  .refine(({ beneficiaries: all }) => new Set(all.map((one) => one.merchant)).size === all.length, {
    path: ['beneficiaries'],
    message: 'names a merchant twice',
  })
  .refine((splits) => partsOf(splits).reduce((sum, { weight }) => sum + weight, 0n) <= WHOLE, {
    path: ['beneficiaries'],
    message: 'come to more than 100 %',
  })

/** In ten-thousandths of a per cent, which are whole. */
const WHOLE = 1_000_000n

/** What comes first, in minor units, and by which weight the rest is shared. */
const partsOf = ({ commission = { percent: '0' }, beneficiaries }: Splits) =>
  [commission, ...beneficiaries].map(({ percent = '0', amount = '0' }) => ({
    ...{ fixed: BigInt(amount), weight: percentOf(WHOLE, percent, 'down') },
  }))

export interface Split {
  readonly merchant: Uuid
  /** Minor units; more than nothing. */
  readonly amount: bigint
}

/**
 * What of `net` minor units each beneficiary gets, who gets anything. Amounts come first; the rest
 * is shared by the percentages and by what they leave of 100 %, to the last minor unit by largest
 * remainder, the commission first, then in the order of the list. So what is kept and all shares
 * sum to the net exactly.
 * @throws {ServiceError} `split_exceeds_net` where the amounts alone are more.
 */
export function splitsOf(splits: Splits, net: bigint): Split[] {
  const parts = partsOf(splits)
  const fixed = parts.reduce((sum, part) => sum + part.fixed, 0n)
  if (fixed > net) throw new ServiceError('split_exceeds_net')
  const weights = parts.map(({ weight }) => weight)
  const nobodys = WHOLE - weights.reduce((sum, weight) => sum + weight, 0n)
  const shares = allocate(net - fixed, [...weights, nobodys])
  return splits.beneficiaries
    .map(({ merchant }, at) => ({
      merchant: uuidOf(merchant),
      amount: (parts[at + 1]?.fixed ?? 0n) + (shares[at + 1] ?? 0n),
    }))
    .filter(({ amount }) => amount > 0n)
}

/**
 * What of the `net` of one capture goes to each, by what is still to come of what all would bring:
 * by largest remainder, the one whose order it is first. So nobody gets more than their share of
 * all, and who captures everything gives exactly what an order that is paid at once would. Pure.
 * @param open what each beneficiary has still to get.
 * @param kept what the merchant of the order has still to keep; no less than nothing counts.
 */
export function sharesOfMore(net: bigint, open: readonly bigint[], kept: bigint): bigint[] {
  const weights = [kept > 0n ? kept : 0n, ...open]
  const most = weights.reduce((sum, weight) => sum + weight, 0n)
  const shared = net < most ? net : most
  return shared <= 0n ? open.map(() => 0n) : allocate(shared, weights).slice(1)
}

/**
 * What each gives back when `amount` is refunded of the `left` that was captured and not refunded,
 * by what it still has: by largest remainder, the one whose order it is first. So refunds of
 * everything take exactly what was given. Pure.
 */
export function sharesBack(amount: bigint, left: bigint, held: readonly bigint[]): bigint[] {
  const rest = left - held.reduce((sum, one) => sum + one, 0n)
  return allocate(amount, [rest, ...held]).slice(1)
}

export const splitRows = (payment: Uuid, splits: readonly Split[]) =>
  splits.map(({ merchant, amount }, at) => ({
    ...{ payment_id: payment, line: at + 1, merchant_id: merchant, amount: amount.toString() },
  }))

export const splitOut = ({
  merchant,
  amount,
  returned,
}: Split & { readonly returned: bigint }) => ({
  ...{ merchant: publicId('mer', merchant), amount: amount.toString() },
  returned: returned.toString(),
})
