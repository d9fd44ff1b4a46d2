/**
 * Which addresses webhooks may be sent to: those of the open internet, and none by which somebody
 * could make us talk to ourselves. Asked of every address a name has, whenever we connect.
 * Source: the IANA registries of special-purpose addresses for IPv4 and IPv6.
 */
import { BlockList, isIP, isIPv4 } from 'node:net'

const REFUSED_V4 = [
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16'],
  ...['172.16.0.0/12', '192.0.0.0/24', '192.0.2.0/24', '192.31.196.0/24', '192.52.193.0/24'],
  ...['192.88.99.0/24', '192.168.0.0/16', '192.175.48.0/24', '198.18.0.0/15', '198.51.100.0/24'],
  ...['203.0.113.0/24', '224.0.0.0/4', '240.0.0.0/4'],
]

/** Of IPv6 only what is given to the open internet is open, and of that not everything. */
const GLOBAL_V6 = '2000::/3'
const REFUSED_V6 = [
  ...['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20'],
  // Services of clouds that answer inside a network, though by a global address.
  ...['2620:4f:8000::/48', '2600:2d00::/32'],
]

function listOf(...ranges: readonly string[]): BlockList {
  const list = new BlockList()
  for (const range of ranges) {
    const [address = '', bits = ''] = range.split('/')
    list.addSubnet(address, Number(bits), address.includes(':') ? 'ipv6' : 'ipv4')
  }
  return list
}

const [refusedV4, refusedV6] = [listOf(...REFUSED_V4), listOf(...REFUSED_V6)]
const globalV6 = listOf(GLOBAL_V6)

/**
 * Whether the literal address is one of the open internet. What is no address is none, and so is an
 * IPv6 address with an IPv4 one in it (mapped, 6to4, NAT64): it would lead where that one leads.
 */
export function isPublicAddress(address: string): boolean {
  if (isIP(address) === 0) return false
  if (isIPv4(address)) return !refusedV4.check(address, 'ipv4')
  return globalV6.check(address, 'ipv6') && !refusedV6.check(address, 'ipv6')
}
