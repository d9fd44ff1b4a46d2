/**
 * Verifies that every transfer is sealed once, and stands as it was sealed: reads all of them in
 * the order of the seals, and computes chain, tree and roots again.
 */
import type { Knex } from 'knex'
import type { Violation } from '../audit/audit.ts'
import {
  CHAIN_START,
  chainOf,
  HASH_BYTES,
  type Head,
  hashOfHex,
  headOf,
  hexOf,
  type Seal,
} from './heads.ts'
import { type Frontier, type Hash, hashOf, openFrontier, rootOf } from './merkle.ts'
import { findSeals } from './proofs.ts'
import { UNHURRIED } from './seal.ts'
import { appendLeaves, type Node } from './writer.ts'
import { findStrays } from './strays.ts'
import { nextSeals, readWindow, type Window } from './window.ts'

/** How far a verification has come: all it needs to go on from there. */
export interface SealState {
  /** The last verified seal; 0 before the first. */
  readonly number: number
  readonly size: number
  /** In hex. */
  readonly chain: string
  readonly peaks: readonly string[]
}

export interface SealCheck {
  readonly state: SealState
  /** What this run has verified. */
  readonly seals: number
  readonly transfers: number
  /** Seals without a signature. */
  readonly unsigned: number
  /** Committed since the last seal. */
  readonly unsealed: number
  /** It was stopped before the last seal. */
  readonly isStopped: boolean
  readonly violations: readonly Violation[]
}

export interface SealCheckOptions {
  /** Where to go on; the beginning unless told. */
  readonly from?: SealState | undefined
  /** Whether a signature is of this head; left out, signatures are not checked. */
  readonly isSigned?:
    ((head: Omit<Head, 'origin'>, signature: string) => Promise<boolean>) | undefined
  /** Told how many of the sealed transfers are verified. */
  readonly onProgress?: ((done: number, of: number) => void) | undefined
  /** Told where another run could go on, and what was found until there. */
  readonly onState?: ((state: SealState, violations: readonly Violation[]) => void) | undefined
  /** Stops at the next opportunity. */
  readonly signal?: AbortSignal | undefined
}

const START: SealState = { number: 0, size: 0, chain: hexOf(CHAIN_START), peaks: [] }

/** The state after a seal that is trusted as it is. Undefined when there is none. */
export async function stateAt(db: Knex, number: number): Promise<SealState | undefined> {
  if (number === 0) return START
  const [seal] = await findSeals(db, { from: number, order: 'asc', limit: 1 })
  if (seal?.number !== number) return undefined
  return { number, size: seal.size, chain: hexOf(seal.chain), peaks: seal.peaks.map(hexOf) }
}

/** Reads everything that is sealed; takes time with its size. Needs two connections. */
export async function verifySeals(db: Knex, options: SealCheckOptions = {}): Promise<SealCheck> {
  const { from = START, onProgress, onState, signal } = options
  return inLanes(db, async (lanes) => {
    const [last] = await findSeals(lanes[0], { order: 'desc', limit: 1 })
    const checker = openChecker(lanes[0], from, options)
    await checker.expect(from)
    for await (const window of windowsAfter(lanes, from)) {
      await checker.check(window)
      onProgress?.(checker.state().size, Math.max(last?.size ?? 0, checker.state().size))
      onState?.(checker.state(), checker.violations)
      if (signal?.aborted === true) break
    }
    const isStopped = signal?.aborted === true
    const unsealed = isStopped ? 0 : await checker.finish()
    const { number, size } = checker.state()
    return {
      ...{ state: checker.state(), seals: number - from.number, transfers: size - from.size },
      ...{ unsigned: checker.unsigned(), unsealed, isStopped, violations: checker.violations },
    }
  })
}

type Lanes = readonly [Knex.Transaction, Knex.Transaction]

const SETTINGS = `${UNHURRIED};
  SET LOCAL work_mem = '64MB';
  SET LOCAL enable_hashjoin = off;
  SET LOCAL enable_mergejoin = off`

/** Two connections, so that one reads while the rows of the other are hashed. */
function inLanes<T>(db: Knex, work: (lanes: Lanes) => Promise<T>): Promise<T> {
  return db.transaction(
    (one) =>
      db.transaction(
        async (other) => {
          await Promise.all([one.raw(SETTINGS), other.raw(SETTINGS)])
          return work([one, other])
        },
        { readOnly: true },
      ),
    { readOnly: true },
  )
}

/** The next window is read while this one is checked. */
async function* windowsAfter(lanes: Lanes, from: SealState): AsyncGenerator<Window> {
  const read = async (lane: Knex, after: Pick<Seal, 'number' | 'size'>) => {
    const seals = await nextSeals(lane, after)
    const last = seals.at(-1)
    if (last === undefined) return undefined
    const window = readWindow(lane, seals)
    // Whoever awaits it hears of a failure; until then nobody need.
    window.catch(() => {})
    return { last, window }
  }
  let current = await read(lanes[0], from)
  for (let turn = 1; current !== undefined; turn++) {
    const next = await read(lanes[turn % 2] as Knex, current.last)
    yield await current.window
    current = next
  }
}

const EXAMPLES_MAX = 20

/** Keeps what is wrong, up to so many examples of each invariant. */
function openReport() {
  const violations: Violation[] = []
  return {
    violations,
    add(invariant: string, subjects: readonly string[]): void {
      const known = violations.filter((one) => one.invariant === invariant).length
      const room = Math.max(0, EXAMPLES_MAX - known)
      violations.push(...subjects.slice(0, room).map((subject) => ({ invariant, subject })))
    },
  }
}

type Report = ReturnType<typeof openReport>

/** Chain and tree, computed again. What is wrong is said once, and from there on taken as it is. */
function openRecount(from: SealState, report: Report) {
  let [number, chain] = [from.number, hashOfHex(from.chain)]
  let frontier = openFrontier(from.size, from.peaks.map(hashOfHex))
  return {
    state: (): SealState => ({
      ...{ number, size: frontier.size, chain: hexOf(chain), peaks: frontier.peaks.map(hexOf) },
    }),
    /** Answers the nodes that must be kept. */
    add(seal: Seal, leaves: Buffer): Node[] {
      const subject = `seal ${seal.number}`
      if (seal.number !== number + 1 || seal.first !== frontier.size) {
        report.add('seals_have_no_gaps', [subject])
        frontier = reopened(seal.first, frontier)
      }
      if (chainOf(chain, leaves) !== seal.chain) report.add('chain_is_intact', [subject])
      const nodes = appendLeaves(frontier, leaves)
      const isSame = seal.peaks.join('') === frontier.peaks.join('')
      if (!isSame || rootOf(frontier.peaks) !== seal.root) {
        report.add('roots_are_right', [subject])
        frontier = reopened(seal.size, frontier, seal.peaks)
      }
      ;[number, chain] = [seal.number, seal.chain]
      return nodes
    },
  }
}

function openChecker(db: Knex.Transaction, from: SealState, { isSigned }: SealCheckOptions) {
  const report = openReport()
  const recount = openRecount(from, report)
  let unsigned = 0
  let last: Seal | undefined

  async function checkSignature(seal: Seal): Promise<void> {
    if (seal.signature === null) unsigned += 1
    if (isSigned === undefined) return
    // Whoever has keys expects signatures: one that was taken away is as bad as a wrong one.
    if (seal.signature === null) return report.add('signatures_are_right', [`seal ${seal.number}`])
    const { origin: _anybody, ...head } = headOf('', seal)
    const isRight = await isSigned(head, seal.signature)
    if (!isRight) report.add('signatures_are_right', [`seal ${seal.number}`])
  }
  return {
    violations: report.violations,
    unsigned: () => unsigned,
    state: recount.state,
    /** The seal to go on from must still be the one that was verified. */
    async expect(state: SealState): Promise<void> {
      if (state.number === 0) return
      const found = await stateAt(db, state.number)
      const isSame = found?.chain === state.chain && found.peaks.join() === state.peaks.join()
      if (!isSame) report.add('chain_is_intact', [`seal ${state.number}`])
      ;[last] = await findSeals(db, { from: state.number, order: 'asc', limit: 1 })
    },
    async check({ seals, leaves, faults }: Window): Promise<void> {
      report.add('sealed_transfers_exist', faults.missing)
      report.add('seals_are_in_commit_order', faults.misplaced)
      const nodes: Node[] = []
      let at = 0
      for (const seal of seals) {
        const end = at + (seal.size - seal.first) * HASH_BYTES
        nodes.push(...recount.add(seal, leaves.subarray(at, end)))
        await checkSignature(seal)
        at = end
      }
      last = seals.at(-1) ?? last
      report.add('nodes_are_right', await wrongNodes(db, nodes))
    },
    /** How many transfers wait for the next seal. */
    async finish(): Promise<number> {
      const strays = await findStrays(db, last ?? NONE, report.violations.length > 0)
      report.add('every_transfer_is_sealed', strays.forgotten)
      report.add('no_transfer_is_sealed_twice', strays.repeated)
      return strays.unsealed
    },
  }
}

/** Before the first seal. */
const NONE: Seal = {
  ...{ number: 0, first: 0, size: 0, chain: CHAIN_START, root: rootOf([]), peaks: [] },
  ...{ snapshot: '1:1:', cluster: 0n, isRestoration: false, restoredThrough: null },
  ...{ sealedAt: new Date(0), signature: null },
}

/** A tree that is taken as it is said to be, if it can be one. */
function reopened(size: number, current: Frontier, peaks: readonly Hash[] = []): Frontier {
  try {
    return openFrontier(size, peaks)
  } catch {
    return current
  }
}

/** The nodes that are not kept as they must be. */
async function wrongNodes(db: Knex, nodes: readonly Node[]): Promise<string[]> {
  if (nodes.length === 0) return []
  const { rows } = await db.raw<{ rows: { nth: bigint; hash: Buffer | null }[] }>(
    `SELECT nth, hash
       FROM unnest(?::int[], ?::bigint[]) WITH ORDINALITY AS wanted (level, position, nth)
       LEFT JOIN merkle_nodes USING (level, position) ORDER BY nth`,
    [nodes.map(({ level }) => level), nodes.map(({ position }) => position)],
  )
  return nodes
    .filter(({ hash }, nth) => hashOf(rows[nth]?.hash ?? Buffer.alloc(0)) !== hash)
    .map(({ level, position }) => `node ${level}/${position}`)
}
