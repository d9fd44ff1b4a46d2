/** What a scope lets its holder do: in which role, with which rights. All else is denied. */
import { ServiceError } from '../errors.ts'

/** In which role somebody calls. */
export type Scope = 'person' | 'merchant' | 'operator' | 'chat'

/** `approve`: to say yes to what somebody else has asked for. */
export type Right = 'read' | 'write' | 'approve'

/** None implies another: who may write what they may not read is given exactly that. */
export const GRANTS = {
  person: ['person', ['read', 'write']],
  merchant: ['merchant', ['read', 'write']],
  'merchant:read': ['merchant', ['read']],
  'merchant:write': ['merchant', ['write']],
  operator: ['operator', ['read', 'write', 'approve']],
  'operator:read': ['operator', ['read']],
  'operator:write': ['operator', ['write']],
  'operator:approve': ['operator', ['approve']],
  chat: ['chat', ['read', 'write']],
  'chat:read': ['chat', ['read']],
} as const satisfies Readonly<Record<string, readonly [Scope, readonly Right[]]>>
export type Grant = keyof typeof GRANTS

/** What somebody may do, in each role they have. */
export type Rights = ReadonlyMap<Scope, ReadonlySet<Right>>

const isGrant = (scope: string): scope is Grant => Object.hasOwn(GRANTS, scope)

/** @param among the roles that whoever granted the scopes may give. */
export function rightsOf(scopes: readonly string[], among: readonly Scope[]): Rights {
  const rights = new Map<Scope, Set<Right>>()
  for (const scope of scopes.filter(isGrant)) {
    const [role, granted] = GRANTS[scope]
    if (!among.includes(role)) continue
    rights.set(role, new Set([...(rights.get(role) ?? []), ...granted]))
  }
  return rights
}

/** The scopes of which any is enough to use `right` in one of `roles`. */
export const scopesFor = (roles: readonly Scope[], right: Right): readonly Grant[] =>
  Object.entries(GRANTS)
    .filter(([, [role, rights]]) => roles.includes(role) && rights.some((one) => one === right))
    .map(([scope]) => scope as Grant)

/** Nobody gives away what they have not. */
export function refuseMore(
  { rights: own }: { readonly rights: ReadonlySet<Right> },
  rights: readonly Right[],
): void {
  if (rights.every((right) => own.has(right))) return
  throw new ServiceError('forbidden', { detail: 'nobody can give a right that they do not have' })
}

export const rightsIn = (scopes: readonly Grant[]): Right[] =>
  scopes.flatMap((scope) => [...GRANTS[scope][1]])
