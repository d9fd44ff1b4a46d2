/** What the schedule that priced a payment says of the fee of what is refunded. */
import type { FeeSchedule } from '../merchants/fees.ts'
import type { RefundFees } from './policy.ts'

export const refundFeesOf = ({
  refundFees = 'keep',
}: Pick<FeeSchedule, 'refundFees'>): RefundFees => refundFees
