/** Checking PINs, and what is kept of them. */
import { send } from './abuse.ts'
import { call, type Who } from './api.ts'
import type { Person } from './people.ts'
import { world } from './world.ts'

/** Never a person's PIN, and another one for each index. */
export const wrong = (index: number) => String(300_000 + index * 7)
export const stateOf = async (who: Who) => (await call(who, 'GET', '/v1/pin')).body
export const verify = (who: Who, pin: string) =>
  call(who, 'POST', '/v1/pin/verify', { body: { pin } })
export const verifyAt = ({ apiUrl }: { readonly apiUrl: string }, who: Who, pin: string) =>
  send(who, 'POST', '/v1/pin/verify', { apiUrl, bytes: JSON.stringify({ pin }) })

export async function rowOf({ id }: Person) {
  const { owner } = await world()
  return owner('pins').where({ person_id: id }).first()
}

/** As if the lock had run out. */
export async function unlock({ id }: Person): Promise<void> {
  const { owner } = await world()
  await owner('pins')
    .where({ person_id: id })
    .update({ locked_until: new Date(Date.now() - 1) })
}
