/** The sealer: every row once, in the order of commit, whatever else happens. */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'chai'
import {
  consistencyProof,
  createTransfers,
  findCheckpoints,
  findFamily,
  hashOfHex,
  inclusionProofs,
  isConsistent,
  isIncluded,
  leafOf,
  newId,
  newUnitId,
  positionsOf,
  verifySeals,
} from '../ledger/index.ts'
import { fill } from './bench/fill.ts'
import { single, times, unitOf } from './support/books.ts'
import { openSealedBooks, type SealedBooks, tamper } from './support/seals.ts'

/** By SQL alone, so that the verifier itself is checked too. */
async function expectSealedOnce({ owner, db }: SealedBooks): Promise<void> {
  const { rows } = await owner.raw(`
    WITH sealed AS (SELECT unpacked_ids(transfer_ids) AS id FROM seals)
    SELECT (SELECT count(*) FROM sealed) AS all,
           (SELECT count(DISTINCT id) FROM sealed) AS different,
           (SELECT count(*) FROM transfers) AS transfers,
           (SELECT count(*) FROM transfers JOIN sealed USING (id)) AS found`)
  const { all, different, found, transfers } = rows[0]
  expect([all, different, found]).to.deep.equal([transfers, transfers, transfers])
  const { violations, unsealed, state } = await verifySeals(db)
  expect(violations).to.deep.equal([])
  expect(unsealed).to.equal(0)
  expect(BigInt(state.size)).to.equal(transfers)
}

describe('the sealer', () => {
  let books: SealedBooks
  const opened: SealedBooks[] = []
  const openBooks = async () => {
    books = await openSealedBooks()
    opened.push(books)
  }
  const accounts = async () =>
    [await books.account('suspense'), await books.account('merchant')] as const
  afterEach(() => Promise.all(opened.splice(0).map((one) => one.close())))

  it('skips no row and doubles none, whoever writes and seals meanwhile', async function () {
    this.timeout(60_000)
    await openBooks()
    const written = new AbortController()
    const meanwhile = { seals: 0 }
    const sealers = times(2, async (nth) => {
      while (!written.signal.aborted) {
        const sealed = await books.seal({ sealSizeMax: 40 + nth })
        if ((sealed?.sealed ?? 0) > 0) meanwhile.seals += 1
        await sleep(3)
      }
    })
    const slow = times(12, async (nth) => {
      const [from, to] = await accounts()
      for (const _round of times(10, Number)) {
        const work = books.db.transaction(async (trx) => {
          await createTransfers(trx, { ...unitOf([single(from, to, 1n)]), id: newUnitId() })
          await sleep((nth * 37) % 150)
          if (nth % 4 === 0) throw new Error('rolled back')
        })
        await work.catch(() => {})
      }
    })
    const quick = times(4, async () => {
      const pair = await accounts()
      for (const _round of times(12, Number)) {
        await books.pay(40, pair)
        await sleep(10)
      }
    })
    await Promise.all([...slow, ...quick])
    // However slow the machine is: it is written until there were more than ten seals meanwhile.
    const pair = await accounts()
    while (meanwhile.seals <= 10) await books.pay(40, pair)
    written.abort()
    await Promise.all(sealers)
    await books.seal()
    await expectSealedOnce(books)
  })

  it('leaves nothing behind when it is killed, and the next one does it all', async () => {
    await openBooks()
    await books.pay(300, await accounts())
    await books.seal({ sealSizeMax: 200 })
    await books.pay(300, await accounts())
    let heads = 0
    const killed = books.seal({
      sealSizeMax: 100,
      async sign() {
        if (++heads === 2) {
          // The one that seals: others of the pool would be handed out before they are missed.
          await books.owner.raw(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE application_name = 'test sealer' AND datname = current_database()
              AND state <> 'idle'`)
        }
        return 'x'
      },
    })
    expect(
      await killed.then(
        () => 'sealed',
        () => 'killed',
      ),
    ).to.equal('killed')
    // Whoever is handed the dead connection finds it dead.
    await Promise.allSettled(times(24, () => books.db.raw('SELECT 1')))
    expect((await verifySeals(books.db)).unsealed).to.equal(300)
    expect(await books.seal()).to.include({ sealed: 300, size: 600 })
    await expectSealedOnce(books)
  })

  it('has nothing to do where nothing is new, and passes while another is at it', async () => {
    await openBooks()
    expect(await books.seal()).to.deep.equal({ sealed: 0, size: 0, isRestored: false })
    await books.pay(10, await accounts())
    const rivals = await Promise.all(times(3, () => books.seal()))
    expect(rivals.reduce((sum, one) => sum + (one?.sealed ?? 0), 0)).to.equal(10)
    expect(await books.seal()).to.deep.equal({ sealed: 0, size: 10, isRestored: false })
    expect(await books.owner('seals').count()).to.deep.equal([{ count: 1n }])
  })

  it('compares all ids when the books were restored where transaction ids are others', async () => {
    await openBooks()
    const pair = await accounts()
    await books.pay(50, pair)
    await books.seal({ sealSizeMax: 20 })
    // As a dump from a cluster that was 1,000 transactions ahead.
    await tamper(
      books,
      `UPDATE transfers SET transaction_id = transaction_id + 1000;
       UPDATE seals SET cluster = cluster + 1, snapshot =
         (pg_snapshot_xmin(snapshot::pg_snapshot)::text::bigint + 1000) || ':' ||
         (pg_snapshot_xmax(snapshot::pg_snapshot)::text::bigint + 1000) || ':'`,
    )
    await books.pay(7, pair)
    expect(await books.seal()).to.deep.equal({ sealed: 7, size: 57, isRestored: true })
    await books.pay(5, pair)
    expect(await books.seal()).to.deep.equal({ sealed: 5, size: 62, isRestored: false })
    await expectSealedOnce(books)
    // The ids of the other cluster come up again here; what they sealed is not sealed twice.
    for (const _one of times(1_100, Number)) await books.owner.raw('SELECT pg_current_xact_id()')
    await books.pay(3, pair)
    expect(await books.seal()).to.deep.equal({ sealed: 3, size: 65, isRestored: false })
    await expectSealedOnce(books)
  })

  const later = process.env['RUN_LONG'] === undefined ? 6_000 : 100_000
  it(`makes proofs that hold after ${later} later transfers`, async function () {
    this.timeout(120_000)
    await openBooks()
    const unit = unitOf([single(...(await accounts()), 1n)])
    await books.groups[0]?.submit(unit)
    await books.pay(20, await accounts())
    await books.seal()
    const [transfer] = await findFamily(books.db, unit.id, newId())
    const [position = -1] = await positionsOf(books.db, [unit.id])
    const treeOf = (head: { size: number; root: string } | undefined) => ({
      size: head?.size ?? 0,
      root: hashOfHex(head?.root ?? ''),
    })
    const newest = async () =>
      treeOf((await findCheckpoints(books.db, 'test', { order: 'desc', limit: 1 }))[0]?.head)
    const proofIn = async (size: number) =>
      ((await inclusionProofs(books.db, [position], size))[0] ?? []).map(hashOfHex)
    const first = await newest()
    const proof = await proofIn(first.size)

    await fill(books.url, { wallets: later / 5, roundsOfPayments: 8 }, () => {})
    expect(await books.seal()).to.deep.include({ sealed: later, size: later + 21 })
    const leaf = (transfer && leafOf(transfer)) ?? ''
    const last = await newest()
    expect(isIncluded({ index: position, size: first.size }, leaf, proof, first.root)).to.equal(
      true,
    )
    const today = await proofIn(last.size)
    expect(isIncluded({ index: position, size: last.size }, leaf, today, last.root)).to.equal(true)
    const consistency = await consistencyProof(books.db, first.size, last.size)
    expect(isConsistent(first, last, consistency.map(hashOfHex))).to.equal(true)
    await expectSealedOnce(books)
  })
})
