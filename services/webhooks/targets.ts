/** Which URLs may be registered. What a name leads to is looked at whenever we connect. */
import { isIP } from 'node:net'
import type { Config } from '../config.ts'
import { ServiceError } from '../errors.ts'
import { isPublicAddress } from './addresses.ts'

export const URL_LENGTH_MAX = 500

/** Names that never lead to the open internet. */
const INTERNAL_NAME = /(?:^|\.)(?:localhost|local|internal|intranet|lan|home|corp|arpa|onion|test)$/

/** Of an IPv6 address in a URL, without its brackets; a name without the dot of the root. */
const hostOf = ({ hostname }: URL): string => hostname.replaceAll(/^\[|\]$/g, '').replace(/\.$/, '')

const portOf = ({ port, protocol }: URL): number =>
  port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port)

/**
 * The URL as it is kept: written in one way, without a fragment.
 * @throws {ServiceError} `url_not_allowed`
 */
export function targetOf(config: Config, text: string): string {
  if (!URL.canParse(text)) throw refused('is no URL')
  const url = new URL(text)
  url.hash = ''
  const fault = faultOf(config, url)
  if (fault !== undefined) throw refused(fault)
  return url.href
}

const refused = (why: string) => new ServiceError('url_not_allowed', { detail: `the URL ${why}` })

/** Why nothing may be sent there; undefined where nothing speaks against it. */
export function faultOf({ WEBHOOK_TARGETS, WEBHOOK_PORTS }: Config, url: URL): string | undefined {
  if (!['https:', 'http:'].includes(url.protocol)) return 'is not https'
  if (url.username !== '' || url.password !== '') return 'names a user'
  if (url.href.length > URL_LENGTH_MAX) return `is longer than ${URL_LENGTH_MAX}`
  if (WEBHOOK_TARGETS === 'any') return undefined
  if (url.protocol !== 'https:') return 'is not https'
  if (!WEBHOOK_PORTS.includes(portOf(url))) {
    return `has another port than ${WEBHOOK_PORTS.join(', ')}`
  }
  const host = hostOf(url)
  if (isIP(host) !== 0) return isPublicAddress(host) ? undefined : 'leads to an internal address'
  if (!host.includes('.') || INTERNAL_NAME.test(host)) return 'has a name of an internal network'
  return undefined
}
