/** The tree against the vectors of certificate transparency, and against its definition. */
import { expect } from 'chai'
import fc from 'fast-check'
import { leafOf, SEALED_FIELDS, type SealedTransfer } from '../ledger/index.ts'
import * as merkle from '../ledger/seals/merkle.ts'
import { times } from './support/books.ts'

const hex = (hash: merkle.Hash) => merkle.bytesOf(hash).toString('hex')
const unhex = (text: string) => merkle.hashOf(Buffer.from(text, 'hex'))
const leaf = (data: string) => merkle.sha256(Buffer.from(`00${data}`, 'hex'))

/** Of github.com/google/certificate-transparency, merkletree tests; RFC 6962 names the tree. */
const LEAVES = [
  ...['', '00', '10', '2021', '3031', '40414243', '5051525354555657'],
  '606162636465666768696a6b6c6d6e6f',
].map(leaf)
const ROOTS = [
  'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
]
const INCLUSION_OF_0_IN_8 = [
  '96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7',
  '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
  '6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4',
]
const CONSISTENCY_OF_6_WITH_8 = [
  '0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a',
  'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
]

/** The definition in section 2.1, word for word. */
function naiveRoot(leaves: readonly merkle.Hash[]): merkle.Hash {
  if (leaves.length === 0) return merkle.sha256(Buffer.alloc(0))
  if (leaves.length === 1) return leaves[0] ?? ''
  let k = 1
  while (k * 2 < leaves.length) k *= 2
  return merkle.nodeHash(naiveRoot(leaves.slice(0, k)), naiveRoot(leaves.slice(k)))
}

const treeOf = (leaves: readonly merkle.Hash[]) => ({
  size: leaves.length,
  root: naiveRoot(leaves),
})
const hashes = (leaves: readonly merkle.Hash[], ranges: readonly merkle.Range[]) =>
  ranges.map(({ start, end }) => naiveRoot(leaves.slice(start, end)))

const leavesOf = (count: number) => times(count, (nth) => leaf(nth.toString(16).padStart(4, '0')))

/** One bit of one hash is another. */
function bent(path: readonly merkle.Hash[], at: number): merkle.Hash[] {
  const bytes = Buffer.from(path.join(''), 'latin1')
  const [byte, bit] = [Math.floor(at / 8) % bytes.length, at % 8]
  bytes[byte] = (bytes[byte] ?? 0) ^ (1 << bit)
  return path.map((_, nth) => merkle.hashOf(bytes.subarray(nth * 32, nth * 32 + 32)))
}

describe('the Merkle tree', () => {
  it('has the roots and proofs that certificate transparency publishes', () => {
    const frontier = merkle.openFrontier()
    expect(hex(merkle.rootOf(frontier.peaks))).to.equal(ROOTS[0])
    for (const [nth, one] of LEAVES.entries()) {
      frontier.append(one)
      expect(hex(merkle.rootOf(frontier.peaks))).to.equal(ROOTS[nth + 1])
    }
    const inclusion = hashes(LEAVES, merkle.inclusionRanges(0, 8)).map(hex)
    expect(inclusion).to.deep.equal(INCLUSION_OF_0_IN_8)
    const consistency = hashes(LEAVES, merkle.consistencyRanges(6, 8)).map(hex)
    expect(consistency).to.deep.equal(CONSISTENCY_OF_6_WITH_8)
    const trees = [6, 8].map((size) => ({ size, root: unhex(ROOTS[size] ?? '') }))
    const [six, eight] = trees as [merkle.Tree, merkle.Tree]
    expect(merkle.isConsistent(six, eight, CONSISTENCY_OF_6_WITH_8.map(unhex))).to.equal(true)
  })

  it('grows as its definition says, wherever it is opened again', () => {
    fc.assert(
      fc.property(fc.nat(300), fc.nat(300), (first, more) => {
        const leaves = leavesOf(first + more)
        const before = merkle.openFrontier()
        for (const one of leaves.slice(0, first)) before.append(one)
        const frontier = merkle.openFrontier(first, before.peaks)
        for (const one of leaves.slice(first)) {
          frontier.append(one, ({ level, position }, hash) => {
            const [start, end] = [position * 2 ** level, (position + 1) * 2 ** level]
            expect(hash).to.equal(naiveRoot(leaves.slice(start, end)))
          })
        }
        expect(merkle.rootOf(frontier.peaks)).to.equal(naiveRoot(leaves))
        expect(frontier.size).to.equal(leaves.length)
      }),
      { numRuns: 40 },
    )
  })

  it('proves that a leaf is in it, and not with another leaf, place or path', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 400 }), fc.nat(), fc.nat(), (size, at, flip) => {
        const leaves = leavesOf(size)
        const index = at % size
        const { root } = treeOf(leaves)
        const path = hashes(leaves, merkle.inclusionRanges(index, size))
        const place = { index, size }
        const one = leaves[index] ?? ''
        expect(merkle.isIncluded(place, one, path, root)).to.equal(true)
        expect(merkle.isIncluded(place, leaf('ff'), path, root)).to.equal(false)
        expect(merkle.isIncluded({ index, size }, one, [...path, one], root)).to.equal(false)
        expect(merkle.isIncluded({ index: size, size }, one, path, root)).to.equal(false)
        if (size === 1) return
        expect(merkle.isIncluded(place, one, bent(path, flip), root)).to.equal(false)
        expect(merkle.isIncluded({ index: (index + 1) % size, size }, one, path, root)).to.equal(
          false,
        )
      }),
      { numRuns: 100 },
    )
  })

  it('proves that it began as another, and not as one that it did not', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 300 }), fc.nat(300), fc.nat(), (size, more, flip) => {
        const leaves = leavesOf(size + more)
        const [from, to] = [treeOf(leaves.slice(0, size)), treeOf(leaves)]
        const proof = hashes(leaves, merkle.consistencyRanges(size, size + more))
        expect(merkle.isConsistent(from, to, proof)).to.equal(true)
        expect(merkle.isConsistent({ ...from, root: leaf('ff') }, to, proof)).to.equal(false)
        expect(merkle.isConsistent(from, { ...to, root: leaf('ff') }, proof)).to.equal(false)
        expect(merkle.isConsistent(from, to, [...proof, leaf('ff')])).to.equal(false)
        if (proof.length === 0) return
        expect(merkle.isConsistent(from, to, bent(proof, flip))).to.equal(false)
      }),
      { numRuns: 100 },
    )
  })
})

describe('a leaf', () => {
  const id = '01a1fb16-576b-7127-9d79-fd451d94c701'
  const transfer: SealedTransfer = {
    ...{ id, recorded_at: '2026-11-20T22:31:47.842994Z', debit_account_id: id },
    ...{ credit_account_id: id, reference: id, amount: '2' },
    ...{ kind: 'single', currency: 'EUR', code: 'test', pending_id: null, resolution: null },
    ...{ reverses_id: null, effective_at: null, booked_at: null, expires_at: null },
  }
  const evidence = 'ab'.repeat(32)

  it('is the same for ever: receipts of today are verified in twenty years', () => {
    expect(hex(leafOf(transfer) ?? '')).to.equal(
      'ef98504cee713cf0e83995fd346dfac2944ea9525857db7dba203427c89949ec',
    )
    expect(leafOf({ ...transfer, evidence: null })).to.equal(leafOf(transfer))
    expect(hex(leafOf({ ...transfer, evidence }) ?? '')).to.equal(
      '03eacd22318f01641a4289881a98cca3a9e5fee09d9d439fd28ff288fad39798',
    )
  })

  it('is another for every other value, and none for what cannot be a value', () => {
    const wrong: readonly Partial<SealedTransfer>[] = [
      ...['', '01', '+1', '1e3', '9223372036854775808', '1.0'].map((amount) => ({ amount })),
      ...['', id.toUpperCase(), `${id}0`, id.replaceAll('-', '')].map((id) => ({ id })),
      { recorded_at: '2026-02-30T00:00:00.000000Z' },
      { recorded_at: '2026-11-20T22:31:47.842Z' },
      { recorded_at: '2026-11-20T22:31:47.842994z' },
      { code: '\ud800' },
      ...['', evidence.toUpperCase(), evidence.slice(2)].map((evidence) => ({ evidence })),
    ]
    for (const one of wrong)
      expect(leafOf({ ...transfer, ...one }), JSON.stringify(one)).to.equal(undefined)
    const other = { uuid: id.replace('1', '2'), time: '2026-11-20T22:31:47.842995Z' }
    const leaves = SEALED_FIELDS.map((field) => {
      const value = field.endsWith('_at')
        ? other.time
        : /id$|reference/.test(field)
          ? other.uuid
          : '7'
      return leafOf({ ...transfer, [field]: field === 'evidence' ? evidence : value })
    })
    const all = new Set([leafOf(transfer), ...leaves])
    expect(all.has(undefined)).to.equal(false)
    expect(all.size).to.equal(SEALED_FIELDS.length + 1)
  })
})
