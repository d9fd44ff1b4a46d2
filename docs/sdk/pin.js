/** A PIN that only Florin can read: a JWE with ECDH-ES and A256GCM (RFC 7518, 4.6 and 5.3). */
import { encode, json, utf8 } from './base64url.js'

const P256 = { name: 'ECDH', namedCurve: 'P-256' }
const uint32 = (value) => [value >>> 24, value >>> 16, value >>> 8, value].map((one) => one & 255)

/** Concat KDF (NIST SP 800-56A) for one block: nobody is named, 256 bits are wanted. */
async function contentKey(secret) {
  const enc = utf8('A256GCM')
  const info = [...uint32(enc.length), ...enc, ...uint32(0), ...uint32(0), ...uint32(256)]
  const block = new Uint8Array([...uint32(1), ...new Uint8Array(secret), ...info])
  const hash = await crypto.subtle.digest('SHA-256', block)
  return crypto.subtle.importKey('raw', hash, 'AES-GCM', false, ['encrypt'])
}

/** @param jwk the key with `use: "enc"` of /.well-known/jwks.json; @param digest see act.js */
export async function encryptPin({ kid, ...jwk }, pin, digest) {
  const { kty, crv, x, y } = jwk
  const theirs = await crypto.subtle.importKey('jwk', { kty, crv, x, y }, P256, false, [])
  const ours = await crypto.subtle.generateKey(P256, true, ['deriveBits'])
  const epk = await crypto.subtle.exportKey('jwk', ours.publicKey)
  const protectedHeader = json({
    ...{ alg: 'ECDH-ES', enc: 'A256GCM', kid, typ: 'florin-pin+jwe' },
    epk: { kty: epk.kty, crv: epk.crv, x: epk.x, y: epk.y },
  })
  const agreed = { name: 'ECDH', public: theirs }
  const key = await contentKey(await crypto.subtle.deriveBits(agreed, ours.privateKey, 256))
  const nonce = encode(crypto.getRandomValues(new Uint8Array(16)))
  const payload = { pin, digest, nonce, iat: Math.floor(Date.now() / 1000) }
  const iv = crypto.getRandomValues(new Uint8Array(12))
  const sealing = { name: 'AES-GCM', iv, additionalData: utf8(protectedHeader) }
  const sealed = await crypto.subtle.encrypt(sealing, key, utf8(JSON.stringify(payload)))
  const parts = [protectedHeader, '', encode(iv), encode(sealed.slice(0, -16))]
  return [...parts, encode(sealed.slice(-16))].join('.')
}
