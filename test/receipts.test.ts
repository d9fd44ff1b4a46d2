/** Receipts, checkpoints and keys over HTTP, and what somebody does with them who trusts nobody. */
import { spawnSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import fc from 'fast-check'
import { hashOfHex, isConsistent, verifySeals } from '../ledger/index.ts'
import { publicKeysOf, readPublicKeys } from '../services/seals/keys.ts'
import { digestOf, type Receipt, verifyReceipt } from '../services/seals/receipt.ts'
import { openSealing, type Sealing } from '../services/seals/sealing.ts'
import { call } from './support/api.ts'
import {
  ended,
  linkedAccount,
  merchant,
  OPERATOR,
  order,
  payment,
  person,
  PIN,
} from './support/people.ts'
import { KEYS } from './support/seals.ts'
import { world } from './support/world.ts'

describe('a receipt', () => {
  let sealing: Sealing
  before(async () => {
    sealing = openSealing((await world()).worker)
  })

  /** Everything committed until now, even if another sealer is at it. */
  async function sealAll(): Promise<void> {
    while ((await sealing.run()) === undefined);
  }
  const keys = async () =>
    readPublicKeys((await call(undefined, 'GET', '/.well-known/jwks.json')).body)

  async function paid() {
    const [ada, ben] = [await person(1_000n), await person()]
    const { body } = await call(ada, 'POST', '/v1/payments', { body: payment(ben, '300') })
    return { ada, ben, id: body.id, path: `/v1/payments/${body.id}/receipt` }
  }
  async function receipted(): Promise<{ receipt: Receipt; text: string }> {
    const { ada, path } = await paid()
    await sealAll()
    const { body, text, status } = await call(ada, 'GET', path)
    expect(status, text).to.equal(200)
    return { receipt: body, text }
  }

  it('says nothing about what else either side has', async () => {
    const { text } = await receipted()
    expect(text).not.to.match(/balance|entry/)
  })

  it('is there as soon as the payment is sealed, for payer and payee and nobody else', async () => {
    const { ada, ben, path } = await paid()
    const early = await call(ada, 'GET', path)
    expect([early.status, early.body.code]).to.deep.equal([409, 'not_sealed_yet'])
    expect(early.headers.get('retry-after')).to.equal('1')
    await sealAll()
    const [first, second] = await Promise.all([call(ada, 'GET', path), call(ben, 'GET', path)])
    expect(first.status, first.text).to.equal(200)
    expect(second.text).to.equal(first.text)
    for (const stranger of [await person(), await merchant()]) {
      expect((await call(stranger, 'GET', path)).status).to.equal(404)
    }
    const verdict = await verifyReceipt(first.body, await keys())
    expect(verdict.faults).to.deep.equal([])
    expect(verdict.proven.join('\n')).to.match(/single payment of 3\.00 EUR/)
  })

  it('shows a merchant the fees too, and what a bank’s part in it was', async () => {
    const shop = await merchant()
    const ada = await person()
    const source = await linkedAccount(ada)
    const body = { order: await order(shop, '5000'), amount: '5000', currency: 'EUR', source }
    const approval = { pin: PIN }
    const made = await call(ada, 'POST', '/v1/payments', { body: { ...body, approval } })
    const done = await ended(ada, `/v1/payments/${made.body.id}`)
    expect(done.state).to.equal('completed')
    await sealAll()
    const receipt = await call(shop, 'GET', `/v1/payments/${made.body.id}/receipt`)
    const moved = receipt.body.transfers.map(({ sealed }: Receipt['transfers'][0]) => [
      ...[sealed.kind, sealed.code],
    ])
    expect(moved).to.deep.include.members([
      ...[
        ['pending', 'top_up'],
        ['post', 'top_up'],
        ['single', 'payment'],
        ['single', 'fee'],
      ],
    ])
    expect((await verifyReceipt(receipt.body, await keys())).faults).to.deep.equal([])
  })

  it('still holds after later payments, and its checkpoint is how the books began', async () => {
    const { receipt } = await receipted()
    for (const _round of [1, 2, 3]) await receipted()
    expect((await verifyReceipt(receipt, await keys())).faults).to.deep.equal([])
    const payload = Buffer.from(receipt.checkpoint.split('.')[1] ?? '', 'base64url').toString()
    const head = JSON.parse(payload)
    const { body: page } = await call(OPERATOR, 'GET', '/v1/ledger/checkpoints?limit=2')
    const [newest, before] = page.data
    expect(newest.number).to.equal(before.number + 1)
    const older = await call(
      OPERATOR,
      'GET',
      `/v1/ledger/checkpoints?cursor=${newest.number}&limit=1`,
    )
    expect(older.body.data).to.deep.equal([before])
    const path = `/v1/ledger/checkpoints/${newest.number}/consistency`
    const { body } = await call(OPERATOR, 'GET', `${path}?from=${head.number}`)
    expect(body.from.root).to.equal(head.root)
    const treeOf = ({ size, root }: Tree) => ({ size, root: hashOfHex(root) })
    const proof = body.proof.map(hashOfHex)
    expect(isConsistent(treeOf(head), treeOf(newest), proof)).to.equal(true)
    expect(isConsistent(treeOf({ ...head, root: newest.root }), treeOf(newest), proof)).to.equal(
      false,
    )
    for (const from of [newest.number + 1, 999_999]) {
      expect((await call(OPERATOR, 'GET', `${path}?from=${from}`)).status).to.equal(404)
    }
  })
  interface Tree {
    readonly size: number
    readonly root: string
  }

  it('of before there was evidence leaves it out, and holds', async () => {
    const [ada, ben] = [await person(1_000n), await person()]
    const body = payment(ben, '300', { approval: undefined })
    const paid = await call(ada, 'POST', '/v1/payments', { body })
    await sealAll()
    const { body: receipt } = await call(ada, 'GET', `/v1/payments/${paid.body.id}/receipt`)
    const transfers = receipt.transfers.map(({ sealed, ...one }: Receipt['transfers'][0]) => {
      const { evidence, ...earlier } = sealed
      expect(evidence).to.equal(null)
      return { ...one, sealed: earlier }
    })
    const { worker } = await world()
    const unsigned = { ...receipt, transfers }
    const signature = await worker.sealKeys.sign?.('florin-receipt', digestOf(unsigned))
    const { faults } = await verifyReceipt({ ...unsigned, signature }, await keys())
    expect(faults).to.deep.equal([])
  })

  it('is not proven with any one bit changed, nor by another key', async () => {
    const { text } = await receipted()
    const published = await keys()
    const isProven = async (changed: string) => {
      try {
        return (await verifyReceipt(JSON.parse(changed), published)).faults.length === 0
      } catch {
        return false
      }
    }
    expect(await isProven(text)).to.equal(true)
    const seed = Number(process.env['SEED'] ?? Date.now() % 2 ** 31)
    const bits = fc.nat(Buffer.byteLength(text) * 8 - 1)
    for (const bit of fc.sample(bits, { numRuns: Number(process.env['BITS'] ?? 1_500), seed })) {
      const bytes = Buffer.from(text)
      const at = Math.floor(bit / 8)
      bytes[at] = (bytes[at] ?? 0) ^ (1 << (bit % 8))
      expect(await isProven(bytes.toString()), `bit ${bit}, SEED=${seed}`).to.equal(false)
    }
    const stranger = await KEYS.published()
    expect((await verifyReceipt(JSON.parse(text), stranger)).faults).not.to.deep.equal([])
  })

  it('is not proven with any field changed, even by somebody who could sign it', async () => {
    const { receipt } = await receipted()
    const { worker } = await world()
    const published = await keys()
    const transfer = receipt.transfers[0]
    if (transfer === undefined) throw new Error('no transfer')
    const changes = Object.keys(transfer.sealed).map((field) => ({
      ...transfer,
      sealed: { ...transfer.sealed, [field]: field === 'code' ? 'gift' : otherOf(field, transfer) },
    }))
    const others = [
      ...changes,
      { ...transfer, position: transfer.position + 1 },
      { ...transfer, path: transfer.path.slice(1) },
      { ...transfer, path: transfer.path.toReversed() },
    ]
    for (const other of others) {
      const forged = { ...receipt, transfers: [other] }
      const sign = async (one: Receipt) =>
        (await worker.sealKeys.sign?.('florin-receipt', digestOf(one))) ?? ''
      const signed = { ...forged, signature: await sign(forged) }
      const { faults } = await verifyReceipt(signed, published)
      expect(faults, JSON.stringify(other.sealed)).not.to.deep.equal([])
    }
  })
  const otherOf = (field: string, { sealed }: Receipt['transfers'][0]) => {
    const value = sealed[field as keyof typeof sealed]
    if (field.endsWith('_at')) return value === null ? '2026-01-01T00:00:00.000000Z' : null
    if (/id$|reference/.test(field)) return value === null ? sealed.id : null
    return value === null ? '1' : `${value}1`
  }

  it('is verified by a command, offline, in plain words', async () => {
    const { text } = await receipted()
    const folder = await mkdtemp(join(tmpdir(), 'florin-receipt-'))
    try {
      const file = join(folder, 'receipt.json')
      await writeFile(file, text)
      const florin = (...words: string[]) => {
        const script = new URL('../services/cli/florin.mjs', import.meta.url).pathname
        const env = { ...process.env, DATA_DIR: folder }
        return spawnSync(process.execPath, [script, 'verify', ...words], { env, encoding: 'utf8' })
      }
      const keyless = florin(file)
      expect([keyless.status, keyless.stderr]).to.match(/^2,florin verify: name the public keys/)
      await writeFile(join(folder, 'jwks.json'), JSON.stringify(await keys()))
      const good = florin(file)
      expect([good.status, good.stderr]).to.deep.equal([0, ''])
      expect(good.stdout).to.match(/^The receipt is whole.*Checkpoint \d+ .*payment of 3\.00 EUR/s)
      await writeFile(file, text.replace('"300"', '"301"'))
      const bad = florin(file, '--keys', join(folder, 'jwks.json'), '--json')
      expect(bad.status).to.equal(1)
      expect(JSON.parse(bad.stdout)).to.deep.equal({
        ...{ proven: false, statements: [], faults: ['it was changed after it was signed'] },
      })
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  it('is worth what the key is: those before it stay published, no private part ever', async () => {
    const { worker } = await world()
    const { body } = await call(undefined, 'GET', '/.well-known/jwks.json')
    expect(Object.keys(body.keys[0]).toSorted()).to.deep.equal([
      ...['alg', 'crv', 'kid', 'kty', 'use', 'x'],
    ])
    const [previous] = (await KEYS.published()).keys
    const both = await publicKeysOf(worker.config.SEAL_KEY, previous ? [previous] : [])
    expect(both.keys.map(({ kid }) => kid)).to.deep.equal([body.keys[0].kid, previous?.kid])
  })

  it('has its like for all of the books: the proof says how the seals stand', async () => {
    await sealAll()
    const { body } = await call(OPERATOR, 'GET', '/v1/ledger/proof')
    expect(body.seals.newest_intact).to.equal(true)
    expect(body.seals.size).to.be.greaterThan(0)
    expect(body.seals.lag_s).to.be.lessThan(60)
    const { owner } = await world()
    expect((await verifySeals(owner)).violations).to.deep.equal([])
    const text = await (await world()).worker.metrics.text()
    expect(text)
      .to.match(/florin_sealed_transfers\{.*\} [1-9]/)
      .and.match(/florin_seal_lag_seconds/)
  })
})
