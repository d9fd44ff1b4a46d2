/** What stands in the registry about every bank, whatever it speaks. */
import { z } from 'zod'

/** What a bank is known for, where it differs from what is set for all. */
const Policy = z.strictObject({
  enquiry_first_s: z.int().min(1).max(3_600).optional(),
  enquiry_spacing_s: z.int().min(1).max(86_400).optional(),
  enquiries_max: z.int().min(1).max(10).optional(),
  cut_off_s: z.int().min(1).max(604_800).optional(),
  manual_after_s: z.int().min(1).max(1_209_600).optional(),
})

const BankName = z.string().regex(/^[a-z][a-z0-9_]{1,31}$/)
const RailName = z.string().regex(/^[a-z][a-z0-9_]{1,31}$/)
const Currency = z.string().regex(/^[A-Z]{3}$/)
const Country = z.string().regex(/^[A-Z]{2}$/)
const Moment = z.iso.datetime({ offset: true })
const TimeOfDay = z.string().regex(/^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$/)
/** Minor units, by currency. */
const Amounts = z.record(Currency, z.string().regex(/^[1-9][0-9]{0,14}$/))
const Priority = z.int().min(1).max(1_000)

const Hours = z
  .strictObject({
    time_zone: z
      .string()
      .refine((name) => Intl.supportedValuesOf('timeZone').includes(name) || name === 'UTC', {
        message: 'must be a time zone like Europe/Berlin',
      }),
    days: z.array(z.int().min(1).max(7)).min(1).max(7),
    opens: TimeOfDay,
    closes: TimeOfDay,
  })
  .refine(({ opens, closes }) => opens < closes, { message: 'closes before it opens' })

const Rail = z
  .strictObject({
    rail: RailName,
    directions: z
      .array(z.enum(['debit', 'credit']))
      .min(1)
      .max(2),
    currencies: z.array(Currency).min(1).optional(),
    banks: z.array(BankName).max(200).optional(),
    countries: z.array(Country).max(250).optional(),
    amount_min: Amounts.optional(),
    amount_max: Amounts.optional(),
    hours: Hours.optional(),
    priority: Priority.optional(),
    name_check: z
      .array(z.enum(['match', 'close_match', 'not_possible']))
      .min(1)
      .optional(),
    valid_from: Moment.optional(),
    valid_to: Moment.optional(),
  })
  .refine(({ rail, banks, countries }) => rail === 'internal' || banks || countries, {
    message: 'reaches nobody: give banks or countries',
  })

const Period = z
  .strictObject({ from: Moment, to: Moment })
  .refine(({ from, to }) => Date.parse(from) < Date.parse(to), { message: 'ends before it begins' })

/** Of every bank; what it speaks, and how it is reached, comes beside it. */
export const NAMED = {
  name: BankName,
  title: z.string().min(1).max(70).optional(),
  country: Country.optional(),
  currencies: z.array(Currency).min(1),
  priority: Priority.optional(),
  rails: z.array(Rail).min(1).max(50).optional(),
  maintenance: z.array(Period).max(100).optional(),
  exposure_max: Amounts.optional(),
  policy: Policy.optional(),
}
