/** One thing, done once, is one row of the security log: whose, and about whom. */
import { expect } from 'chai'
import { publicId } from '../../services/ids.ts'
import type { SecurityKind } from '../../services/security/kinds.ts'
import { type Merchant, OPERATOR, type Person, PIN } from './people.ts'
import { world } from './world.ts'

/** Who did it, and to what, by the ids that the API shows; null: nobody is known. */
interface Told {
  readonly actor: string | null
  readonly subject: string | null
}

type Act = () => Promise<Told>

/** The kind, what is done in words, and what sets the stage and then does it. */
export type Occasion = readonly [kind: SecurityKind, what: string, prepare: () => Promise<Act>]

export const idOf = (who: Person): string => publicId('per', who.id)

/** Somebody does something. The stage is set before anything is counted. */
const done =
  <T>(stage: () => Promise<T>, act: (staged: T) => Promise<Told>) =>
  async (): Promise<Act> => {
    const staged = await stage()
    return () => act(staged)
  }

/** Nobody we know does it. */
export const unknown = <T = undefined>(
  act: (staged: T) => Promise<unknown>,
  stage: () => Promise<T> = async () => undefined as T,
  subjectOf: (staged: T) => string | null = () => null,
) =>
  done(stage, async (staged) => {
    await act(staged)
    return { actor: null, subject: subjectOf(staged) }
  })

/** A person does it, to themselves unless `act` answers another subject. */
export const self = <P extends Person>(
  stage: () => Promise<P>,
  act: (ada: P) => Promise<unknown>,
  subjectOf: (ada: P) => string | null = idOf,
) =>
  done(stage, async (ada) => {
    await act(ada)
    return { actor: idOf(ada), subject: subjectOf(ada) }
  })

/** The first operator does it, to what `act` answers. */
export const olga = <T>(stage: () => Promise<T>, act: (staged: T) => Promise<string>) =>
  done(stage, async (staged) => ({ actor: `operator ${OPERATOR.sub}`, subject: await act(staged) }))

/** The second one does. */
export const otto = <T>(stage: () => Promise<T>, act: (staged: T) => Promise<string>) =>
  done(stage, async (staged) => ({ actor: 'operator otto', subject: await act(staged) }))

/** A merchant does, to what it has. */
export const byMerchant = <T extends { readonly shop: Merchant }>(
  stage: () => Promise<T>,
  act: (staged: T) => Promise<string>,
) => done(stage, async (staged) => ({ actor: staged.shop.id, subject: await act(staged) }))

export const nothing = async (): Promise<void> => {}

/** What two do together says who agreed. */
const BY_TWO: ReadonlySet<SecurityKind> = new Set([
  ...(['pin_taken_away', 'limit_rule_ended', 'step_up_rule_ended', 'risk_rule_ended'] as const),
  ...(['review_released', 'tier_changed', 'fee_schedule_created'] as const),
  ...(['settlement_schedule_created', 'holiday_added'] as const),
])

/** A test for each. */
export function oneRowEach(occasions: readonly Occasion[]): void {
  for (const [kind, what, prepare] of occasions) {
    it(`${kind} for ${what}: whose, and about whom`, async () => {
      const { owner } = await world()
      const act = await prepare()
      const before: string[] = await owner('security_log').where({ kind }).pluck('id')
      const told = await act()
      const rows = await owner('security_log').where({ kind }).whereNotIn('id', before)
      expect(rows.map(({ actor, subject }) => ({ actor, subject }))).to.deep.equal([told])
      const [{ request_id, detail }] = rows
      expect(request_id).to.be.a('string')
      if (BY_TWO.has(kind)) expect(detail.approved_by).to.equal('otto')
      expect(JSON.stringify(rows)).not.to.contain(PIN)
    })
  }
}
