/**
 * A close match is confirmed by its owner: they are shown the name as the bank has it, as far as
 * the bank tells, and say that it is theirs. Until then nothing is paid out to the account.
 */
import { answerOnce, type Claim, type Outcome, type Uuid } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { idFact } from '../approvals/acts.ts'
import { allFactors, type ApprovalBody, approve } from '../approvals/approvals.ts'
import { publicId } from '../ids.ts'
import { recordSecurity } from '../security/log.ts'
import { bankAccountOf, nameAtBank } from './bank_accounts.ts'

export interface Confirmation {
  readonly owner: string
  /** Whose approval it needs; of a merchant a token is enough. */
  readonly person: Uuid | undefined
  /** What the owner was shown: null where the bank tells no name. */
  readonly name: string | null
  readonly approval: ApprovalBody | undefined
}

/**
 * @throws {ServiceError} `bank_account_not_found`; `name_mismatch` when there is no close match, or
 *   the bank has another name by now; what `approve` throws, of a person.
 */
export async function confirmBankAccount(
  context: Context,
  id: Uuid,
  { owner, person, name, approval }: Confirmation,
  { claim, key }: { readonly claim: Claim; readonly key: string },
): Promise<Outcome> {
  refuseOther(context, await bankAccountOf(context.db, owner, id), name)
  if (person !== undefined) {
    const facts = { bank_account: idFact('bac', id), name: name ?? '' }
    const act = { action: 'bank_account.confirm', person, facts, key } as const
    await approve(context, act, approval, await allFactors(context, person))
  }
  return answerOnce(context.db, claim, async (trx) => {
    refuseOther(context, await bankAccountOf(trx, owner, id, 'lock'), name)
    const subject = publicId('bac', id)
    const confirmed = await trx('bank_accounts')
      .where({ id, confirmed_at: null })
      .update({ confirmed_at: context.now() })
    // Whoever pays a stranger by it may have to answer for it. The name is in the account's row.
    if (confirmed > 0) {
      await recordSecurity({ ...context, db: trx }, { kind: 'bank_account_confirmed', subject })
    }
    return JSON.stringify({ id: subject })
  })
}

function refuseOther(
  context: Context,
  account: Awaited<ReturnType<typeof bankAccountOf>>,
  name: string | null,
): void {
  const isSame = account.nameCheck === 'close_match' && nameAtBank(context, account) === name
  if (!isSame) throw new ServiceError('name_mismatch', { detail: 'name_at_bank: is another' })
}
