/** What every answer must be like, whatever was asked. */
import type { Bad } from './requests.ts'
import type { Answered } from './wire.ts'

/** Changes nothing, whatever it answers. */
const ONLY_COMPUTES: ReadonlySet<string> = new Set(['POST /v1/fee_quotes'])

/** What may be read of somebody else's, and why. */
const READ_BY_OTHERS: Readonly<Record<string, string>> = {
  'GET /v1/orders/{id}': 'whoever is shown an order may pay it',
  'GET /v1/orders/{id}/qr': 'whoever is shown an order may pay it',
}

/** Words that are only about our inside. */
const INSIDE = /node_modules|\.ts\b|at \w+ \(|\bSELECT\b|\bINSERT\b|violates|ECONN|pg_/

/** @returns what is wrong with the answer; undefined when nothing is. */
export function wrongWith({ kind, operation, raw, method }: Bad, answer: Answered) {
  const { status, type, text } = answer
  const documented = operation.responses.get(status)
  if (documented === undefined) return `an undocumented ${status}`
  if (status === 500) return 'an internal error'
  if (status < 400) return wrongAnswer({ kind, operation, method }, raw !== undefined)
  if (type !== 'application/problem+json') return `a problem as ${type}`
  if (INSIDE.test(text)) return 'words about our inside'
  const code = codeOf(text)
  if (!documented.split(', ').includes(code)) return `an undocumented ${status} ${code}`
  return undefined
}

function wrongAnswer(
  { kind, operation, method }: Pick<Bad, 'kind' | 'operation' | 'method'>,
  isRaw: boolean,
): string | undefined {
  if (kind === 'token') return 'an answer to a stranger'
  if (kind === 'callback') return 'a callback that was believed'
  if (method !== 'GET' && kind !== 'allowed' && !ONLY_COMPUTES.has(operation.name)) {
    return `an acceptance${isRaw ? ' of what is no HTTP' : ''}`
  }
  const isTheirs = kind === 'owner' && operation.parameters.some((one) => one.in === 'path')
  return isTheirs && READ_BY_OTHERS[operation.name] === undefined && !PUBLIC.has(operation.name)
    ? 'a look at what is somebody else’s'
    : undefined
}

/** Names nobody's property. */
const PUBLIC: ReadonlySet<string> = new Set([
  'GET /v1/payees/{alias}',
  'GET /v1/ledger/checkpoints/{number}/consistency',
])

export function codeOf(text: string): string {
  try {
    return String((JSON.parse(text) as { readonly code?: unknown }).code)
  } catch {
    return 'none'
  }
}

const SHOWN_MAX = 600

/** A request as somebody can send it again, and what was wrong. */
export function shown(bad: Bad, wrong: string, answer?: Answered): string {
  const { kind, method, target, headers, body, raw } = bad
  const said = answer === undefined ? '' : `\n    -> ${answer.status} ${answer.text.slice(0, 300)}`
  const visible = headers.map(([name, value]) =>
    name === 'authorization' && kind !== 'token' ? name : `${name}: ${value.slice(0, 80)}`,
  )
  const written =
    raw === undefined ? `${visible.join(', ')}\n    ${body?.toString('utf8') ?? ''}` : raw
  return `  ${wrong} (${kind}): ${method} ${target}\n    ${written.slice(0, SHOWN_MAX)}${said}`
}
