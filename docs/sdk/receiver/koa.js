/** A receiver with Koa: reads the raw body itself, before any parser has eaten it. */
import Koa from 'koa'
import { verifyWebhook } from './webhook.js'

const BODY_BYTES_MAX = 256 * 1024

/**
 * @param {string[]} secrets of the endpoint
 * @param {(event: object) => Promise<void>} handle is called once for each event
 * @param {{ add: (id: string) => Promise<boolean> }} seen says whether an id is new, and keeps it
 */
export function receiver(secrets, handle, seen) {
  const app = new Koa()
  app.use(async (ctx) => {
    const body = await rawBody(ctx.req)
    let event
    try {
      event = await verifyWebhook(body, ctx.headers, secrets)
    } catch {
      ctx.status = 401
      return
    }
    // Keep the id in the transaction in which you do what the event asks for.
    if (await seen.add(event.id)) await handle(event)
    ctx.status = 204
  })
  return app
}

async function rawBody(request) {
  const chunks = []
  let bytes = 0
  for await (const chunk of request) {
    bytes += chunk.length
    if (bytes > BODY_BYTES_MAX) throw new Error('the body is too large')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
