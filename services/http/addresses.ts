/** Where a request comes from, as far as we can know: what a client writes about itself is not. */
import type { IncomingMessage } from 'node:http'
import { isIPv4, isIPv6, type Socket } from 'node:net'

/** Of the same network, where one customer has as many addresses as they like. */
const IPV6_GROUPS_KEPT = 4

/**
 * The address of a request's sender. Each proxy adds the one it was asked by at the end of
 * X-Forwarded-For; so with one proxy of ours its last entry is true, and all before it is hearsay.
 * @param proxies how many proxies of ours the request passed
 */
export function addressOf({ socket, headers }: IncomingMessage, proxies: number): string {
  const asked = askedBy(socket)
  if (proxies === 0) return asked
  const entries = [headers['x-forwarded-for'] ?? []].flat().join(',').split(',')
  const entry = entries[Math.max(0, entries.length - proxies)] ?? ''
  return networkOf(entry.trim()) ?? asked
}

/** Whom a connection is from does not change. */
const known = new WeakMap<Socket, string>()

function askedBy(socket: Socket): string {
  const before = known.get(socket)
  if (before !== undefined) return before
  const asked = networkOf(socket.remoteAddress ?? '') ?? 'unknown'
  known.set(socket, asked)
  return asked
}

/** An IPv4 address, or the /64 of an IPv6 one; undefined for what is neither. */
function networkOf(address: string): string | undefined {
  const [, bracketed] = /^\[([\da-f:.]+)\](?::\d+)?$/i.exec(address) ?? []
  const bare = bracketed ?? address.replace(/^([\d.]+):\d+$/, '$1').replace(/%.*$/, '')
  const [, mapped = bare] = /^::ffff:([\d.]+)$/i.exec(bare) ?? []
  if (isIPv4(mapped)) return mapped
  if (!isIPv6(mapped)) return undefined
  const [head = '', tail] = mapped.toLowerCase().split('::')
  const groups = head === '' ? [] : head.split(':')
  const behind = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = tail === undefined ? 0 : 8 - groups.length - behind.length
  const all = [...groups, ...Array.from({ length: zeros }, () => '0'), ...behind]
  return all
    .slice(0, IPV6_GROUPS_KEPT)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')
}
