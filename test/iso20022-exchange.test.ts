/** A directory of exchange in which nothing is lost or doubled, whatever dies when. */
import {
  link,
  mkdir,
  mkdtemp,
  rename,
  stat,
  symlink,
  unlink,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { openBanks } from '../adapters/index.ts'
import { camt053, camt054, entryOf, statementStart } from './support/iso20022.ts'
import {
  batchOf,
  collected,
  configIn,
  openFileBank,
  order,
  type FileBank,
  OUR_IBAN,
  statementOf,
} from './support/iso20022-bank.ts'

describe('the directory of exchange', () => {
  it('is handed a batch once, however often and by however many', async () => {
    const bank = await openFileBank()
    const other = openBanks([configIn(bank.folder)]).get('files')
    const batch = batchOf('B1', order('A'))
    const both = [bank.adapter, other ?? bank.adapter]
    const callers = Array.from({ length: 10 }, () => both).flat()
    await Promise.all(callers.map((caller) => caller.submitBatch(batch)))
    expect(await bank.names('out')).to.deep.equal(['B1.xml'])
    await unlink(join(bank.folder, 'out', 'B1.xml'))
    await bank.adapter.submitBatch(batch)
    expect(await bank.names('out'), 'the bank has taken it').to.deep.equal([])
    expect(await bank.names('sent')).to.deep.equal(['B1.xml'])
    expect(await bank.names('staging')).to.deep.equal([])
  })

  it('finishes a hand-over that a crash cut off at any moment', async () => {
    const whole = await openFileBank()
    const batch = batchOf('B1', order('A'))
    await whole.adapter.submitBatch(batch)
    const bytes = await whole.read('out', 'B1.xml')
    for (const moment of ['half written', 'written', 'decided']) {
      const bank = await openFileBank()
      for (const folder of ['staging', 'sent', 'out']) await mkdir(join(bank.folder, folder))
      const staged = join(bank.folder, 'staging', 'B1.xml.1')
      await writeFile(staged, moment === 'half written' ? bytes.slice(0, 99) : bytes)
      if (moment === 'decided') await link(staged, join(bank.folder, 'sent', 'B1.xml'))
      await bank.adapter.submitBatch(batch)
      expect(await bank.read('out', 'B1.xml'), moment).to.equal(bytes)
      expect(await bank.read('sent', 'B1.xml'), moment).to.equal(bytes)
    }
  })

  it('offers files oldest first, until they are accepted, and a copy again', async () => {
    const bank = await openFileBank()
    const text = camt054(entryOf({ amount: '1', own: 'A' }))
    for (const [name, day] of Object.entries({ 'b.xml': 1, 'a.xml': 2, 'c.xml': 3 })) {
      await bank.drop(name, text)
      await utimes(join(bank.folder, 'in', name), day * 1000, day * 1000)
    }
    const files = await collected(bank.adapter)
    expect(files.map(({ name }) => name)).to.deep.equal(['b.xml', 'a.xml', 'c.xml'])
    expect(new Set(files.map(({ messageId }) => messageId)).size).to.equal(1)
    expect(new Set(files.flatMap(({ events }) => events.map((one) => one.eventId))).size).to.equal(
      1,
    )
    await files[0]?.accept()
    await files[0]?.accept()
    await files[1]?.reject('a copy')
    expect((await collected(bank.adapter)).map(({ name }) => name)).to.deep.equal(['c.xml'])
    expect(await bank.names('processed')).to.deep.equal(['b.xml'])
    expect(await bank.read('failed', 'a.xml.reason')).to.equal('a copy\n')
    await bank.drop('b.xml', text)
    for (const file of await collected(bank.adapter)) await file.accept()
    expect(await bank.names('processed'), 'the older is not lost').to.deep.equal([
      'b.xml',
      'b.xml.2',
      'c.xml',
    ])
  })

  it('finishes a move that a crash cut in two', async () => {
    const bank = await openFileBank()
    await bank.drop('a.xml', camt054(entryOf({ amount: '1', own: 'A' })))
    const [file] = await collected(bank.adapter)
    const [taken = ''] = await bank.names('reading')
    await link(join(bank.folder, 'reading', taken), join(bank.folder, 'processed', 'a.xml'))
    await file?.accept()
    expect(await bank.names('processed')).to.deep.equal(['a.xml'])
    expect(await bank.names('reading')).to.deep.equal([])
  })

  it('takes a file away before it reads it, so that another of its name is another', async () => {
    const bank = await openFileBank()
    await bank.drop('a.xml', camt054(entryOf({ amount: '1', own: 'A' })))
    const [first] = await collected(bank.adapter)
    await bank.drop('a.xml', camt054(entryOf({ amount: '2', own: 'B' })))
    await first?.accept()
    const [second] = await collected(bank.adapter)
    expect(second?.events.map(({ reference }) => reference)).to.deep.equal(['B'])
    await second?.accept()
    expect(await bank.names('processed')).to.deep.equal(['a.xml', 'a.xml.2'])
  })

  it('does not say that nothing arrived when something may have', async () => {
    const bank = await openFileBank()
    const batch = batchOf('B1', order('A'))
    await bank.adapter.submitBatch(batchOf('B0', order('B')))
    const out = join(bank.folder, 'out')
    await rename(out, `${out}.away`)
    await writeFile(out, '')
    const codeOf = (error: { code: string }) => error.code
    expect(await bank.adapter.submitBatch(batch).catch(codeOf)).to.equal('bank_unreachable')
    await unlink(out)
    await mkdir(join(out, 'B1.xml'), { recursive: true })
    expect(await bank.adapter.submitBatch(batch).catch(codeOf)).to.equal('bank_outcome_unknown')
    await rename(join(out, 'B1.xml'), join(out, 'folder'))
    await bank.adapter.submitBatch(batch)
    expect(await bank.read('out', 'B1.xml')).to.match(/<MsgId>B1</)
    expect(await bank.names('staging')).to.deep.equal([])
  })

  it('that was never set up is noticed at the start', () => {
    const good = configIn('/nowhere')
    const faults = [
      { currencies: ['EUR', 'USD'] },
      { bic: 'abc' },
      { accounts: { ...good.accounts, EUR: { iban: 'NL92ABNA0417164300' } } },
    ]
    for (const fault of faults) expect(() => openBanks([{ ...good, ...fault }])).to.throw()
    expect(openBanks([good]).size).to.equal(1)
  })

  it('overlooks what is no finished file of this folder', async () => {
    const bank = await openFileBank()
    const secret = join(await mkdtemp(join(tmpdir(), 'florin-')), 'secret.xml')
    const text = camt054(entryOf({ amount: '1', own: 'A' }))
    await writeFile(secret, text)
    const place = (name: string) => join(bank.folder, 'in', name)
    await symlink(secret, place('link.xml'))
    await symlink('nowhere', place('broken.xml'))
    await mkdir(place('folder.xml'))
    for (const name of ['a.xml.part', 'a.tmp', '.hidden.xml', 'b.xml.filepart'])
      await writeFile(place(name), text)
    expect(await collected(bank.adapter)).to.deep.equal([])
    await rename(place('a.xml.part'), place('a.xml'))
    expect(await collected(bank.adapter)).to.have.length(1)
    expect((await stat(secret)).isFile()).to.equal(true)
  })

  it('that cannot be read is a bank that cannot be reached', async () => {
    const file = join(await mkdtemp(join(tmpdir(), 'florin-')), 'file')
    await writeFile(file, '')
    const adapter = openBanks([configIn(file)]).get('files')
    if (adapter === undefined) throw new Error('the bank does not open')
    const codes = await Promise.all(
      [
        () => adapter.submitBatch(batchOf('B1', order('A'))),
        () => collected(adapter),
        () => statementOf(adapter),
      ].map((call) => call().catch((error: { code: string }) => error.code)),
    )
    expect(codes).to.deep.equal(Array(3).fill('bank_unreachable'))
  })

  const day = (id: string, opening: string, closing: string, own: string, sequence = id.slice(1)) =>
    camt053(
      statementStart(id, opening, closing, 'EUR', sequence),
      entryOf({ amount: '1', own }),
      '</Stmt>',
    )
  const brief = async (bank: FileBank) =>
    (await statementOf(bank.adapter)).map(({ line, reference }) => `${line} ${reference}`)

  it('keeps statements, and tells all their lines each time, a copy’s only once', async () => {
    const bank = await openFileBank()
    await bank.drop('1.xml', day('S1', '0', '-1', 'A'))
    await bank.drop('bad.xml', day('S9', '0', '5', 'Z'))
    await bank.drop('other.xml', camt054(entryOf({ amount: '1', own: 'A' })))
    expect(await brief(bank)).to.deep.equal(['1 A'])
    const [other, bad, ...more] = await collected(bank.adapter)
    expect([other?.name, bad?.name, more]).to.deep.equal(['other.xml', 'bad.xml', []])
    expect(bad?.fault).to.match(/does not add up/)
    await bad?.reject('bad')
    await bank.drop('1again.xml', day('S1', '0', '-1', 'A'))
    await bank.drop('2.xml', day('S2', '-1', '-2', 'B'))
    expect(await brief(bank)).to.deep.equal(['1 A', '2 B'])
    expect(await bank.names('failed')).to.deep.equal(['bad.xml', 'bad.xml.reason'])
    expect((await collected(bank.adapter)).map(({ name }) => name)).to.deep.equal(['other.xml'])
  })

  it('knows a statement that was made anew, and refuses one that says something else', async () => {
    const bank = await openFileBank()
    const later = (text: string) => text.replace('T18:00:00Z', 'T19:30:00Z')
    await bank.drop('1.xml', day('S1', '0', '-1', 'A'))
    expect(await brief(bank)).to.deep.equal(['1 A'])
    await bank.drop('1anew.xml', later(day('S1x', '0', '-1', 'A', '1')))
    await bank.drop('1other.xml', later(day('S1', '0', '-1', 'B')))
    const uncounted = day('S5', '-2', '-3', 'D', '1').replaceAll('11-27', '11-28')
    await bank.drop('nextday.xml', uncounted)
    await bank.drop('nextyear.xml', day('S1', '-1', '-2', 'C').replaceAll('2026-', '2027-'))
    expect(await brief(bank)).to.deep.equal(['1 A', '2 D', '3 C'])
    const faults = (await collected(bank.adapter)).map(({ name, fault }) => [name, fault])
    expect(faults).to.deep.equal([
      ['1other.xml', 'a statement of this account and number came before, with other contents'],
    ])
  })

  it('refuses what is booked on another account, in news and statements', async () => {
    const bank = await openFileBank()
    const foreign = (text: string) => text.replace(OUR_IBAN, 'DE89370400440532013000')
    const entry = entryOf({ amount: '1', credit: true, reference: 'B1' })
    await bank.drop('a.xml', camt054(entry).replace(OUR_IBAN, 'GB33BUKB20201555555555'))
    await bank.drop('b.xml', foreign(camt054(entry)))
    await bank.drop('c.xml', foreign(day('S1', '0', '-1', 'A')))
    await bank.drop('d.xml', camt054(entry))
    const files = await collected(bank.adapter)
    expect(files.map(({ name, fault, events }) => [name, fault, events.length])).to.deep.equal([
      ['a.xml', 'the account that ends in 5555 is not ours as configured', 0],
      ['b.xml', 'the account that ends in 3000 is not ours in EUR', 0],
      ['d.xml', undefined, 1],
      ['c.xml', 'the account that ends in 3000 is not ours in EUR', 0],
    ])
    expect(await brief(bank)).to.deep.equal([])
  })

  it('tells no statement at all rather than leave one out', async () => {
    const bank = await openFileBank()
    await bank.drop('1.xml', day('S1', '0', '-1', 'A'))
    expect(await brief(bank)).to.deep.equal(['1 A'])
    for (let file = 0; file < 10_000; file += 500) {
      const names = Array.from({ length: 500 }, (_, n) => `old${file + n}.xml`)
      await Promise.all(names.map((one) => writeFile(join(bank.folder, 'statements', one), '')))
    }
    const refusal = await brief(bank).catch((error: { code: string }) => error)
    expect(refusal).to.include({ code: 'bank_not_capable' })
  }).timeout(60_000)
})
