import type Koa from 'koa'
import type { WebhookEvent } from './webhook.js'

export function receiver(
  secrets: readonly string[],
  handle: (event: WebhookEvent) => Promise<void>,
  seen: { readonly add: (id: string) => Promise<boolean> },
): Koa
