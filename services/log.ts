/** The log: one JSON object a line, and nothing in it that could move money or names somebody. */
import { type DestinationStream, type Logger, type LoggerOptions, pino } from 'pino'

/** Keys by which such things go, in lower case and without `_` and `-`, wherever they are. */
const REDACTED = new RegExp(
  `^(?:${[
    ...['authorization', 'dpop', 'cookie', 'setcookie', 'proof', 'approval', 'approvalproof'],
    ...['pin', 'currentpin', 'newpin', 'otp', 'totp', 'code', 'codes', 'recoverycode', 'seed'],
    ...['recoverycodes', 'jwe', 'jws', 'jwt', 'key', 'keys', 'datakeys', 'assertion', 'pepper'],
    ...['number', 'accountnumber', 'iban', 'account', 'holder', 'note', 'alias', 'subject', 'sub'],
    ...['name', 'displayname', 'body', 'bindings', 'parameters', 'detail'],
  ].join('|')})$|(?:secret|token|password|passphrase|apikey|privatekey|jwe|otp|pin|assertion)s?$`,
)
const CENSOR = '[redacted]'

/** Deeper than anything of ours; what is below is left out whole. */
const DEPTH_MAX = 8
const ELEMENTS_MAX = 50

export function openLog(
  { level, name }: { readonly level: string; readonly name: string },
  destination?: DestinationStream,
): Logger {
  const options: LoggerOptions = {
    ...{ name, level, timestamp: pino.stdTimeFunctions.isoTime },
    serializers: { err: (clean: unknown) => clean },
    hooks: {
      // Before pino sees it: it would take an error's own words for the message.
      logMethod([given, ...more], method) {
        const clean = redacted(given instanceof Error ? { err: given } : given, 0)
        method.apply(this, [clean, ...more] as Parameters<typeof method>)
      },
    },
  }
  return destination === undefined ? pino(options) : pino(options, destination)
}

function redacted(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Error) return errorOut(value)
  if (value instanceof Date) return value
  if (ArrayBuffer.isView(value) || depth >= DEPTH_MAX) return CENSOR
  if (Array.isArray(value)) {
    return value.slice(0, ELEMENTS_MAX).map((element) => redacted(element, depth + 1))
  }
  const entries = Object.entries(value).slice(0, ELEMENTS_MAX)
  return Object.fromEntries(
    entries.map(([key, one]) => [key, isSecret(key) ? CENSOR : redacted(one, depth + 1)]),
  )
}

const isSecret = (key: string) => REDACTED.test(key.toLowerCase().replaceAll(/[_-]/g, ''))

/** What of an error is said: never what Postgres says of the row, nor what a library hung on it. */
interface ErrorFacts {
  readonly code?: unknown
  readonly severity?: unknown
  readonly constraint?: unknown
  readonly table?: unknown
  readonly cause?: unknown
}

function errorOut(error: Error, depth = 0): unknown {
  const { code, severity, constraint, table, cause } = error as ErrorFacts
  const isOfDatabase = typeof severity === 'string'
  // Postgres quotes the value that it could not read.
  const said = (text: string) => (isOfDatabase ? text.replaceAll(/: ".*"/gs, ': "…"') : text)
  return {
    ...{ type: error.constructor.name, message: said(error.message) },
    stack: said(error.stack ?? ''),
    ...Object.fromEntries(
      Object.entries({ code, severity, constraint, table }).filter(([, one]) => one !== undefined),
    ),
    ...(cause instanceof Error && depth < DEPTH_MAX && { cause: errorOut(cause, depth + 1) }),
  }
}
