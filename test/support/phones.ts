/** Phones: each has a key of its own, is bound to a person, and agrees by what it signs. */
import { expect } from 'chai'
import {
  digestOf,
  encryptPin,
  newDeviceKey,
  provePossession,
  publicJwk,
  signApproval,
  thumbprintOf,
} from '../../docs/sdk/approval.js'
import { publicId } from '../../services/ids.ts'
import { type Answer, call, newKey } from './api.ts'
import { type Person, PIN } from './people.ts'

type Pair = Awaited<ReturnType<typeof newDeviceKey>>
type Curve = 'P-256' | 'Ed25519'

export interface Phone {
  /** `dev_...`. */
  readonly id: string
  readonly pair: Pair
  /** What it signs for a request with this Idempotency-Key. */
  readonly agree: (act: Facts, key: string) => Promise<{ readonly device: string }>
}

export interface Facts {
  readonly action: string
  readonly [fact: string]: string
}

export const personId = ({ id }: Person): string => publicId('per', id)

interface Enrolment {
  readonly curve?: Curve
  readonly name?: string
  /** A second factor, where one is asked for. */
  readonly totp?: string
  /** A new one where none is given. */
  readonly pair?: Pair
}

/** What POST /v1/devices takes, under this key. */
export async function enrolment(
  person: Person,
  key: string,
  { curve = 'P-256', name = 'A phone', ...given }: Enrolment = {},
) {
  const pair = given.pair ?? (await newDeviceKey(curve))
  const jwk = await publicJwk(pair)
  const thumbprint = await thumbprintOf(jwk)
  const act = { action: 'device.bind', person: personId(person), key, thumbprint, name }
  const digest = await digestOf(act)
  const possession = await provePossession(pair.privateKey, thumbprint, digest)
  return {
    key,
    pair,
    digest,
    thumbprint,
    body: { name, key: jwk, possession, approval: { pin: PIN } },
  }
}

/** Binds another one with the PIN. */
export async function phone(person: Person, options: Enrolment = {}): Promise<Phone> {
  const key = newKey()
  const { pair, body } = await enrolment(person, key, options)
  const approval = { ...body.approval, ...(options.totp && { totp: options.totp }) }
  const sent = { ...body, approval }
  const bound = await call(person, 'POST', '/v1/devices', { key, body: sent })
  expect(bound.status, bound.text).to.equal(201)
  const { id } = bound.body
  return { id, pair, agree: (act, key) => signedBy(pair.privateKey, id, person, act, key) }
}

async function signedBy(
  key: Pair['privateKey'],
  id: string,
  person: Person,
  act: Facts,
  request: string,
): Promise<{ readonly device: string }> {
  const digest = await digestOf({ ...act, person: personId(person), key: request })
  return { device: await signApproval(key, id, digest) }
}

/** The act of paying a person. */
export const paymentOf = (payee: Person, amount: string): Facts => ({
  ...{ action: 'payment', payee: personId(payee), amount, currency: 'EUR' },
})

/** Pays with what the phone signs, under a key of its own. */
export async function payBy(
  payer: Person,
  { agree }: Phone,
  payee: Person,
  amount: string,
): Promise<Answer> {
  const key = newKey()
  const approval = await agree(paymentOf(payee, amount), key)
  const body = { payee: payee.alias, amount, currency: 'EUR', approval }
  return call(payer, 'POST', '/v1/payments', { key, body })
}

const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

/** What an attacker writes, signed by this phone whatever it says. */
export async function forge({ id, pair }: Phone, said: Forged): Promise<{ device: string }> {
  const { name } = pair.privateKey.algorithm
  const alg = name === 'ECDSA' ? 'ES256' : 'EdDSA'
  const header = { alg, kid: id, typ: 'florin-approval+jws', ...said.header }
  const payload = { digest: said.digest, iat: Math.floor(Date.now() / 1000), ...said.payload }
  const input = `${part(header)}.${part(payload)}`
  const algorithm = { name, hash: 'SHA-256' }
  const signature = await crypto.subtle.sign(algorithm, pair.privateKey, Buffer.from(input))
  return { device: `${input}.${Buffer.from(signature).toString('base64url')}` }
}

interface Forged {
  readonly digest: string
  readonly header?: object
  readonly payload?: object
}

/** The key that PINs are encrypted to. */
export async function pinKey() {
  const { body } = await call(undefined, 'GET', '/.well-known/jwks.json')
  return body.keys.find(({ use }: { readonly use: string }) => use === 'enc')
}

/** What the payer agrees to, under this key. */
export const digestBy = (payer: Person, act: Facts, key: string) =>
  digestOf({ ...act, person: personId(payer), key })

/** The PIN, as a phone encrypts it for this. */
export async function encrypted(payer: Person, act: Facts, key: string, pin = PIN) {
  return { pin_jwe: await encryptPin(await pinKey(), pin, await digestBy(payer, act, key)) }
}
