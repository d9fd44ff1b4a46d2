/** What is agreed to: its action, who agrees, the Idempotency-Key, and the facts of the action. */
export type Act = Readonly<Record<string, string | undefined>> & {
  readonly action: string
  readonly person: string
  readonly key: string
}

export interface PublicJwk {
  readonly kty: string
  readonly crv: string
  readonly x: string
  readonly y?: string
}

export const ACTIONS: Readonly<Record<string, readonly string[]>>
export function textOf(act: Act): string
export function digestOf(act: Act): Promise<string>

export function newDeviceKey(curve?: 'P-256' | 'Ed25519'): Promise<CryptoKeyPair>
export function publicJwk(pair: CryptoKeyPair): Promise<PublicJwk>
export function thumbprintOf(jwk: PublicJwk): Promise<string>
export function signApproval(key: CryptoKey, deviceId: string, digest: string): Promise<string>
export function provePossession(key: CryptoKey, thumbprint: string, digest: string): Promise<string>

export function encryptPin(
  jwk: PublicJwk & { readonly kid: string },
  pin: string,
  digest: string,
): Promise<string>
