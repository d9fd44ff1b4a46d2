/**
 * Running it: probes, metrics, the OpenAPI document and a page to browse it, from this host alone.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
// Only the package's folder: importing the package would load the whole page into this process.
import swaggerFolder from 'swagger-ui-dist/absolute-path.js'
import { findAccounts } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import type { AnyEndpoint, PublicEndpoint, Reply } from './endpoint.ts'
import { openApiOf } from './openapi.ts'

const OPERATIONS = 'Running it'

/** Asked every few seconds by machines: of no interest when they are answered. */
export const PROBES: ReadonlySet<string> = new Set(['/healthz', '/readyz', '/metrics'])

const HTML = 'text/html; charset=utf-8'
const SCRIPT = 'text/javascript; charset=utf-8'

const PAGE = `<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>Florin API</title>
  <link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
  <div id="api"></div>
  <script src="/docs/swagger-ui-bundle.js"></script>
  <script src="/docs/start.js"></script>
</body>
</html>`

const START = `SwaggerUIBundle({ url: '/openapi.json', dom_id: '#api', deepLinking: true })`

const FILES: Readonly<Record<string, string>> = {
  'swagger-ui.css': 'text/css; charset=utf-8',
  'swagger-ui-bundle.js': SCRIPT,
}

const declared = (
  path: `/${string}`,
  summary: string,
  why: string,
  handle: PublicEndpoint['handle'],
): PublicEndpoint => ({
  ...{ method: 'GET', path, summary, why, tag: OPERATIONS, handle },
  answers: { 200: null },
  refusals: path === '/readyz' ? ['saturated'] : [],
})

/** @param endpoints everything else, for the document. */
export function operationEndpoints(
  endpoints: readonly AnyEndpoint[],
  publicEndpoints: readonly PublicEndpoint[],
): PublicEndpoint[] {
  const probe = 'probes have no token, and the answer says nothing about anybody'
  const published = 'the document is public'
  const ours: PublicEndpoint[] = [
    declared('/healthz', 'Whether the process runs', probe, async () => ok({ status: 'ok' })),
    declared('/readyz', 'Whether it can serve: database, migrations', probe, ready),
    declared('/metrics', 'Prometheus metrics', 'scraped inside the cluster', metrics),
    declared('/openapi.json', 'This document', published, async () => ok(document())),
    declared('/docs', 'A page to browse it', published, async () => ok(PAGE, HTML)),
    declared('/docs/start.js', 'Part of the page', published, async () => ok(START, SCRIPT)),
    declared('/docs/:file', 'Part of the page', published, staticFile),
  ]
  const all = [...publicEndpoints, ...ours.filter((one) => !one.path.startsWith('/docs'))]
  let made: Record<string, unknown> | undefined
  const document = () => (made ??= openApiOf(endpoints, all))
  return ours
}

const ok = (body: unknown, contentType = 'application/json'): Reply => ({
  ...{ status: 200, body, contentType },
})

async function ready({ db }: Context): Promise<Reply> {
  try {
    await findAccounts(db, {}, { limit: 1 })
  } catch {
    throw new ServiceError('saturated', { detail: 'the database does not answer', retryAfter_s: 1 })
  }
  return ok({ status: 'ready' })
}

async function metrics({ metrics }: Context): Promise<Reply> {
  return ok(await metrics.text(), metrics.contentType)
}

async function staticFile(
  _context: Context,
  { params }: { params: Readonly<Record<string, string>> },
): Promise<Reply> {
  const name = params['file'] ?? ''
  const contentType = Object.hasOwn(FILES, name) ? FILES[name] : undefined
  if (contentType === undefined) throw new ServiceError('not_found')
  return ok(await readFile(join(swaggerFolder(), name), 'utf8'), contentType)
}
