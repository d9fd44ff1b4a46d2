/**
 * Whether a person agrees to exactly this, and the proof of what they agreed to. They agree by
 * their PIN, in the clear or encrypted by their phone, or by what their phone signs.
 */
import { z } from 'zod'
import type { Uuid } from '../../ledger/index.ts'
import type { Context } from '../context.ts'
import { ServiceError } from '../errors.ts'
import { isPublicId, publicId, uuidOf } from '../ids.ts'
import { hasTotp, useSecondFactor } from '../totp/check.ts'
import { SecondFactor } from '../totp/secrets.ts'
import { type Act, digestOf, textOf, UNANSWERED } from './acts.ts'
import type { Device } from './device_keys.ts'
import { evidenceOf } from './evidence.ts'
import { CompactJws, isSignedBy, readJws, type Signed } from './jws.ts'
import { useNonce } from './nonces.ts'
import { checkPin } from '../pins/attempts.ts'
import { CompactJwe } from './pin_keys.ts'
import type { Standing } from '../credentials/standing.ts'

export const Pin = z
  .string()
  .regex(/^\d{4,6}$/)
  .describe('Six digits, unless it was agreed otherwise')

export const ApprovalBody = z
  .strictObject({
    pin: Pin.optional(),
    pin_jwe: CompactJwe.optional().describe('The PIN, encrypted by the phone for exactly this'),
    device: CompactJws.optional().describe('What a bound device signed for exactly this'),
    totp: SecondFactor.optional(),
  })
  .refine(
    ({ pin, pin_jwe, device }) =>
      [pin, pin_jwe, device].filter((one) => one !== undefined).length === 1,
    'needs exactly one of pin, pin_jwe and device',
  )
  .describe('How the person agrees: exactly one of pin, pin_jwe and device')
export type ApprovalBody = z.infer<typeof ApprovalBody>

/** What `approve` may refuse with. */
export const APPROVAL_REFUSALS = [
  ...(['approval_expired', 'approval_mismatch', 'approval_refused', 'approval_required'] as const),
  ...(['approval_used', 'pin_not_set', 'pin_locked', 'pin_reset_required', 'saturated'] as const),
  ...(['payment_refused', 'step_up_required', 'totp_locked', 'totp_not_set'] as const),
] as const

/** What must be shown before the act is done. */
export interface Demand {
  /** Whether the person must agree at all; else a token is enough. */
  readonly approval: boolean
  /** Whether a second factor is needed beside it. */
  readonly stepUp: boolean
  /** Why, as the person is told. */
  readonly reasons?: readonly string[]
}

/** What was shown. */
interface Shown {
  readonly factor: 'pin' | 'pin_jwe' | 'device' | 'none'
  /** Which key showed it: a device's id, or the thumbprint of the key a PIN was encrypted to. */
  readonly key: string | null
  /** Of the key that signed (RFC 7638), so that no other can be put in its place. */
  readonly thumbprint: string | null
  /** When the person agreed, by who says so: the phone's clock, or ours for a PIN in the clear. */
  readonly at: Date
  /** What the device signed, for who must be convinced later. */
  readonly proof: string | null
}

export interface Approval extends Shown {
  /** SHA-256 over what was approved. */
  readonly digest: Buffer
  readonly stepUp: 'totp' | 'recovery_code' | null
  /** What is sealed of it with the money; undefined where a token was enough. */
  readonly evidence: Buffer | undefined
  /** Of the request: part of what was approved. */
  readonly idempotencyKey: string
}

/** What a device has signed, and whose device it is. Not checked yet. */
export interface Signature {
  readonly signed: Signed
  readonly device: Device
}

/** The signature in an approval, if it names a device that is bound to the person right now. */
export async function signatureIn(
  { devices }: Context,
  { device: jws }: ApprovalBody,
  standing: Standing,
): Promise<Signature | undefined> {
  const signed = jws === undefined ? undefined : readJws(jws, 'florin-approval+jws')
  if (signed === undefined || !isPublicId('dev', signed.kid)) return undefined
  const id = uuidOf(signed.kid)
  const device = standing.devices.includes(id) ? await devices(id) : undefined
  return device && { signed, device }
}

/**
 * Checks the approval and binds it to what it approves.
 * @param signature what `signatureIn` answers, where it was asked before.
 * @throws {ServiceError} `approval_required` and `step_up_required` for what is missing,
 *   `approval_mismatch` for what approves something else and is as good as before, and whatever
 *   checking what is given throws. None of these is stored: the same key may come again.
 */
export async function approve(
  context: Context,
  act: Act,
  given: ApprovalBody | undefined,
  demand: Demand,
  signature?: Signature,
): Promise<Approval> {
  const digest = digestOf(act)
  const idempotencyKey = act.key
  if (demand.stepUp && given?.totp === undefined) {
    throw await stepUpRequired(context, act.person, given, demand)
  }
  if (given === undefined) {
    const nothing = { ...SHOWN_NOTHING, at: context.now(), stepUp: null, evidence: undefined }
    if (!demand.approval) return { ...nothing, digest, idempotencyKey }
    throw new ServiceError('approval_required', {
      detail: 'approval: give {"pin": "..."}, {"pin_jwe": "..."} or {"device": "..."}',
    })
  }
  const shown = await showFactor(context, { act, digest }, given, signature)
  // After the first factor: nobody without it can use up a code. What is given is checked.
  const stepUp =
    given.totp === undefined ? null : await useSecondFactor(context, act.person, given.totp)
  if (UNANSWERED.has(act.action)) await useUp(context, act, { ...shown, digest })
  const { factor, key, thumbprint, at, proof } = shown
  const evidence = evidenceOf({ digest, factor, key, thumbprint, at, stepUp, proof })
  return { factor, key, thumbprint, at, proof, digest, stepUp, evidence, idempotencyKey }
}

/** To change what a person agrees by, or how little is asked of them, they show all they have. */
export const allFactors = async (context: Context, person: Uuid): Promise<Demand> => ({
  ...{ approval: true, stepUp: await hasTotp(context, person), reasons: ['security'] },
})

/** Said before anything is used up that is good once. */
async function stepUpRequired(
  context: Context,
  person: Uuid,
  given: ApprovalBody | undefined,
  { reasons }: Demand,
): Promise<ServiceError> {
  const enrol = !(await hasTotp(context, person))
  const missing = given === undefined ? ['approval', 'totp'] : ['totp']
  const detail = enrol ? 'approval.totp: enrol an authenticator first' : 'approval.totp is missing'
  return new ServiceError('step_up_required', {
    ...{ detail, more: { missing, enrol, ...(reasons && { reasons }) } },
  })
}

const SHOWN_NOTHING = { factor: 'none', key: null, thumbprint: null, proof: null } as const

/** What is to be agreed to, and its digest. */
interface Wanted {
  readonly act: Act
  readonly digest: Buffer
}

async function showFactor(
  context: Context,
  wanted: Wanted,
  given: ApprovalBody,
  signature: Signature | undefined,
): Promise<Shown> {
  const { pin, pin_jwe: jwe, device: jws } = given
  const { person } = wanted.act
  if (jws !== undefined) {
    const found = signature ?? (await signatureOf(context, person, given))
    return showDevice(context, wanted, jws, found)
  }
  if (jwe !== undefined) return showEncryptedPin(context, wanted, jwe)
  await checkPin(context, person, pin ?? '')
  return { ...SHOWN_NOTHING, factor: 'pin', at: context.now() }
}

async function signatureOf(context: Context, person: Uuid, given: ApprovalBody) {
  const standing = await context.standings(person)
  return standing && signatureIn(context, given, standing)
}

async function showDevice(
  context: Context,
  { act, digest }: Wanted,
  jws: string,
  signature: Signature | undefined,
): Promise<Shown> {
  // One answer for every device that may not: which ones there are is nobody's business.
  const noted = { kind: 'device_refused', subject: publicId('per', act.person) } as const
  if (signature === undefined) throw new ServiceError('approval_refused', { noted })
  const { signed, device } = signature
  const isTheirs = device.person === act.person && device.alg === signed.alg
  if (!isTheirs || !(await isSignedBy(device.key, signed))) {
    throw new ServiceError('approval_refused', { noted })
  }
  refuseOther(act, digest, signed.digest)
  refuseOld(context, signed.at)
  const { id, thumbprint } = device
  return { factor: 'device', key: publicId('dev', id), thumbprint, at: signed.at, proof: jws }
}

/** The pool that hashes PINs is not troubled before everything else is right. */
async function showEncryptedPin(
  context: Context,
  { act, digest: wanted }: Wanted,
  jwe: string,
): Promise<Shown> {
  const opened = await context.pinKeys.open(jwe)
  if (opened === undefined) throw new ServiceError('approval_refused')
  const { pin, digest, nonce, at, kid } = opened
  refuseOther(act, wanted, digest)
  refuseOld(context, at)
  const { person } = act
  const isNew = await useNonce(context.db, { person, nonce, until: believedUntil(context, at) })
  if (!isNew) throw new ServiceError('approval_used')
  await checkPin(context, act.person, pin)
  return { ...SHOWN_NOTHING, factor: 'pin_jwe', key: kid, at }
}

/**
 * What a device has signed for something that leaves no answer under its Idempotency-Key, which is
 * what makes all else happen once, is used up by itself; last, so that who mistypes a code may
 * correct it. A PIN in the clear is no more than it says, and an encrypted one has its nonce.
 */
async function useUp(
  context: Context,
  { person }: Act,
  { factor, digest, at }: Pick<Approval, 'factor' | 'digest' | 'at'>,
): Promise<void> {
  if (factor !== 'device') return
  const nonce = `${digest.toString('hex')} ${at.toISOString()}`
  const isNew = await useNonce(context.db, { person, nonce, until: believedUntil(context, at) })
  if (!isNew) throw new ServiceError('approval_used')
}

const believedUntil = ({ config }: Context, at: Date): Date =>
  new Date(at.getTime() + config.APPROVAL_AGE_MAX_S * 1000)

/** What was agreed to is this, byte for byte; the payer is told what this is. */
function refuseOther(act: Act, wanted: Buffer, agreed: Buffer): void {
  if (agreed.equals(wanted)) return
  throw new ServiceError('approval_mismatch', { detail: `asked for is: ${textOf(act)}` })
}

function refuseOld({ config, now }: Context, at: Date): void {
  const age_s = (now().getTime() - at.getTime()) / 1000
  const { APPROVAL_AGE_MAX_S, APPROVAL_AHEAD_MAX_S } = config
  if (age_s > APPROVAL_AGE_MAX_S || age_s < -APPROVAL_AHEAD_MAX_S) {
    throw new ServiceError('approval_expired', {
      detail: `agreed at ${at.toISOString()}, it is ${now().toISOString()}`,
    })
  }
}

/** What is kept of it beside what it approved. */
export const approvalColumns = (approval: Approval) => ({
  approval: approval.factor,
  approval_digest: `\\x${approval.digest.toString('hex')}`,
  approval_key: approval.key,
  approved_at: approval.at,
  approval_proof: approval.proof,
  step_up: approval.stepUp,
  idempotency_key: approval.idempotencyKey,
})
