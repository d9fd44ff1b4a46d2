export interface WebhookEvent {
  readonly id: string
  readonly type: string
  readonly object: string
  readonly version: number
  readonly data: unknown
  readonly created_at: string
}

export function verifyWebhook(
  body: Uint8Array | string,
  headers: Record<string, string | string[] | undefined>,
  secrets: readonly string[],
  now_s?: number,
): Promise<WebhookEvent>
