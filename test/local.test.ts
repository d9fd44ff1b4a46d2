/** What `npm start` runs on: the local Postgres and the child processes. */
import { expect } from 'chai'
import { spawn, spawnSync } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import * as fs from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { Client } from 'pg'
import { deathPact } from '../services/local/account.ts'
import { startPostgres } from '../services/local/postgres.ts'
import type { LocalPostgres } from '../services/local/postgres.ts'
import { restartDelay, startChild } from '../services/local/processes.ts'
import type { Child, ChildOptions } from '../services/local/processes.ts'
import { serversOn } from '../services/local/recover.ts'
import { isAlive, sendSignal } from '../services/local/signals.ts'

const LOCAL = new URL('../services/local/', import.meta.url)
const ENVIRONMENT = { PATH: '/usr/bin:/bin' }
const scratch = fs.mkdtempSync(join(fs.existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'florin-'))
const servers: LocalPostgres[] = []
const children: Child[] = []
const parents: ChildProcess[] = []
let folders = 0

/** The name of a data folder that does not exist yet, in a folder of its own. */
function newFolder(): string {
  folders += 1
  return join(scratch, `${folders}`, 'data')
}

async function start(dataDir: string, options = {}): Promise<LocalPostgres> {
  const server = await startPostgres({ dataDir, durable: false, ...options })
  servers.push(server)
  return server
}

async function query(server: LocalPostgres, sql: string): Promise<unknown[]> {
  const client = new Client({ connectionString: server.url('postgres', 'postgres') })
  await client.connect()
  const { rows } = await client.query<Record<string, unknown>>(sql)
  await client.end()
  return rows
}

/** The message of the error, which must be one line; fails if there is none. */
async function refusal(promise: Promise<unknown>): Promise<string> {
  const message = await promise.then(
    () => 'no error',
    (error: Error) => error.message,
  )
  expect(message).not.to.match(/\n|^no error$/)
  return message
}

/** Waits until it is so; fails after half a minute. */
async function until(what: string, isSo: () => boolean): Promise<void> {
  for (let waited_ms = 0; !isSo(); waited_ms += 20) {
    if (waited_ms > 30_000) throw new Error(`waited in vain: ${what}`)
    await sleep(20)
  }
}

/** Runs the code, which may import from services/local, in a Node of its own. */
function spawnNode(code: string): ChildProcess {
  const loader = [
    '--import',
    pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href,
    '--input-type=module',
  ]
  const parent = spawn(process.execPath, [...loader, '--eval', code], { stdio: 'ignore' })
  parents.push(parent)
  return parent
}

async function kill(parent: ChildProcess): Promise<void> {
  parent.kill('SIGKILL')
  await once(parent, 'exit')
}

/** Starts the server, writes its pid into the report, and stays. */
const startCode = (dataDir: string, report = `${dataDir}.report`) => `
  import { renameSync, writeFileSync } from 'node:fs'
  import { startPostgres } from '${new URL('postgres.ts', LOCAL).href}'
  const { pid } = await startPostgres({ dataDir: '${dataDir}', durable: false })
  fs.writeFileSync('${report}.draft', String(pid))
  renameSync('${report}.draft', '${report}')
  setInterval(() => {}, 1000)`

after(async () => {
  for (const parent of parents) parent.kill('SIGKILL')
  await Promise.all([...servers, ...children].map((running) => running.stop()))
  fs.rmSync(scratch, { recursive: true, force: true, maxRetries: 5 })
})

describe('the local Postgres', function () {
  this.timeout(30_000)

  it('starts on a new folder, and leaves no process when it is stopped', async () => {
    const folder = newFolder()
    const server = await start(folder, { settings: { work_mem: '5MB' } })
    const [row] = await query(
      server,
      `SELECT current_setting('work_mem') AS work_mem,
      current_setting('fsync') AS fsync, current_setting('listen_addresses') AS network,
      upper('é') AS upper`,
    )
    expect(row).to.deep.equal({ work_mem: '5MB', fsync: 'off', network: '', upper: 'É' })
    await server.stop()
    expect(serversOn(folder)).to.deep.equal([])
    expect(fs.readdirSync(dirname(folder)).sort()).to.deep.equal(['data', 'postgres.log'])
  })

  it('has its data again after it was killed', async () => {
    const folder = newFolder()
    const killed = await start(folder, { durable: true })
    await query(killed, 'CREATE TABLE kept AS SELECT 7 AS value')
    sendSignal(killed.pid, 'SIGKILL')
    expect(await killed.exited).to.match(/^Postgres ended by SIGKILL/)
    const server = await start(folder, { durable: true })
    expect(server.pid).not.to.equal(killed.pid)
    expect(await query(server, 'SELECT value FROM kept')).to.deep.equal([{ value: 7 }])
    await server.stop()
  })

  it('starts over the lock of a pid that now belongs to another process', async () => {
    const folder = newFolder()
    await (await start(folder)).stop()
    fs.writeFileSync(join(folder, 'postmaster.pid'), `${process.ppid}\n${folder}\n1\n5432\n`)
    fs.writeFileSync(join(folder, '.s.PGSQL.5432.lock'), '')
    await (await start(folder)).stop()
  })

  it('is shared by a second start, and ends with the first', async () => {
    const folder = newFolder()
    const first = await start(folder)
    const second = await start(folder)
    expect(second.pid).to.equal(first.pid)
    expect(second.url('a', 'b')).to.equal(first.url('a', 'b'))
    await second.stop()
    expect(await query(first, 'SELECT 1 AS one')).to.deep.equal([{ one: 1 }])
    await first.stop()
    expect(serversOn(folder)).to.deep.equal([])
  })

  it('is shared by two processes that start it at the same time', async () => {
    const folder = newFolder()
    const reports = [1, 2].map((each) => join(scratch, `${folders}`, `report-${each}`))
    const others = reports.map((report) => spawnNode(startCode(folder, report)))
    await until('both', () => reports.every((report) => fs.existsSync(report)))
    const [first, second] = reports.map((report) => fs.readFileSync(report, 'utf8'))
    expect(first).to.match(/^\d+$/).and.to.equal(second)
    await Promise.all(others.map(kill))
    // Where the system does not end it with them, the next start becomes its owner.
    await (await start(folder)).stop()
  })

  it('leaves nothing half made when the first start is killed', async () => {
    const folder = newFolder()
    const siblings = () => (fs.existsSync(dirname(folder)) ? fs.readdirSync(dirname(folder)) : [])
    const parent = spawnNode(startCode(folder))
    await until('a draft', () => siblings().some((name) => name.includes('.init-')))
    await kill(parent)
    expect(fs.existsSync(folder)).to.equal(false)
    await (await start(folder)).stop()
    expect(siblings().filter((name) => name.includes('.init-'))).to.deep.equal([])
  })

  it('ends soon after the process that started it is killed', async function () {
    if (deathPact().length === 0) this.skip()
    const folder = newFolder()
    const parent = spawnNode(startCode(folder))
    await until('the server', () => fs.existsSync(`${folder}.report`))
    expect(serversOn(folder)).not.to.deep.equal([])
    await kill(parent)
    await until('its end', () => serversOn(folder).length === 0)
  })

  it('keeps its socket in a short, closed folder when the path of the data is long', async () => {
    const folder = join(dirname(newFolder()), 'deep'.repeat(30), 'data')
    const server = await start(folder)
    expect(await query(server, 'SELECT 1 AS one')).to.deep.equal([{ one: 1 }])
    const socketDir = new URL(server.url('a', 'b').replace('@', '@host')).searchParams.get('host')
    expect(fs.statSync(socketDir ?? '').mode & 0o777).to.equal(0o700)
    await server.stop()
    fs.rmSync(socketDir ?? '', { recursive: true })
  })

  it('says in one line why it does not start', async () => {
    const folder = newFolder()
    const wrong = await refusal(start(folder, { settings: { max_connections: 'many' } }))
    expect(wrong).to.match(/FATAL: .*"max_connections": "many".*postgres\.log.*DATABASE_URL/)
    fs.writeFileSync(join(dirname(folder), 'file'), '')
    const inFile = await refusal(start(join(dirname(folder), 'file', 'data')))
    expect(inFile).to.match(/^the data folder .* cannot be written: a file has that name$/)
    const foreign = dirname(folder)
    expect(await refusal(start(foreign))).to.match(/holds files that are not of Postgres$/)
    expect(fs.readdirSync(foreign).sort()).to.deep.equal(['data', 'file', 'postgres.log'])
  })
})

/** Writes the script into a folder of its own; what it writes and what we hear is in `heard`. */
function childOf(file: string, code: string, more: Partial<ChildOptions> = {}) {
  const folder = dirname(newFolder())
  fs.mkdirSync(folder)
  fs.writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  fs.writeFileSync(join(folder, file), code)
  const heard: string[] = []
  const options: ChildOptions = {
    name: 'clerk',
    script: pathToFileURL(join(folder, file)),
    env: ENVIRONMENT,
    logFile: join(folder, 'clerk.log'),
    onRestart: (reason) => heard.push(reason),
    onGiveUp: (reason) => heard.push(reason),
    ...more,
  }
  return { options, heard, log: () => fs.readFileSync(options.logFile, 'utf8') }
}

async function run(options: ChildOptions): Promise<Child> {
  const child = await startChild(options)
  children.push(child)
  return child
}

describe('a child process', function () {
  this.timeout(30_000)

  const LOYAL = `import { stopWithParent } from '${fileURLToPath(new URL('processes.ts', LOCAL))}'
    const pid: number = process.pid
    process.stdout.write(pid + '\\n')
    const working = setInterval(() => {}, 1000)
    const stop = () => clearInterval(working)
    process.once('SIGTERM', stop)
    stopWithParent(stop)
    process.send?.('ready')`

  it('is restarted when it is killed, and ends when it is told to', async () => {
    const { options, heard, log } = childOf('loyal.ts', LOYAL)
    const child = await run(options)
    const killed = Number.parseInt(log(), 10)
    sendSignal(killed, 'SIGKILL')
    await until('a second pid', () => log().split('\n').length > 2)
    expect(heard).to.deep.equal(['clerk ended by SIGKILL; restarting'])
    const pid = Number.parseInt(log().split('\n')[1] ?? '', 10)
    expect(isAlive(pid)).to.equal(true)
    await child.stop()
    expect(isAlive(pid)).to.equal(false)
    expect(heard).to.have.lengthOf(1)
  })

  it('ends when its parent is killed', async () => {
    const { options, log } = childOf('loyal.ts', LOYAL)
    const parent = spawnNode(`import { startChild } from '${new URL('processes.ts', LOCAL).href}'
      await startChild({ ...${JSON.stringify(options)}, script: new URL('${options.script.href}') })
      process.kill(process.pid, 'SIGKILL')`)
    await once(parent, 'exit')
    const pid = Number.parseInt(log(), 10)
    const command = () => spawnSync('ps', ['-p', `${pid}`, '-o', 'stat=']).stdout.toString()
    await until('its end', () => /^$|^Z/.test(command()))
  })

  it('is not started when it ends at once, and its last words are passed on', async () => {
    const broken = childOf('broken.js', `throw new TypeError('no money')`)
    expect(await refusal(run(broken.options))).to.equal(
      'clerk did not start; it ended with code 1: TypeError: no money',
    )
    expect(broken.heard).to.deep.equal([])
  })

  it('is given up when it keeps on ending', async () => {
    const code = `process.stdout.write('again\\n')
      process.send('ready', () => process.exit(3))`
    const { options, heard, log } = childOf('weary.js', code, { restartsMax: 2 })
    const child = await run(options)
    await until('the end', () => heard.length === 3)
    const [first, , last] = heard
    expect(first).to.equal('clerk ended with code 3: again; restarting')
    expect(last).to.equal('clerk ended with code 3: again; giving up')
    await child.stop()
    expect(log()).to.equal('again\n'.repeat(3))
  })

  it('is restarted later and later, but not more than ten times a minute', () => {
    const delays = [0, 1, 4, 5, 9].map((count) => restartDelay(Array(count).fill(0), 1000))
    expect(delays).to.deep.equal([200, 400, 3200, 5000, 5000])
    expect(restartDelay(Array(10).fill(0), 59_999)).to.equal(undefined)
    expect(restartDelay(Array(10).fill(0), 60_000)).to.equal(200)
  })
})
