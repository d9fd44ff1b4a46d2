/** Everybody's tokens, each asked for again before it is over. */
import { setInterval as every } from 'node:timers'
import type { Payer } from '../../bench/payments.ts'

const AGAIN_MS = 100_000
const AT_ONCE = 10

export async function openTokens(people: readonly Payer[], url: string) {
  const known = new Map(people.map(({ alias, token }) => [alias, token]))
  const renew = async (alias: string) => {
    const body = JSON.stringify({ sub: alias, scope: 'person' })
    const response = await fetch(url, { method: 'POST', body })
    const { access_token: token } = (await response.json()) as { access_token: string }
    known.set(alias, token)
  }
  const renewAll = async () => {
    for (let next = 0; next < people.length; next += AT_ONCE) {
      await Promise.all(people.slice(next, next + AT_ONCE).map(({ alias }) => renew(alias)))
    }
  }
  await renewAll()
  // Whoever has an old one is refused, and the run fails by that.
  every(() => void renewAll().catch(() => {}), AGAIN_MS).unref()
  return { of: ({ alias, token }: Payer) => known.get(alias) ?? token }
}
