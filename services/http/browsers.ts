/** What browsers are told not to do with our answers. It is the same for every answer. */
import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import type Koa from 'koa'
import helmet from 'koa-helmet'

/** Helmet's headers, which it is asked for once: it would think of all of them at every request. */
export function browserHeaders(): Readonly<Record<string, string>> {
  const response = new ServerResponse(new IncomingMessage(new Socket()))
  const write = helmet({ contentSecurityPolicy: { directives: { 'script-src': ["'self'"] } } })
  void write({ req: response.req, res: response } as Koa.Context, async () => {})
  const headers = response.getHeaders() as Record<string, string>
  if (Object.keys(headers).length === 0) throw new Error('helmet has nothing to say')
  return headers
}
