/** A key that lives in the phone, and what it signs. */
import { encode, json, utf8 } from './base64url.js'

const KINDS = {
  'P-256': { key: { name: 'ECDSA', namedCurve: 'P-256' }, alg: 'ES256' },
  Ed25519: { key: 'Ed25519', alg: 'EdDSA' },
}

/** A new pair; the private half cannot leave this device. */
export const newDeviceKey = (curve = 'P-256') =>
  crypto.subtle.generateKey(KINDS[curve].key, false, ['sign', 'verify'])

/** The public half, as POST /v1/devices takes it. */
export async function publicJwk({ publicKey }) {
  const { kty, crv, x, y } = await crypto.subtle.exportKey('jwk', publicKey)
  return kty === 'EC' ? { kty, crv, x, y } : { kty, crv, x }
}

/** RFC 7638. */
export async function thumbprintOf({ kty, crv, x, y }) {
  const members = JSON.stringify(kty === 'EC' ? { crv, kty, x, y } : { crv, kty, x })
  return encode(await crypto.subtle.digest('SHA-256', utf8(members)))
}

async function sign(privateKey, header, digest) {
  const alg = privateKey.algorithm.name === 'ECDSA' ? 'ES256' : 'EdDSA'
  const payload = { digest, iat: Math.floor(Date.now() / 1000) }
  const input = `${json({ alg, ...header })}.${json(payload)}`
  const algorithm = { name: privateKey.algorithm.name, hash: 'SHA-256' }
  return `${input}.${encode(await crypto.subtle.sign(algorithm, privateKey, utf8(input)))}`
}

export const signApproval = (privateKey, deviceId, digest) =>
  sign(privateKey, { kid: deviceId, typ: 'florin-approval+jws' }, digest)

export const provePossession = (privateKey, thumbprint, digest) =>
  sign(privateKey, { kid: thumbprint, typ: 'florin-possession+jws' }, digest)
