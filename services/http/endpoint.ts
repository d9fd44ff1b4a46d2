/**
 * What one call of the API is: who may, what comes in, what goes out, what is refused. The router,
 * the OpenAPI document and the tests all read the same declaration, so they cannot disagree.
 */
import type { z } from 'zod'
import type { Headers } from '../../adapters/adapter.ts'
import type { Claim, Outcome, Uuid } from '../../ledger/index.ts'
import type { Config } from '../config.ts'
import type { Context } from '../context.ts'
import type { ErrorCode } from '../errors.ts'
import type { Person } from '../people/parties.ts'
import type { Issued } from '../credentials/revocations.ts'
import type { Right, Scope } from '../credentials/scopes.ts'
import type { Standing } from '../credentials/standing.ts'
import type { Known } from '../pins/weak_pins.ts'
import type { Rate } from './rates.ts'
import type { Upload } from './uploads.ts'

/** By which credential somebody is here. */
interface Session {
  /** `api_key` for an API key, which no issuer can be called. */
  readonly issuer: string
  readonly subject: string
  /** Of the token; of an API key its id. */
  readonly jti: string
}

interface Called {
  readonly session: Session
  /** Seconds since 1970, where the credential says so itself. */
  readonly expiresAt_s?: number
  /** What the credential allows in this role. */
  readonly rights: ReadonlySet<Right>
}

/** Who is asking, as the business knows them. */
export type Caller =
  | (Called & {
      readonly scope: 'person'
      /** Always a token: it may have been revoked by the time it is to stay good. */
      readonly session: Issued
      readonly person: Person
      /** What their token says that others may know, and try as a PIN. */
      readonly known: Known
      /**
       * As it is being looked up for whatever changes something; undefined where one only reads.
       * Fails where the token is revoked: nothing is done before it has been waited for.
       */
      readonly standing: Promise<Standing> | undefined
    })
  | (Called & { readonly scope: 'merchant'; readonly merchant: Uuid })
  | (Called &
      Named & {
        readonly scope: 'operator'
        /** The name of the operator who agreed, where two have to. */
        readonly approvedBy?: string
      })
  | (Called & Named & { readonly scope: 'chat' })

interface Named {
  /** Names the issuer too where it is not the first; see `nameOf`. */
  readonly subject: string
}

/** The caller an endpoint gets when it admits only these scopes. */
export type CallerOf<S extends Scope> = Extract<Caller, { scope: S }>

export interface Request<S extends Scope, P, Q, B> {
  readonly caller: CallerOf<S>
  readonly params: P
  readonly query: Q
  readonly body: B
  /** What was parsed, as it was sent. */
  readonly sent: Sent
  /** The file that came instead of `body`, where the endpoint takes one. */
  readonly upload?: Upload | undefined
  /** By which the ledger recognises this request when it comes again. */
  readonly claim: Claim | undefined
  /** As the client chose it; empty where none is needed and none was given. */
  readonly idempotencyKey: string
  /** The last event that was read, of who goes on with a stream. */
  readonly lastEventId?: string | undefined
  /** Where it comes from: an IPv4 address, or the network of an IPv6 one. */
  readonly address: string
}

export interface Sent {
  readonly params: unknown
  readonly query: unknown
  readonly body: unknown
}

/** What an endpoint answers: a value to render, or what the group committed, byte for byte. */
export type Reply =
  { readonly status: number; readonly body?: unknown; readonly contentType?: string } | Outcome

/** An answer of any length, written as the client reads it. */
export interface Streamed {
  readonly status: number
  readonly contentType: string
  /** What a browser would save it as; undefined for what goes on for as long as anybody reads. */
  readonly fileName: string | undefined
  /** Ended early when the client goes away. When it throws, the answer breaks off. */
  readonly stream: AsyncIterable<string | Uint8Array>
}

export interface Endpoint<S extends Scope, P, Q, B> {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  readonly path: `/${string}`
  readonly summary: string
  readonly tag: string
  /** The roles that may call it. */
  readonly scopes: readonly S[]
  /** What they must be allowed: to read where it is a GET, else to write, unless it says so. */
  readonly right?: 'approve'
  /** API keys may not: what a server could use to let itself in again. */
  readonly tokensOnly?: true
  /**
   * Whether it waits for a second operator: then `handle` runs when the proposal is approved, as
   * its proposer, and must store its answer under its claim, so that it cannot be done twice.
   */
  readonly secondPerson?: boolean | ((caller: CallerOf<S>) => boolean)
  /** Refuses what could not be done anyway, before a second operator is asked. */
  readonly check?: (context: Context, request: Request<S, P, Q, B>) => Promise<void>
  /** `required` where money moves; `optional` where repeating is merely a nuisance. */
  readonly idempotency?: 'required' | 'optional'
  /** How often one caller may ask, where that is limited. */
  readonly rate?: Rate
  readonly params?: z.ZodType<P>
  readonly query?: z.ZodType<Q>
  readonly body?: z.ZodType<B>
  /** How large the body may be, where it may be larger than most. */
  readonly bytesMax?: number
  /** Files it takes instead of `body`. No key makes one the same as another. */
  readonly uploadTypes?: readonly string[]
  /** Content types of success beside application/json. */
  readonly otherTypes?: readonly string[]
  /** What success looks like, by status. A stored answer gets the status `statusOf` says. */
  readonly answers: Readonly<Record<number, z.ZodType | null>>
  /** The status of an answer that the group stored; the first of `answers` where it is missing. */
  readonly statusOf?: (body: StoredBody) => number
  /**
   * Fills into the answer's text what is never stored in it: names, notes, account numbers.
   * @param made what the unit that was answered concluded with, where this is its first answer.
   */
  readonly shown?: (context: Context, text: string, made?: object) => Promise<string>
  /** Refusals of its own, beside those every call may get. */
  readonly refusals: readonly ErrorCode[]
  readonly handle: (context: Context, request: Request<S, P, Q, B>) => Promise<Reply | Streamed>
}

/** What of a stored answer says which status it had. */
export interface StoredBody {
  readonly id?: string
  readonly state?: string
}

/** The status of an answer that was stored. */
export function storedStatus(endpoint: AnyEndpoint | PublicEndpoint, body: StoredBody): number {
  const statusOf = 'statusOf' in endpoint ? endpoint.statusOf : undefined
  return statusOf?.(body) ?? Number(Object.keys(endpoint.answers)[0])
}

/** Lets each endpoint be checked in its own types and kept in one list. */
export function endpoint<S extends Scope, P, Q, B>(declared: Endpoint<S, P, Q, B>): AnyEndpoint {
  return declared as unknown as AnyEndpoint
}

export type AnyEndpoint = Endpoint<Scope, unknown, unknown, unknown>
export type AnyRequest = Request<Scope, unknown, unknown, unknown>

export const rightOf = ({ method, right }: Pick<AnyEndpoint, 'method' | 'right'>): Right =>
  right ?? (method === 'GET' ? 'read' : 'write')

/** A call for which the token is not the key: probes, documents, callbacks. */
export interface PublicEndpoint {
  readonly method: 'GET' | 'POST'
  readonly path: `/${string}`
  readonly summary: string
  readonly tag: string
  /** Why nobody has to show a token. */
  readonly why: string
  /** How large the body may be, where it may be larger than most. */
  readonly bytesMax?: (config: Config) => number
  readonly rate?: Rate
  /** Whether there is what the path names: else nothing is counted by that name, or read for it. */
  readonly isThere?: (context: Context, params: PublicRequest['params']) => boolean
  readonly answers: Readonly<Record<number, z.ZodType | null>>
  readonly refusals: readonly ErrorCode[]
  readonly handle: (context: Context, request: PublicRequest) => Promise<Reply>
}

export interface PublicRequest {
  readonly params: Readonly<Record<string, string>>
  readonly headers: Headers
  readonly bytes: Buffer
}
