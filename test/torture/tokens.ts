/** The tokens of everybody in a town, as an identity provider issues them. */

export interface Tokens {
  readonly tokenOf: (sub: string, scope: string) => Promise<string>
  /** What signs each that was ever issued: whoever has one has the token. */
  readonly signatures: () => readonly string[]
}

/** Tokens live for minutes: each is asked for again in time. */
export function openTokens(url: string, now_ms: () => number = () => performance.now()): Tokens {
  const known = new Map<string, { readonly token: string; readonly until: number }>()
  const signatures = new Set<string>()
  return {
    signatures: () => [...signatures],
    async tokenOf(sub, scope) {
      const held = known.get(`${sub} ${scope}`)
      if (held !== undefined && held.until > now_ms()) return held.token
      const response = await fetch(url, {
        ...{ method: 'POST', headers: { 'content-type': 'application/json' } },
        body: JSON.stringify({ sub, scope }),
      })
      const answer = (await response.json()) as { access_token: string; expires_in: number }
      const { access_token: token, expires_in } = answer
      const signature = token.split('.')[2]
      if (signature === undefined) throw new Error('a token has three parts')
      signatures.add(signature)
      known.set(`${sub} ${scope}`, { token, until: now_ms() + (expires_in - 60) * 1000 })
      return token
    },
  }
}
