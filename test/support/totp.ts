/** An authenticator app, written from RFC 6238 and RFC 4648: it shares no code with the product. */
import { createHmac } from 'node:crypto'
import { expect } from 'chai'
import { publicId } from '../../services/ids.ts'
import { call } from './api.ts'
import { type Person, person, PIN } from './people.ts'
import { world } from './world.ts'

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

function bytesOf(base32: string): Buffer {
  const bits = [...base32].map((letter) => BASE32.indexOf(letter).toString(2).padStart(5, '0'))
  return Buffer.from((bits.join('').match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)))
}

/** What the app shows at that moment. */
export function codeAt(secret: string, at: Date): string {
  const step = Buffer.alloc(8)
  step.writeBigUInt64BE(BigInt(Math.floor(at.getTime() / 30_000)))
  const mac = createHmac('sha1', bytesOf(secret)).update(step).digest()
  const number = mac.readUInt32BE((mac.at(-1) ?? 0) & 15) & 0x7f_ff_ff_ff
  return String(number % 1_000_000).padStart(6, '0')
}

export const secondsAfter = (at: Date, seconds: number): Date =>
  new Date(at.getTime() + seconds * 1000)

export const agreed = (totp?: string) => ({
  approval: { pin: PIN, ...(totp !== undefined && { totp }) },
})

interface Enrolled extends Person {
  readonly secret: string
  readonly recoveryCodes: readonly string[]
}

/** Somebody with a PIN and an authenticator, whose code of now was not used yet. */
export const enrolled = async (balance = 0n): Promise<Enrolled> => enrolledAs(await person(balance))

export async function enrolledAs(who: Person): Promise<Enrolled> {
  const started = await call(who, 'POST', '/v1/totp', { body: agreed() })
  expect(started.status, started.text).to.equal(201)
  const { secret } = started.body
  const code = codeAt(secret, new Date())
  const confirmed = await call(who, 'POST', '/v1/totp/confirm', { body: { code } })
  expect(confirmed.status, confirmed.text).to.equal(200)
  await forgetUse(who)
  return { ...who, secret, recoveryCodes: confirmed.body.recovery_codes }
}

/** Lets the code of now be used again: tests cannot wait for the next one. */
export async function forgetUse({ id }: Person): Promise<void> {
  const { owner } = await world()
  await owner('totp').where({ person_id: id }).update({ last_step: 0 })
}

/** What the person was told, oldest first. */
export const eventsOf = async ({ id }: Person): Promise<string[]> => {
  const { owner } = await world()
  const rows = await owner('events')
    .where({ object_id: publicId('per', id) })
    .orderBy('id')
  return rows.map(({ type }) => type)
}

/** The API's context at another time. */
export const contextAt = async (at: Date) => ({ ...(await world()).api, now: () => at })
