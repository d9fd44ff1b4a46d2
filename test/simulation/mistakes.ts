/** What somebody might have got wrong, each of which loses money or leaves it lying. */
import type { BankAdapter } from '../../adapters/adapter.ts'
import type { Mistake } from './simulate.ts'

/** As if the bank had said so, when it has said nothing. */
const refusing = (bank: BankAdapter): BankAdapter => ({
  ...bank,
  submit: (asked) =>
    bank.submit(asked).catch(() => {
      const { reference, money } = asked
      const told = { eventId: 'MADE_UP', reason: 'AC06', occurredAt: new Date(0) }
      return { state: 'final', report: { outcome: 'rejected', reference, money, ...told } }
    }),
})

function renaming(bank: BankAdapter): BankAdapter {
  const sent = new Set<string>()
  return {
    ...bank,
    async submit(asked) {
      const { reference } = asked
      const fresh = sent.has(reference) ? `${reference.slice(0, -1)}U` : reference
      sent.add(reference)
      return bank.submit({ ...asked, reference: fresh })
    },
  }
}

export const MISTAKES: Readonly<Record<string, Mistake>> = {
  'a request is sent again under a new reference': { bank: renaming },
  'a bank that is silent has refused': { bank: refusing },
  'nobody sweeps': { isDeaf: true },
  'nobody looks whether a lease is over': { isTimeless: true },
}
