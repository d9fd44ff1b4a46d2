/** Requests about what is really there: by its owners where they will be refused, or by others. */
import type { Json, Operation } from './document.ts'
import { withIds } from './places.ts'
import { type Cast, type Draft, forbidden, harmless, type Role, type Workshop } from './requests.ts'
import { type Dice, kindOf } from './values.ts'

/** Of those whose path names something: many name nothing, so that it is two in five of all. */
const SHARE = 0.9

export interface Scene {
  readonly draft: Draft
  readonly about: 'nothing' | 'theirs' | 'over'
  /** Whose it is, where it is somebody's. */
  readonly by: { readonly token?: string }
  /** What may be sent in the place of a body: whatever it is, it must be refused. */
  readonly safe: (body: Json | undefined) => Json | undefined
}

/** About what there is, asked by whoever may; else about what nobody has, or what names nothing. */
export function sceneOf(workshop: Workshop, cast: Cast, operation: Operation, draft: Draft): Scene {
  const { dice } = workshop
  const scene = dice.happens(SHARE) ? thereOf(workshop, cast, operation, draft) : undefined
  const safe = (body: Json | undefined) => harmless(workshop, operation, body)
  return scene ?? { draft, about: 'nothing', by: {}, safe }
}

/**
 * A body that the document allows would be done, were it not for something that is over: with all
 * else it is spoilt. What has no body and changes something is only asked of what is over.
 */
function thereOf(
  workshop: Workshop,
  { theirs, over, owners }: Cast,
  operation: Operation,
  draft: Draft,
): Scene | undefined {
  const { dice } = workshop
  const role = ownerIn(dice, operation)
  if (role === undefined || !hasAll(operation, theirs)) return undefined
  const by = { token: `Bearer ${owners[role]}` }
  // An operator proposes: whether it can be done is asked when another one agrees.
  const ended = role === 'operator' ? undefined : over.get(operation.name)
  if (ended !== undefined && (operation.body === undefined || dice.happens(0.5))) {
    const params = { ...draft.params, id: dice.pick(ended) }
    return { draft: { ...draft, params }, about: 'over', by, safe: (body) => body }
  }
  if (operation.method !== 'GET' && operation.body === undefined) return undefined
  const params = withIds(draft.params, theirs, dice) as Draft['params']
  const safe = (body: Json | undefined) =>
    operation.method === 'GET' ? body : forbidden(workshop, operation, body)
  return { draft: { ...draft, params }, about: 'theirs', by, safe }
}

function ownerIn(dice: Dice, { scopes }: Operation): keyof Cast['owners'] | undefined {
  const roles = scopes.map((scope) => scope.split(':')[0] as Role)
  const mayOwn = roles.filter((role) => role !== 'chat')
  return mayOwn.length === 0 ? undefined : dice.pick(mayOwn)
}

/** Whether something stands in its path, and each of it is of a kind that is there. */
function hasAll({ parameters }: Operation, theirs: Cast['theirs']): boolean {
  const kinds = parameters.flatMap((one) => (one.in === 'path' ? (kindOf(one.schema) ?? []) : []))
  return kinds.length > 0 && kinds.every((kind) => (theirs.get(kind) ?? []).length > 0)
}

/** Whether there is an id in its path. */
export const namesOne = ({ parameters }: Operation): boolean =>
  parameters.some((one) => one.in === 'path' && kindOf(one.schema) !== undefined)
