/**
 * For whom money is that nobody asked for, by what its sender wrote. Careful: one name of ours, and
 * nothing else that looks like one; whatever is less clear is for a person to say.
 */
import type { Context } from '../context.ts'
import { findPayee, type Payee, payeeByAlias } from '../people/parties.ts'
import { uuidOf } from '../ids.ts'

interface Rule {
  readonly name: string
  /** Its first group is what the sender may have meant. */
  readonly pattern: RegExp
  readonly find: (context: Context, named: string) => Promise<Payee | undefined>
}

/** Banks write in capitals, and many have neither `@` nor `_`. */
const RULES: readonly Rule[] = [
  {
    name: 'alias',
    pattern: /(?<![\w.@])@([a-z0-9][a-z0-9_.]{1,31})(?![\w@])/gi,
    find: (context, named) => payeeByAlias(context, named.toLowerCase()),
  },
  {
    name: 'person',
    pattern: /(?<!\w)per[_ -]?([0-7][0-9a-hjkmnp-tv-z]{25})(?!\w)/gi,
    find: (context, named) => findPayee(context, 'person', uuidOf(named.toLowerCase())),
  },
  {
    name: 'merchant',
    pattern: /(?<!\w)mer[_ -]?([0-7][0-9a-hjkmnp-tv-z]{25})(?!\w)/gi,
    find: (context, named) => findPayee(context, 'merchant', uuidOf(named.toLowerCase())),
  },
]

/** What is longer was not written by somebody who names a payee. */
const LENGTH_MAX = 1_000

export async function payeeNamedIn(
  context: Context,
  remittance: string,
): Promise<{ readonly payee: Payee; readonly rule: string } | undefined> {
  if (remittance.length > LENGTH_MAX) return undefined
  const named = RULES.flatMap((rule) =>
    [...remittance.matchAll(rule.pattern)].map(([, text = '']) => ({ rule, text })),
  )
  const [only] = named
  if (only === undefined || named.length > 1) return undefined
  // A sentence ends with a full stop, and so may an alias.
  const readings = new Set([only.text, only.text.replace(/\.+$/, '')])
  const found = await Promise.all([...readings].map((text) => only.rule.find(context, text)))
  const [payee, other] = found.filter((one) => one !== undefined)
  if (payee === undefined || other !== undefined || payee.name === null) return undefined
  return { payee, rule: only.rule.name }
}
