/**
 * Rules that are dated data, kept in memory: each request asks them, and nobody waits for a query.
 */

/** When a rule binds: from a moment on, until another; null until it is ended. */
export interface Dated {
  readonly validFrom: Date
  readonly validTo: Date | null
}

export interface RuleBook<R extends Dated> {
  /**
   * The rules in force at a moment, in the order in which they were loaded. What other processes
   * changed is known here after `age_ms` at the latest.
   * @throws whatever `load` throws, once what is known is too old: no answer rather than an old one
   */
  readonly at: (moment: Date) => Promise<readonly R[]>
  /** Forgets what was read. Call it after the commit of a change: from then on it is in force. */
  readonly changed: () => void
}

interface RuleBookOptions {
  /** For how long what was read may be used; with 0, only those who ask meanwhile share it. */
  readonly age_ms: number
}

interface Read<R> {
  /** When the reading began: whatever was committed later may be missing. */
  readonly began_ms: number
  /** Those in force at a moment: the same list, until one of them ends or another begins. */
  readonly inForce: (moment: Date) => readonly R[]
}

/** @param load gives the rules in force and those of the future, and no more than it can bear. */
export function openRuleBook<R extends Dated>(
  load: () => Promise<readonly R[]>,
  { age_ms }: RuleBookOptions,
): RuleBook<R> {
  let read: Read<R> | undefined
  let reading: Promise<Read<R>> | undefined
  let changes = 0

  /** What was begun before a change is answered, and not kept. */
  async function readAnew(): Promise<Read<R>> {
    const [began_ms, known] = [performance.now(), changes]
    const fresh = { began_ms, inForce: inForceOf(await load()) }
    if (known === changes) read = fresh
    return fresh
  }

  /** One at a time, but for a change. */
  function refresh(): Promise<Read<R>> {
    if (reading !== undefined) return reading
    const ours = readAnew().finally(() => {
      if (reading === ours) reading = undefined
    })
    reading = ours
    return ours
  }

  async function current(): Promise<Read<R>> {
    const age = read === undefined ? age_ms : performance.now() - read.began_ms
    if (read === undefined || age >= age_ms) return refresh()
    // Read ahead of need, so that nobody has to wait for it. A failure is told when it matters.
    if (age >= age_ms / 2) refresh().catch(() => {})
    return read
  }

  return {
    at: async (moment) => (await current()).inForce(moment),
    changed() {
      changes += 1
      read = undefined
      reading = undefined
    },
  }
}

/** Nothing changes between two moments at which some rule begins or ends. */
function inForceOf<R extends Dated>(rules: readonly R[]): (moment: Date) => readonly R[] {
  const changes = rules.flatMap(({ validFrom, validTo }) => [+validFrom, +(validTo ?? Infinity)])
  let [from, until, known] = [Infinity, -Infinity, [] as readonly R[]]
  return (moment) => {
    const now = moment.getTime()
    if (now >= from && now < until) return known
    from = Math.max(-Infinity, ...changes.filter((change) => change <= now))
    until = Math.min(Infinity, ...changes.filter((change) => change > now))
    known = rules.filter((rule) => isInForce(rule, moment))
    return known
  }
}

const isInForce = ({ validFrom, validTo }: Dated, moment: Date): boolean =>
  validFrom <= moment && (validTo === null || moment < validTo)
