/** "I did not pay": what shows, to somebody who trusts nobody, that the payer agreed. */
import { spawnSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { openMetrics } from '../services/metrics.ts'
import { type Evidence, verifyEvidence } from '../services/seals/evidence.ts'
import { readPublicKeys } from '../services/seals/keys.ts'
import { digestOf, type Receipt } from '../services/seals/receipt.ts'
import { openSealing, type Sealing } from '../services/seals/sealing.ts'
import { expectProblem, once } from './support/abuse.ts'
import { type Answer, call, newKey, type Who } from './support/api.ts'
import {
  ended,
  linkedAccount,
  type Merchant,
  merchant,
  OPERATOR,
  order,
  payment,
  type Person,
  person,
  PIN,
} from './support/people.ts'
import { encrypted, payBy, paymentOf, phone, type Phone } from './support/phones.ts'
import { world } from './support/world.ts'

let ada: Person
let ben: Person
let shop: Merchant
let mobile: Phone
const setTheStage = once(async () => {
  ;[ada, ben, shop] = await Promise.all([person(1_000_000n), person(), merchant()])
  mobile = await phone(ada)
  const { worker } = await world()
  sealing = openSealing({ ...worker, metrics: openMetrics('evidence') })
})

let sealing: Sealing

async function sealAll(): Promise<void> {
  while ((await sealing.run()) === undefined);
}

const keys = async () =>
  readPublicKeys((await call(undefined, 'GET', '/.well-known/jwks.json')).body)

async function evidenceOf(paid: Answer, who: Who = ada): Promise<Evidence> {
  expect(paid.status, paid.text).to.be.within(200, 202)
  await sealAll()
  const answer = await call(who, 'GET', `/v1/payments/${paid.body.id}/evidence`)
  expect(answer.status, answer.text).to.equal(200)
  return answer.body
}

async function payWith(approval: (key: string) => Promise<object>): Promise<Answer> {
  const key = newKey()
  const body = payment(ben, '5000', { approval: await approval(key) })
  return call(ada, 'POST', '/v1/payments', { key, body })
}

const WAYS: Readonly<Record<Exclude<Evidence['factor'], 'none'>, () => Promise<Answer>>> = {
  device: () => payBy(ada, mobile, ben, '5000'),
  pin_jwe: () => payWith((key) => encrypted(ada, paymentOf(ben, '5000'), key)),
  pin: () => payWith(async () => ({ pin: PIN })),
}

const faultsOf = async (evidence: unknown) => (await verifyEvidence(evidence, await keys())).faults

describe('evidence', () => {
  before(setTheStage)

  for (const [factor, pay] of Object.entries(WAYS)) {
    it(`shows offline that the payer agreed, by ${factor} (abuse 31)`, async () => {
      const paid = await pay()
      const evidence = await evidenceOf(paid)
      expect(evidence.factor).to.equal(factor)
      const { faults, proven } = await verifyEvidence(evidence, await keys())
      expect(faults).to.deep.equal([])
      expect(proven.join('\n')).to.match(/^per_\w+ agreed at .*\n.*amount=5000/s)
      expect(proven.join('\n')).to.include(`It is of payment ${paid.body.id}`)
    })

    it(`is not proven with anything of it changed: ${factor} (abuse 31)`, async () => {
      const [evidence, other] = [await evidenceOf(await pay()), await evidenceOf(await pay())]
      const changes = Object.keys(evidence).flatMap((field) => changesOf(evidence, other, field))
      expect(changes.length).to.be.greaterThan(25)
      for (const [what, changed] of changes) {
        expect(changed, what).not.to.deep.equal(evidence)
        expect(await faultsOf(changed), what).not.to.deep.equal([])
      }
      expect(await faultsOf(evidence)).to.deep.equal([])
    })

    it(`is not proven with anything changed by who could sign receipts: ${factor}`, async () => {
      const evidence = await evidenceOf(await pay())
      const { worker } = await world()
      const [first] = evidence.receipt.transfers
      if (first === undefined) throw new Error('no transfer')
      const { payment: paid } = evidence.receipt
      const receipts = [
        { transfers: [{ ...first, sealed: { ...first.sealed, evidence: 'ab'.repeat(32) } }] },
        { transfers: [{ ...first, sealed: { ...first.sealed, evidence: null } }] },
        { payment: { ...paid, amount: '5001' } },
        { payment: { ...paid, payee: paid['payer'] } },
        { payment: { ...paid, kind: 'gift' } },
      ]
      for (const more of receipts) {
        const changed: Receipt = { ...evidence.receipt, ...more }
        const signature = await worker.sealKeys.sign?.('florin-receipt', digestOf(changed))
        const receipt = { ...changed, signature: signature ?? '' }
        expect(await faultsOf({ ...evidence, receipt }), JSON.stringify(more)).not.to.deep.equal([])
      }
    })
  }

  /** Every way in which a field may be another one's, another value, or missing. */
  function changesOf(evidence: Evidence, other: Evidence, field: string) {
    const one: Readonly<Record<string, unknown>> = evidence
    const value = one[field]
    const { [field]: _gone, ...rest } = one
    const spoilt = SPOILT[field]?.map((bad) => ({ ...rest, [field]: bad })) ?? []
    const theirs = (other as unknown as typeof one)[field]
    const lines = field === 'text' ? changedLines(String(value)) : []
    const all = [
      ...[rest, { ...rest, [field]: value === null ? 'x' : null }, ...spoilt],
      ...lines.map((text) => ({ ...rest, text })),
      { ...rest, [field]: theirs },
    ]
    const own = JSON.stringify(sorted(one))
    const isSame = (changed: object) => JSON.stringify(sorted(changed)) === own
    return all
      .filter((changed) => !isSame(changed))
      .map((changed, nth) => [`${field} ${nth}`, changed] as const)
  }
  const sorted = (value: object) => Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  const changedLines = (text: string) =>
    text.split('\n').map((line) => text.replace(line, `${line}1`))
  const SPOILT: Readonly<Record<string, readonly unknown[]>> = {
    version: [0, 2, '1'],
    digest: ['ab'.repeat(32)],
    factor: ['pin', 'pin_jwe', 'device', 'none'],
    key: [
      { id: `dev_0${'0'.repeat(25)}`, jwk: null },
      { id: 'x', jwk: null },
      { id: 'x', jwk: { kty: 'OKP', crv: 'Ed25519', x: 'A'.repeat(43) } },
    ],
    at: ['2026-01-01T00:00:00.000Z', 'yesterday'],
    step_up: ['totp', 'recovery_code'],
    proof: ['a.b.c'],
    receipt: [{}, 'x'],
    text: ['', 'florin-approval-v1'],
  }

  it('needs the key that signed: another one of the same person proves nothing', async () => {
    const another = await phone(ada)
    const [mine, theirs] = [
      await evidenceOf(await payBy(ada, mobile, ben, '5000')),
      await evidenceOf(await payBy(ada, another, ben, '5000')),
    ]
    const jwk = theirs.key?.jwk ?? null
    const swapped = { ...mine, key: { id: mine.key?.id, jwk } }
    expect(await faultsOf(swapped)).to.include('it is not signed by the device')
    expect(await faultsOf(swapped)).to.include('it is not the evidence that is sealed in the books')
  })

  it('holds after the device is revoked, and for shops and banks alike', async () => {
    const lost = await phone(ada)
    const bought = await order(shop, '5000')
    const money = { amount: '5000', currency: 'EUR' }
    const key = newKey()
    const act = { action: 'payment', payee: shop.id, order: bought, ...money }
    const approval = await lost.agree(act, key)
    const body = { order: bought, ...money, approval }
    const paid = await call(ada, 'POST', '/v1/payments', { key, body })
    await call(ada, 'DELETE', `/v1/devices/${lost.id}`)
    expect(await faultsOf(await evidenceOf(paid))).to.deep.equal([])
    const own = { bank_account: await linkedAccount(ada), ...money, approval: { pin: PIN } }
    for (const path of ['/v1/top_ups', '/v1/withdrawals']) {
      const moved = await call(ada, 'POST', path, { body: own })
      await ended(ada, `/v1/payments/${moved.body.id}`)
      expect(await faultsOf(await evidenceOf(moved))).to.deep.equal([])
    }
  })

  it('says that nobody was asked where a token was enough', async () => {
    const body = payment(ben, '1', { approval: undefined })
    const evidence = await evidenceOf(await call(ada, 'POST', '/v1/payments', { body }))
    expect(await faultsOf(evidence)).to.deep.equal([
      'nobody was asked to agree: a token was enough',
    ])
    expect(evidence.receipt.transfers[0]?.sealed.evidence).to.equal(null)
  })

  it('is for the payer and operators: not for who was paid, nor anybody else', async () => {
    const bought = await order(shop, '5000')
    const body = { order: bought, amount: '5000', currency: 'EUR', approval: { pin: PIN } }
    const paid = await call(ada, 'POST', '/v1/payments', { body })
    const path = `/v1/payments/${paid.body.id}/evidence`
    await evidenceOf(paid, OPERATOR)
    expectProblem(await call(shop, 'GET', path), 403, 'forbidden')
    expectProblem(await call({ sub: 'app', scope: 'chat' }, 'GET', path), 403, 'forbidden')
    expectProblem(await call(ben, 'GET', path), 404, 'not_found')
    const toBen = await WAYS.device()
    await sealAll()
    const seen = await call(ben, 'GET', `/v1/payments/${toBen.body.id}/receipt`)
    for (const secret of [mobile.id, 'florin-approval', 'idempotency']) {
      expect(seen.text).not.to.include(secret)
    }
    expectProblem(
      await call(ben, 'GET', `/v1/payments/${toBen.body.id}/evidence`),
      ...([404, 'not_found'] as const),
    )
  })

  it('is verified by a command, offline, in plain words', async () => {
    const text = JSON.stringify(await evidenceOf(await WAYS.device()))
    const folder = await mkdtemp(join(tmpdir(), 'florin-evidence-'))
    try {
      await writeFile(join(folder, 'jwks.json'), JSON.stringify(await keys()))
      const florin = async (document: string) => {
        const file = join(folder, 'evidence.json')
        await writeFile(file, document)
        const script = new URL('../services/cli/florin.mjs', import.meta.url).pathname
        return spawnSync(process.execPath, [script, 'verify', file], { encoding: 'utf8' })
      }
      const good = await florin(text)
      expect([good.status, good.stderr]).to.deep.equal([0, ''])
      expect(good.stdout).to.match(
        /by what their device signed.*amount=5000.*The receipt is whole/s,
      )
      const bad = await florin(text.replace('amount=5000', 'amount=500'))
      expect(bad.status).to.equal(1)
      expect(bad.stdout).to.match(/^NOT PROVEN: what was agreed to is not this payment/)
    } finally {
      await rm(folder, { recursive: true })
    }
  })
})
