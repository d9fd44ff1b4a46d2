/** Names against a list: which are the same, and a list that changes, breaks or does not answer. */
import { mkdtemp, rm, utimes, writeFile } from 'node:fs/promises'
import { createServer, type Server, type ServerResponse } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { openFileList } from '../services/risk/list_file.ts'
import { openHttpList } from '../services/risk/list_http.ts'
import { openListIndex } from '../services/risk/list_index.ts'
import { type ListCheck, ListUnavailable, openLists } from '../services/risk/lists.ts'
import { isSameName, isSameWord, wordsOf } from '../services/risk/names.ts'
import { times, until } from './support/abuse.ts'

/** A name of the list, and one who is, or is not, the same. All are made up. */
const SAME: readonly (readonly [string, string])[] = [
  ['Viktor Petrovich Malenkov', 'Viktor Malenkov'],
  ['Viktor Petrovich Malenkov', 'MALENKOV, Viktor'],
  ['Viktor Petrovich Malenkov', 'Malenkov Viktor Petrovich'],
  ['Viktor Malenkov', 'Victor Malenkov'],
  ['Viktor Malenkov', 'Viktor Malenkow'],
  ['Viktor Malenkov', 'Vitkor Malenkov'],
  ['Viktor Malenkov', 'Viktor Malnkov'],
  ['Viktor Malenkov', 'Viktor  Mallenkov'],
  ['Ōkubo Kenjirō', 'Kenjiro Okubo'],
  ['Søren Ærøgård', 'Soren Aerogard'],
  ['José María Núñez', 'Jose Maria Nunez'],
  ['Jürgen Weiß', 'JURGEN WEISS'],
  ['Abdul-Rahman Al-Hakimi', 'Abdulrahman Alhakimi'],
  ['Abdul-Rahman Al-Hakimi', 'abdul rahman al hakimi'],
  ["Sean O'Dorrigan", 'Sean ODorrigan'],
  ['Red Harbour Trading Co.', 'Red Harbour Trading'],
  ['Zarkhanov', 'Zarkhanov'],
  ['Zarkhanov', 'Zarkanov'],
  ['Виктор Маленков', 'МАЛЕНКОВ Виктор'],
  ['Ｖｉｋｔｏｒ Malenkov', 'Viktor Malenkov'],
]

const OTHER: readonly (readonly [string, string])[] = [
  ['Viktor Malenkov', 'Viktor Malinovsky'],
  ['Viktor Malenkov', 'Viktoria Malenkova'],
  ['Viktor Malenkov', 'Viktor Ivanov'],
  ['Viktor Malenkov', 'Ivan Malenkov'],
  ['Viktor Malenkov', 'Viktor'],
  ['Viktor Malenkov', 'Malenkov'],
  ['Viktor Malenkov', 'Hector Malenkov'],
  ['Zarkhanov', 'Anna Zarkhanov'],
  ['Zarkhanov', 'Zarkovic'],
  ['Li Wei', 'Lu Wei'],
  ['Li Wei', 'Li Wen'],
  ['Kim Sun', 'Kim Son'],
  ['Ali Hassan', 'Ali Hussain'],
  ['Maria Garcia', 'Mario Garza'],
  ['John Smith', 'Joan Smythe'],
  ['Red Harbour Trading Co.', 'Blue Harbour Trading Co.'],
  ['Red Harbour Trading Co.', 'Red Carpet Company'],
  ['Malenkov Malenkov', 'Viktor Malenkov'],
  ['José Núñez', 'José Ibáñez'],
  ['...', 'Viktor Malenkov'],
  ['Viktor Malenkov', '!!!'],
]

describe('a name', () => {
  for (const [listed, name] of SAME) {
    it(`is the same: ${listed}, ${name}`, () => {
      expect(isSameName(wordsOf(listed), wordsOf(name))).to.equal(true)
      expect(isSameName(wordsOf(name), wordsOf(listed))).to.equal(true)
    })
  }

  for (const [listed, name] of OTHER) {
    it(`is another: ${listed}, ${name}`, () => {
      expect(isSameName(wordsOf(listed), wordsOf(name))).to.equal(false)
      expect(isSameName(wordsOf(name), wordsOf(listed))).to.equal(false)
    })
  }

  it('is found in a list of all of them, and no other is found for it', () => {
    const index = openListIndex()
    const listed = [...new Set([...SAME, ...OTHER].map(([one]) => one))]
    for (const one of listed) index.add(one, one)
    for (const [, name] of [...SAME, ...OTHER]) {
      const slowly = listed.filter((one) => isSameName(wordsOf(one), wordsOf(name)))
      expect([...index.entriesOf(name)].sort(), name).to.deep.equal(slowly.sort())
    }
  })

  it('of many like words costs no more than others', () => {
    const many = Array.from({ length: 15 }, () => 'aaaaa').join(' ')
    const began = performance.now()
    expect(isSameName(wordsOf(`${many} bbbbb`), wordsOf(`${many} ccccc`))).to.equal(false)
    expect(performance.now() - began).to.be.lessThan(200)
    expect(wordsOf('x '.repeat(10_000)).length).to.be.lessThan(17)
  })

  it('may have one slip in a long word, and none in a short one', () => {
    expect(isSameWord('anna', 'anna')).to.equal(true)
    expect(isSameWord('hakimi', 'hakim')).to.equal(true)
    expect(isSameWord('hakimi', 'hamiki')).to.equal(false)
    expect(isSameWord('ab', 'ba')).to.equal(false)
    expect(isSameWord('abc', 'abcd')).to.equal(false)
    expect(isSameWord('abcd', 'abdc')).to.equal(true)
    expect(isSameWord('abcd', 'badc')).to.equal(false)
  })
})

/** 'unavailable', or the entries that match. */
const asked = (list: ListCheck, ...names: string[]) =>
  list.check(names).then(
    (matches) => matches.map(({ entry }) => entry),
    (error: unknown) => {
      if (error instanceof ListUnavailable) return 'unavailable'
      throw error
    },
  )

describe('a list in a file', () => {
  let folder: string
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'florin-list-'))
  })
  after(() => rm(folder, { recursive: true, force: true }))

  const log = { error: () => {}, info: () => {} }
  let files = 0
  let clock = Date.now() / 1000
  async function listOf(text: string | undefined, more: object = {}) {
    const file = join(folder, `${(files += 1)}.txt`)
    const write = async (next: string) => {
      await writeFile(file, next)
      clock += 10
      await utimes(file, clock, clock)
    }
    if (text !== undefined) await write(text)
    const bounds = { bytesMax: 10_000, namesMax: 100, lookEvery_ms: 0 }
    return { list: openFileList({ file, log, ...bounds, ...more }), write }
  }

  const line = (id: string, name: string, more: object = {}) =>
    `${JSON.stringify({ id, name, ...more })}\n`
  const TWO = line('a1', 'Viktor Malenkov', { aliases: ['The Tailor'] }) + line('a2', 'Ada Grim')

  it('is read from NDJSON, with its aliases', async () => {
    const { list } = await listOf(TWO)
    expect(await asked(list, 'Malenkov Viktor')).to.deep.equal(['a1'])
    expect(await asked(list, 'the tailor')).to.deep.equal(['a1'])
    expect(await asked(list, 'Ben Stone')).to.deep.equal([])
    expect(await asked(list, 'Ben Stone', 'Ada Grim')).to.deep.equal(['a2'])
    expect(list.isFailing()).to.equal(false)
  })

  it('is read from CSV, quoted or not', async () => {
    const csv =
      'Name,Aliases,Id,Country\r\n"Malenkov, Viktor","The Tailor;Vic ""V"" Malen",a1,RU\r\n' +
      'Ada Grim,,a2,\r\n'
    const { list } = await listOf(csv)
    expect(await asked(list, 'Viktor Malenkov')).to.deep.equal(['a1'])
    expect(await asked(list, 'The Tailor')).to.deep.equal(['a1'])
    expect(await asked(list, 'Vic V Malen')).to.deep.equal(['a1'])
    expect(await asked(list, 'Ada Grim')).to.deep.equal(['a2'])
    expect(await asked(list, 'Name')).to.deep.equal([])
  })

  it('is read again when the file has changed', async () => {
    const { list, write } = await listOf(TWO)
    expect(await asked(list, 'Eve Black')).to.deep.equal([])
    await write(line('a3', 'Eve Black'))
    await until(async () => (await asked(list, 'Eve Black')).length === 1)
    expect(await asked(list, 'Viktor Malenkov')).to.deep.equal([])
  })

  const BROKEN: Readonly<Record<string, string>> = {
    empty: '',
    'cut off': TWO.slice(0, -5),
    'of other things': '{"id":"a1"}\n',
    'of bytes that are no text': 'name,id\nAda,\u0000"x',
    'too long': line('a1', 'x'.repeat(20_000)),
    'of too many names': Array.from({ length: 101 }, (_, id) => line(`${id}`, `Ada ${id}`)).join(
      '',
    ),
    'CSV with a row cut off': 'name,aliases,id\nAda Grim,,a2\nEve',
  }
  for (const [fault, text] of Object.entries(BROKEN)) {
    it(`that is ${fault} is unavailable, and keeps what was read before`, async () => {
      const { list } = await listOf(text)
      expect(await asked(list, 'Viktor Malenkov')).to.equal('unavailable')
      expect(list.isFailing()).to.equal(true)
      const other = await listOf(TWO)
      expect(await asked(other.list, 'Viktor Malenkov')).to.deep.equal(['a1'])
      await other.write(text)
      await until(async () => {
        await asked(other.list, 'Ben Stone')
        return other.list.isFailing()
      })
      expect(await asked(other.list, 'Viktor Malenkov')).to.deep.equal(['a1'])
      await other.write(TWO)
      await until(async () => {
        await asked(other.list, 'Ben Stone')
        return !other.list.isFailing()
      })
    })
  }

  it('that is not there yet is unavailable until it is', async () => {
    const { list, write } = await listOf(undefined)
    expect(await asked(list, 'Ada Grim')).to.equal('unavailable')
    await write(TWO)
    await until(async () => (await asked(list, 'Ada Grim')) !== 'unavailable')
    expect(await asked(list, 'Ada Grim')).to.deep.equal(['a2'])
  })

  it('of many names answers at once', async () => {
    const names = Array.from({ length: 20_000 }, (_, id) =>
      line(`${id}`, `Mohammed Number${id} Ali`, { aliases: [`Alias${id} Other${id}`] }),
    )
    const { list } = await listOf(names.join(''), { bytesMax: 1e7, namesMax: 40_000 })
    expect(await asked(list, 'Number777 Ali Mohammed')).to.include('777')
    const began = performance.now()
    for (const at of times(50, (index) => index)) await asked(list, `Mohammed Alina ${at}`)
    expect((performance.now() - began) / 50).to.be.lessThan(100)
  })
})

describe('a list at somebody else’s', () => {
  let server: Server
  let url: string
  let answer: (response: ServerResponse, names: string[]) => void
  before(async () => {
    server = createServer((request, response) => {
      let text = ''
      request.on('data', (part) => (text += part))
      request.on('end', () => answer(response, JSON.parse(text).names))
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/check`
  })
  after(() => {
    server.closeAllConnections()
    server.close()
  })

  const open = () => openHttpList({ url, timeout_ms: 200 })
  const matching = (response: ServerResponse, names: string[]) =>
    response.end(JSON.stringify({ matches: names.includes('Ada Grim') ? [{ id: 'a2' }] : [] }))

  it('is asked by name', async () => {
    answer = matching
    const list = open()
    expect(await asked(list, 'Ada Grim')).to.deep.equal(['a2'])
    expect(await asked(list, 'Ben Stone')).to.deep.equal([])
    expect(list.isFailing()).to.equal(false)
  })

  const FAULTS: Readonly<Record<string, (response: ServerResponse) => void>> = {
    'does not answer in time': () => {},
    'is in error': (response) => response.writeHead(500).end('{"matches":[]}'),
    'sends us elsewhere': (response) => response.writeHead(302, { location: url }).end(),
    'answers something else': (response) => response.end('{"ok":true}'),
    'answers no JSON': (response) => response.end('<html>'),
    'answers too much': (response) => response.end(`{"matches":[]}${' '.repeat(100_000)}`),
    'hangs up': (response) => response.destroy(),
  }
  for (const [fault, fail] of Object.entries(FAULTS)) {
    it(`that ${fault} is unavailable, and says nothing about the name`, async () => {
      answer = fail
      const list = open()
      expect(await asked(list, 'Ben Stone')).to.equal('unavailable')
      expect(list.isFailing()).to.equal(true)
      // For a moment nobody else waits for it.
      const began = performance.now()
      expect(await asked(list, 'Ben Stone')).to.equal('unavailable')
      expect(performance.now() - began).to.be.lessThan(100)
    })
  }
})

describe('several lists', () => {
  const saying = (said: readonly string[] | 'unavailable'): ListCheck => ({
    check: async () => {
      if (said === 'unavailable') throw new ListUnavailable('a test')
      return said.map((entry) => ({ entry }))
    },
    isFailing: () => said === 'unavailable',
  })

  it('match where one does, and are unavailable where one is and none matches', async () => {
    const of = (...all: (readonly string[] | 'unavailable')[]) =>
      asked(openLists(all.map(saying)), 'Ada Grim')
    expect(await of()).to.equal('unavailable')
    expect(await of([], ['b'])).to.deep.equal(['b'])
    expect(await of([], [])).to.deep.equal([])
    expect(await of([], 'unavailable')).to.equal('unavailable')
    expect(await of(['a'], 'unavailable')).to.deep.equal(['a'])
    expect(openLists([saying([]), saying('unavailable')]).isFailing()).to.equal(true)
  })
})
