/** The hook that installs the dependencies before `npm start` and `npm test`. */
import { expect } from 'chai'
import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const HOOK = 'services/local/install.mjs'
const KOA = { 'node_modules/koa': { version: '3.3.0' } }
const CHAI = { 'node_modules/chai': { version: '6.3.0', dev: true } }
const OTHER_PLATFORM = { 'node_modules/esbuild-for-mars': { version: '1.0.0', optional: true } }

const scratch = mkdtempSync(join(tmpdir(), 'florin-'))
let projects = 0

/** A project whose npm says how it was called, and does as `npmStatus` says. */
function newProject(installed: object, npmStatus = 0): string {
  projects += 1
  const root = join(scratch, `${projects}`)
  mkdirSync(join(root, 'services/local'), { recursive: true })
  mkdirSync(join(root, 'node_modules'))
  copyFileSync(new URL(`../${HOOK}`, import.meta.url), join(root, HOOK))
  const write = (path: string, content: string) => writeFileSync(join(root, path), content)
  const locked = { '': { name: 'florin' }, ...KOA, ...CHAI, ...OTHER_PLATFORM }
  write('package-lock.json', JSON.stringify({ packages: locked }))
  write('node_modules/.package-lock.json', JSON.stringify({ packages: installed }))
  write('npm-cli.js', `console.log(process.argv.slice(2, 5).join(' ')); process.exit(${npmStatus})`)
  return root
}

/** Runs the hook as npm does; answers its exit code and the lines of stderr. */
function runHook(root: string, event: string, flags: readonly string[] = []) {
  const env = {
    PATH: '/usr/bin:/bin',
    npm_execpath: join(root, 'npm-cli.js'),
    npm_lifecycle_event: event,
  }
  const { status, stdout, stderr } = spawnSync(process.execPath, [...flags, join(root, HOOK)], {
    env,
    encoding: 'utf8',
  })
  expect(stdout).to.equal('')
  return { status, lines: stderr.split('\n').slice(0, -1) }
}

const QUIET = { status: 0, lines: [] }
const INSTALLED = {
  status: 0,
  lines: ['installing dependencies (once) ...', 'ci --include=dev --ignore-scripts'],
}
const isStamped = (root: string) => existsSync(join(root, 'node_modules/.install-stamp'))

describe('the install hook', function () {
  this.timeout(20_000)
  after(() => rmSync(scratch, { recursive: true }))

  it('installs once, and again when the lock has changed', () => {
    const root = newProject({})
    expect(runHook(root, 'prestart')).to.deep.equal(INSTALLED)
    expect(runHook(root, 'pretest')).to.deep.equal(QUIET)
    writeFileSync(join(root, 'package-lock.json'), JSON.stringify({ packages: { ...KOA } }))
    expect(runHook(root, 'prestart')).to.deep.equal(INSTALLED)
  })

  it('accepts what was installed by hand, if it is all there', () => {
    const whole = newProject({ ...KOA, ...CHAI })
    expect(runHook(whole, 'prestart')).to.deep.equal(QUIET)
    expect(isStamped(whole)).to.equal(true)
    const outdated = newProject({ ...CHAI, 'node_modules/koa': { version: '3.2.0' } })
    expect(runHook(outdated, 'prestart')).to.deep.equal(INSTALLED)
  })

  it('installs the development packages too: npm start needs some of them', () => {
    for (const event of ['prestart', 'pretest']) {
      expect(runHook(newProject(KOA), event)).to.deep.equal(INSTALLED)
    }
  })

  it('passes on that npm failed, and tries again the next time', () => {
    const root = newProject({}, 7)
    const { status, lines } = runHook(root, 'prestart')
    expect(status).to.equal(7)
    expect(lines.at(-1)).to.equal('the dependencies could not be installed: npm ci ended with 7')
    expect(isStamped(root)).to.equal(false)
  })

  it('refuses a Node that is too old, in one line', () => {
    const old = `data:text/javascript,Object.defineProperty(process, 'versions', {
      value: { ...process.versions, node: '20.18.1' } })`
    const { status, lines } = runHook(newProject({}), 'prestart', ['--import', old])
    expect(status).to.equal(1)
    expect(lines).to.deep.equal(['Florin needs Node 20.19 or newer; this is Node 20.18.1'])
  })
})
