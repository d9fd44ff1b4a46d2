/**
 * Makes `npm start` and `npm test` work on a fresh clone. Runs before anything is installed, and so
 * imports nothing but Node. Costs a few milliseconds when there is nothing to do.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { accessSync, constants, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const NODE_MIN = [20, 19]
const REASONS = { EROFS: 'read-only file system', EACCES: 'permission denied' }

const root = fileURLToPath(new URL('../../', import.meta.url))
const lockFile = join(root, 'package-lock.json')
const modules = join(root, 'node_modules')
const stampFile = join(modules, '.install-stamp')

function refuse(line, status = 1) {
  process.stderr.write(`${line}\n`)
  process.exit(status)
}

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map((part) => Number.parseInt(part, 10))
  if (major > NODE_MIN[0] || (major === NODE_MIN[0] && minor >= NODE_MIN[1])) return
  refuse(`Florin needs Node ${NODE_MIN.join('.')} or newer; this is Node ${process.versions.node}`)
}

/** Native packages differ by platform and by Node, even on one disk. */
const runtime = `${process.version} ${process.platform} ${process.arch}`

function lockHash() {
  if (!existsSync(lockFile)) refuse(`${lockFile} is missing; restore it from version control`)
  return createHash('sha256').update(readFileSync(lockFile)).digest('hex')
}

/** Whether somebody's own npm install left all that the lock asks for. npm writes its copy last. */
function isComplete() {
  const installedFile = join(modules, '.package-lock.json')
  if (!existsSync(installedFile)) return false
  const { packages: installed } = JSON.parse(readFileSync(installedFile, 'utf8'))
  const { packages: locked } = JSON.parse(readFileSync(lockFile, 'utf8'))
  return Object.entries(locked)
    .filter(([path, entry]) => path !== '' && !entry.optional && !entry.devOptional)
    .every(
      ([path, { version }]) => installed[path] !== undefined && installed[path].version === version,
    )
}

/** Without the stamp the next start compares again, so an image installed by root still starts. */
function writeStamp(stamp) {
  try {
    writeFileSync(stampFile, stamp)
  } catch (error) {
    if (REASONS[error.code] === undefined) throw error
  }
}

function install() {
  const folder = existsSync(modules) ? modules : root
  try {
    accessSync(folder, constants.W_OK)
  } catch (error) {
    const reason = REASONS[error.code] ?? error.message
    refuse(`dependencies are missing and ${folder} cannot be written: ${reason}`)
  }
  process.stderr.write('installing dependencies (once) ...\n')
  // Other package managers set the variable too, and know no `npm ci`.
  const runner = process.env.npm_execpath ?? ''
  const npm = basename(runner).startsWith('npm') ? [process.execPath, runner] : ['npm']
  // Nothing that we install has to run to be installed, and so nothing does.
  const flags = ['--include=dev', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
  const [command, ...args] = [...npm, 'ci', ...flags]
  const { error, status, signal } = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2] })
  if (error) refuse(`the dependencies could not be installed: ${error.message}`)
  if (signal) refuse(`the dependencies could not be installed: npm ci was ended by ${signal}`)
  if (status !== 0)
    refuse(`the dependencies could not be installed: npm ci ended with ${status}`, status)
}

checkNode()
const stamp = `${lockHash()} ${runtime}`
const found = existsSync(stampFile) ? readFileSync(stampFile, 'utf8') : ''
if (found !== stamp) {
  const isSameRuntime = found === '' || found.endsWith(` ${runtime}`)
  if (!isSameRuntime || !isComplete()) install()
  writeStamp(stamp)
}
