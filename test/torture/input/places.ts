/** Places in a body, and bodies that differ in one. */
import type { Json } from './document.ts'
import type { Dice } from './values.ts'

type Place = readonly (string | number)[]
type Objects = { readonly [key: string]: Json }

export const isObject = (json: Json | undefined): json is Objects =>
  typeof json === 'object' && json !== null && !Array.isArray(json)

/** Every place but the whole; of money alone where there is any. */
export function placesIn(body: Json, isMoney: boolean): readonly Place[] {
  const all = walk(body, [])
  const money = all.filter(([, value]) => typeof value === 'string' && /^[0-9]{1,15}$/.test(value))
  const chosen = (isMoney && money.length > 0 ? money : all).map(([place]) => place)
  return chosen.length > 0 ? chosen : [['extra']]
}

function walk(json: Json, at: Place): (readonly [Place, Json])[] {
  const within: (readonly [string | number, Json])[] = Array.isArray(json)
    ? json.map((one: Json, index) => [index, one] as const)
    : isObject(json)
      ? Object.entries(json)
      : []
  return within.flatMap(([name, one]) => [
    [[...at, name], one] as const,
    ...walk(one, [...at, name]),
  ])
}

/** @param value undefined takes away what is there. */
export function put(json: Json, [name, ...rest]: Place, value: Json | undefined): Json {
  if (name === undefined) return value ?? null
  if (Array.isArray(json)) {
    const list = json as readonly Json[]
    if (rest.length === 0 && value === undefined) return list.filter((_, index) => index !== name)
    return list.map((one, index) => (index === name ? put(one, rest, value) : one))
  }
  const object = isObject(json) ? json : {}
  const { [name]: there, ...others } = object
  if (rest.length === 0 && value === undefined) return others
  return { ...object, [name]: put(there ?? null, rest, value) }
}

/** With ids of somebody else's wherever there are any of the kind. */
export function withIds(
  json: Json,
  theirs: ReadonlyMap<string, readonly string[]>,
  dice: Dice,
): Json {
  if (Array.isArray(json)) return json.map((one: Json) => withIds(one, theirs, dice))
  if (isObject(json)) {
    return Object.fromEntries(
      Object.entries(json).map(([name, one]) => [name, withIds(one, theirs, dice)]),
    )
  }
  const kind =
    typeof json === 'string' ? /^([a-z]{3})_[0-7][0-9a-z]{25}$/.exec(json)?.[1] : undefined
  const known = kind === undefined ? undefined : theirs.get(kind)
  return known === undefined ? json : dice.pick(known)
}
