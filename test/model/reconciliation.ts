/**
 * Reconciliation as a person with a pencil does it: lists of lines and of transfers, and everything
 * that is crossed out is crossed out one by one. Shares nothing with the product.
 */

export interface ModelInstruction {
  /** Signed, as our money at the bank would see it. */
  readonly amount: bigint
  readonly state: 'settled' | 'returned' | 'rejected' | 'manual'
}

export interface ModelMovement {
  readonly transfer: string
  /** By which reference the bank knows it; undefined where by none. */
  readonly key: string | undefined
  readonly amount: bigint
  readonly day: number
}

export interface ModelLine {
  readonly reference: string
  readonly bankReference: string
  readonly amount: bigint
  readonly day: number
}

export interface ModelItem {
  kind: string
  state: string
  /** Of a line: which one of which statement. */
  readonly place: string | undefined
  readonly line: ModelLine | undefined
  movement: ModelMovement | undefined
  isInstructed: boolean
  proposed: string | undefined
}

export interface ModelBook {
  readonly items: ModelItem[]
  readonly seen: Set<string>
  /** Transfers that are accounted for, or have an item. */
  readonly known: Set<string>
}

export const emptyBook = (): ModelBook => ({ items: [], seen: new Set(), known: new Set() })

interface Statement {
  readonly number: number
  readonly lines: readonly ModelLine[]
  readonly lateDays: number
}

export function reconcileByHand(
  book: ModelBook,
  instructions: ReadonlyMap<string, ModelInstruction>,
  movements: readonly ModelMovement[],
  { number, lines, lateDays }: Statement,
): void {
  const to = Math.max(...lines.map(({ day }) => day))
  const isOpen = ({ state }: ModelItem) => state === 'open' || state === 'proposed'
  const waiting = book.items.filter((one) => isOpen(one) && one.line && !one.movement)
  const fresh = freshItems(book, lines, number)
  const all = [...byDay(waiting), ...byDay(fresh)]
  const missed = book.items.filter((one) => isOpen(one) && one.line === undefined)
  const loose: Loose[] = [
    ...missed.map((item) => ({ movement: item.movement as ModelMovement, item })),
    ...movements.filter(({ transfer }) => !book.known.has(transfer)).map(unlisted),
  ]
  const isPaired = new Set<ModelItem>()
  for (const keyOf of [ourKey, bankKey]) {
    const eligible = all.filter((one) => !isPaired.has(one))
    for (const isExact of [true, false]) {
      for (const item of eligible) {
        const key = keyOf(item)
        if (isPaired.has(item) || key === undefined) continue
        const at = loose.findIndex(
          ({ movement }) => movement.key === key && fits(item, movement, isExact),
        )
        if (at < 0) continue
        const [found] = loose.splice(at, 1)
        if (found === undefined) throw new Error('it was there')
        if (found.item !== undefined) found.item.state = 'merged'
        book.known.add(found.movement.transfer)
        isPaired.add(item)
        item.movement = found.movement
        item.proposed = undefined
        item.isInstructed = instructions.has(found.movement.key ?? '')
        judgePair(item, isExact, to, lateDays)
      }
    }
  }
  const rest = all.filter((one) => !isPaired.has(one))
  judgeRest(book, instructions, [rest, [...isPaired]], to - lateDays)
  book.items.push(...fresh)
  listMissed(book, loose, to - lateDays)
  proposeByHand(book.items.filter(isOpen))
}

interface Loose {
  readonly movement: ModelMovement
  readonly item: ModelItem | undefined
}

function listMissed(book: ModelBook, loose: readonly Loose[], tooOld: number): void {
  for (const { movement, item } of loose) {
    const kind = movement.day > tooOld ? 'late' : 'unmatched_in_books'
    if (item !== undefined) {
      if (item.kind === 'late') item.kind = kind
      continue
    }
    book.known.add(movement.transfer)
    const nobody = { place: undefined, line: undefined, proposed: undefined, isInstructed: false }
    book.items.push({ kind, state: 'open', movement, ...nobody })
  }
}

const unlisted = (movement: ModelMovement) => ({ movement, item: undefined })

const byDay = (items: readonly ModelItem[]) =>
  [...items].sort((a, b) => (a.line?.day ?? 0) - (b.line?.day ?? 0))

const ourKey = ({ line }: ModelItem) => line?.reference
const bankKey = ({ line }: ModelItem) =>
  line === undefined || line.bankReference === '' || line.bankReference === line.reference
    ? undefined
    : line.bankReference

const fits = ({ line }: ModelItem, { amount }: ModelMovement, isExact: boolean) =>
  line !== undefined && (isExact ? line.amount === amount : line.amount > 0n === amount > 0n)

/** The nth of lines that read the same is the nth wherever it is told. */
function freshItems(book: ModelBook, lines: readonly ModelLine[], statement: number): ModelItem[] {
  const counts = new Map<string, number>()
  const fresh: ModelItem[] = []
  lines.forEach((line, index) => {
    const { reference, bankReference, amount, day } = line
    const content = `${reference}|${bankReference}|${amount}|${day}`
    const nth = (counts.get(content) ?? 0) + 1
    counts.set(content, nth)
    const identity = `${content}|${nth}`
    if (book.seen.has(identity)) return
    book.seen.add(identity)
    const place = `${statement}:${index + 1}`
    const nothing = { movement: undefined, proposed: undefined, isInstructed: false }
    fresh.push({ kind: 'unmatched_in_statement', state: 'open', place, line, ...nothing })
  })
  return fresh
}

function judgePair(item: ModelItem, isExact: boolean, to: number, lateDays: number): void {
  const [booked, effective] = [item.line?.day ?? 0, item.movement?.day ?? 0]
  const isLate = Math.abs(booked - effective) > lateDays || (booked <= to && effective > to)
  item.kind = isExact ? (isLate ? 'late' : 'matched') : 'amount_differs'
  item.state = isExact ? 'matched' : 'open'
}

function judgeRest(
  book: ModelBook,
  instructions: ReadonlyMap<string, ModelInstruction>,
  [rest, paired]: readonly [readonly ModelItem[], readonly ModelItem[]],
  tooOld: number,
): void {
  const isShown = (item: ModelItem) =>
    [...book.items, ...paired].some(
      (other) =>
        other.line?.reference === item.line?.reference &&
        other.movement !== undefined &&
        (other.line?.amount ?? 0n) > 0n === (item.line?.amount ?? 0n) > 0n,
    )
  const undone: ModelItem[] = []
  for (const item of rest) {
    const { line } = item
    const instruction = line && instructions.get(line.reference)
    if (line === undefined || instruction === undefined) continue
    item.isInstructed = true
    const before = item.kind
    if (isShown(item)) item.kind = 'duplicate'
    else if (instruction.state === 'returned' || instruction.state === 'rejected') undone.push(item)
    else if (instruction.state !== 'manual') item.kind = 'unmatched_in_statement'
    else if (line.amount !== instruction.amount) item.kind = 'amount_differs'
    else item.kind = line.day > tooOld ? 'late' : 'unmatched_in_statement'
    if (item.kind !== before) item.state = 'open'
  }
  while (undone.length > 0) {
    const item = undone.shift() as ModelItem
    const at = undone.findIndex(
      ({ line }) =>
        line?.reference === item.line?.reference && line?.amount === -(item.line?.amount ?? 0n),
    )
    const both = at < 0 ? [item] : [item, ...undone.splice(at, 1)]
    for (const one of both) {
      one.kind = at < 0 ? 'unmatched_in_statement' : 'matched'
      one.state = at < 0 ? 'open' : 'matched'
    }
  }
}

/** Only what is the one line and the one transfer of its amount and day. */
function proposeByHand(open: readonly ModelItem[]): void {
  const nobodys = open.filter(
    ({ line, kind, isInstructed }) =>
      line !== undefined && kind === 'unmatched_in_statement' && !isInstructed,
  )
  const missed = open.filter(({ line }) => line === undefined)
  for (const item of nobodys) {
    const { amount, day } = item.line as ModelLine
    const rivals = nobodys.filter(({ line }) => line?.amount === amount && line.day === day)
    const fitting = missed.filter(
      ({ movement }) => movement?.amount === amount && movement.day === day,
    )
    const isSure = rivals.length === 1 && fitting.length === 1
    item.proposed = isSure ? fitting[0]?.movement?.transfer : undefined
    item.state = isSure ? 'proposed' : 'open'
  }
}

/** What open items differ by, those apart that time will explain. */
export const unexplainedByHand = ({ items }: ModelBook): bigint =>
  items
    .filter(({ state, kind }) => (state === 'open' || state === 'proposed') && kind !== 'late')
    .map(({ line, movement }) => (line?.amount ?? 0n) - (movement?.amount ?? 0n))
    .reduce((sum, apart) => sum + (apart < 0n ? -apart : apart), 0n)
