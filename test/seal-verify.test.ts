/** What the verifier finds: one corruption each, planted by somebody who may do anything. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { type Head, type SealState, verifySeals } from '../ledger/index.ts'
import { openVerifier } from '../services/seals/keys.ts'
import { KEYS, openSealedBooks, type SealedBooks, tamper } from './support/seals.ts'
import { world } from './support/world.ts'

/** A transfer in the middle of the second of three seals. */
const sealed = (nth: number) => `
  (SELECT encode(substr(transfer_ids, 16 * ${nth} + 1, 16), 'hex')::uuid
     FROM seals WHERE number = 2)`
const [ONE, ANOTHER] = [sealed(50), sealed(60)]

const WITH_EVIDENCE = '(SELECT id FROM transfers WHERE evidence IS NOT NULL LIMIT 1)'
const WITHOUT_EVIDENCE = '(SELECT id FROM transfers WHERE evidence IS NULL LIMIT 1)'

const copyOf = (transactionId: string) => `
  INSERT INTO transfers
  SELECT (json_populate_record(t, json_build_object(
    'id', '${'0'.repeat(8)}-0000-7000-8000-${'0'.repeat(12)}', 'debit_entry', 1000001,
    'credit_entry', 1000001, 'transaction_id', ${transactionId}))).*
  FROM transfers t WHERE id = ${ONE}`

const swapped = (a: number, b: number) => `
  UPDATE seals SET transfer_ids = overlay(overlay(transfer_ids
      PLACING substr(transfer_ids, ${16 * b + 1}, 16) FROM ${16 * a + 1})
      PLACING substr(transfer_ids, ${16 * a + 1}, 16) FROM ${16 * b + 1})
   WHERE number = 2`

const CORRUPTIONS: Readonly<Record<string, readonly [sql: string, invariant: string]>> = {
  'an amount is changed': [
    `UPDATE transfers SET amount = amount + 1 WHERE id = ${ONE}`,
    'chain_is_intact',
  ],
  'an amount is changed, and the chain with it': [
    `UPDATE transfers SET amount = amount + 1 WHERE id = ${ONE};
     UPDATE seals SET chain = sha256(chain) WHERE number = 2`,
    'roots_are_right',
  ],
  'a time is changed by a microsecond': [
    `UPDATE transfers SET recorded_at = recorded_at + interval '1 microsecond' WHERE id = ${ONE}`,
    'chain_is_intact',
  ],
  'an account is changed': [
    `UPDATE transfers SET credit_account_id = gen_random_uuid() WHERE id = ${ONE}`,
    'chain_is_intact',
  ],
  'the reason is changed': [
    `UPDATE transfers SET code = 'gift' WHERE id = ${ONE}`,
    'chain_is_intact',
  ],
  'the evidence is changed': [
    `UPDATE transfers SET evidence = sha256(evidence) WHERE id = ${WITH_EVIDENCE}`,
    'chain_is_intact',
  ],
  'the evidence is taken away': [
    `UPDATE transfers SET evidence = NULL WHERE id = ${WITH_EVIDENCE}`,
    'chain_is_intact',
  ],
  'evidence is added': [
    `UPDATE transfers SET evidence = sha256('I agree') WHERE id = ${WITHOUT_EVIDENCE}`,
    'chain_is_intact',
  ],
  'an id is changed': [
    `UPDATE transfers SET id = gen_random_uuid() WHERE id = ${ONE}`,
    'sealed_transfers_exist',
  ],
  'two rows exchange what they say': [
    `UPDATE transfers t SET reference = o.reference FROM transfers o
      WHERE t.id IN (${ONE}, ${ANOTHER}) AND o.id IN (${ONE}, ${ANOTHER}) AND t.id <> o.id`,
    'chain_is_intact',
  ],
  'a row is deleted': [`DELETE FROM transfers WHERE id = ${ONE}`, 'sealed_transfers_exist'],
  'a row is inserted into the past': [copyOf('t.transaction_id'), 'every_transfer_is_sealed'],
  'a row is inserted from the future': [copyOf('1000000000000'), 'every_transfer_is_sealed'],
  'a row is deleted and another one inserted': [
    `${copyOf('t.transaction_id')}; DELETE FROM transfers WHERE id = ${ONE}`,
    'every_transfer_is_sealed',
  ],
  'a row claims another transaction': [
    `UPDATE transfers SET transaction_id = 3 WHERE id = ${ONE}`,
    'seals_are_in_commit_order',
  ],
  'rows are sealed in another order': [swapped(50, 51), 'seals_are_in_commit_order'],
  'a row is sealed twice': [
    `UPDATE seals s SET transfer_ids = overlay(transfer_ids PLACING uuid_send(${ONE}) FROM 1)
      WHERE number = 3`,
    'seals_are_in_commit_order',
  ],
  'a seal is gone': ['DELETE FROM seals WHERE number = 2', 'seals_have_no_gaps'],
  'the first seal is gone': ['DELETE FROM seals WHERE number = 1', 'seals_have_no_gaps'],
  'the chain is changed': [
    'UPDATE seals SET chain = sha256(chain) WHERE number = 2',
    'chain_is_intact',
  ],
  'a root is changed': ['UPDATE seals SET root = sha256(root) WHERE number = 2', 'roots_are_right'],
  'a peak is changed': [
    'UPDATE seals SET peaks = set_bit(peaks, 3, 1 - get_bit(peaks, 3)) WHERE number = 2',
    'roots_are_right',
  ],
  'a head says another time': [
    `UPDATE seals SET sealed_at = sealed_at + interval '1 ms' WHERE number = 2`,
    'signatures_are_right',
  ],
  'a signature is that of another head': [
    'UPDATE seals SET signature = (SELECT signature FROM seals WHERE number = 1) WHERE number = 2',
    'signatures_are_right',
  ],
  'a node is changed': ['UPDATE merkle_nodes SET hash = sha256(hash)', 'nodes_are_right'],
  'a node is gone': ['DELETE FROM merkle_nodes', 'nodes_are_right'],
}

const SIZE = 1_500

async function isSigned(expected: Omit<Head, 'origin'>, signature: string): Promise<boolean> {
  const verify = await openVerifier(await KEYS.published())
  const { payload } = (await verify('florin-checkpoint', signature)) ?? {}
  const { origin, ...said } = (payload ?? {}) as Head
  return origin === 'test' && JSON.stringify(said) === JSON.stringify(expected)
}

describe('the verifier', () => {
  let template: { name: string; url: string }
  let folder: string
  const opened: SealedBooks[] = []
  const openCopy = async () => {
    const copy = await openSealedBooks(await (await world()).newDatabase(template.name))
    opened.push(copy)
    return copy
  }
  before(async () => {
    template = await (await world()).newDatabase()
    folder = await mkdtemp(join(tmpdir(), 'florin-verify-'))
    await writeFile(join(folder, 'jwks.json'), JSON.stringify(await KEYS.published()))
    const books = await openSealedBooks(template)
    const pair = [await books.account('suspense'), await books.account('merchant')] as const
    for (const _seal of [1, 2, 3]) {
      await books.pay(SIZE / 3, pair)
      await books.seal()
    }
    await books.pay(5, pair)
    await books.close()
  })
  after(() => rm(folder, { recursive: true }))
  afterEach(() => Promise.all(opened.splice(0).map((one) => one.close())))

  it('finds nothing where nothing is wrong, and says how much is not sealed yet', async () => {
    const { db } = await openCopy()
    expect(await verifySeals(db, { isSigned })).to.deep.include({
      ...{ seals: 3, transfers: SIZE, unsealed: 5, unsigned: 0, isStopped: false, violations: [] },
    })
  })

  for (const [name, [sql, invariant]] of Object.entries(CORRUPTIONS)) {
    it(`finds that ${name} (abuse 28)`, async () => {
      const books = await openCopy()
      await tamper(books, sql)
      const { violations } = await verifySeals(books.db, { isSigned })
      expect(violations.map((one) => one.invariant)).to.include(invariant)
    })
  }

  it('goes on where it was stopped, and finds that what it had verified is another', async () => {
    const books = await openCopy()
    const stop = new AbortController()
    let saved: SealState | undefined
    const onState = (state: SealState) => {
      saved = state
      stop.abort()
    }
    const stopped = await verifySeals(books.db, { onState, signal: stop.signal })
    expect(stopped.isStopped).to.equal(true)
    const rest = await verifySeals(books.db, { from: saved })
    expect(rest.violations).to.deep.equal([])
    expect(rest.state.size).to.equal(SIZE)
    await tamper(books, 'UPDATE seals SET chain = sha256(chain)')
    const changed = await verifySeals(books.db, { from: saved })
    expect(changed.violations.map((one) => one.invariant)).to.include('chain_is_intact')
  })

  it('is a command that says what it found, and ends with 1 when that is not right', async () => {
    const books = await openCopy()
    const state = join(folder, 'state.json')
    const good = await florin(books.url, 'ledger', 'verify', '--json', '--state', state)
    expect(good.code, good.err).to.equal(0)
    expect(JSON.parse(good.out)).to.deep.include({ proven: true, violations: [] })
    expect(JSON.parse(good.out).seals).to.deep.include({
      verified: 3,
      transfers: SIZE,
      unsealed: 5,
    })
    expect(JSON.parse(await readFile(state, 'utf8')).state.number).to.equal(3)
    const again = await florin(books.url, 'ledger', 'verify', '--json', '--state', state)
    expect(JSON.parse(again.out).seals.verified).to.equal(0)
    await tamper(books, CORRUPTIONS['an amount is changed']?.[0] ?? '')
    const bad = await florin(books.url, 'ledger', 'verify', '--from', '2')
    expect(bad.code).to.equal(1)
    expect(bad.out).to.match(/2 seals verified.*VIOLATED chain_is_intact: seal 2\n.*NOT PROVEN/s)
  })

  it('prints heads to be published, and says how it is used', async () => {
    const { code, out } = await florin(template.url, 'ledger', 'export-checkpoints', '--from', '2')
    expect(code).to.equal(0)
    const heads = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(heads.map(({ number, size }) => [number, size])).to.deep.equal([
      ...[
        [2, (SIZE / 3) * 2],
        [3, SIZE],
      ],
    ])
    const lost = await florin('', 'ledger', 'verify')
    expect([lost.code, lost.err]).to.deep.equal([
      2,
      `florin ledger verify: DATABASE_URL is not set\nusage: florin ledger verify ` +
        '[--json] [--state <file>] [--from <seal>] [--keys <jwks.json or url>]\n',
    ])
    expect((await florin('', 'no', 'such')).code).to.equal(2)
    expect((await florin('')).out).to.include('florin verify <receipt.json>')
  })

  const florin = async (url: string, ...words: string[]) => {
    const env = { ...process.env, DATABASE_URL: url, DATA_DIR: folder, SEAL_ORIGIN: 'test' }
    const script = new URL('../services/cli/florin.mjs', import.meta.url).pathname
    const child = spawn(process.execPath, [script, ...words], { env, cwd: folder })
    let [out, err] = ['', '']
    child.stdout.on('data', (chunk) => (out += chunk))
    child.stderr.on('data', (chunk) => (err += chunk))
    const [code] = await once(child, 'close')
    return { code, out, err }
  }
})
