/** Where a request comes from: the other end of the socket, never what a header says. */
import type { IncomingMessage } from 'node:http'
import { isIPv6 } from 'node:net'

/** An IPv4 address, or the network of an IPv6 address: whoever has one of its has all of them. */
export function addressOf({ socket }: IncomingMessage): string | undefined {
  const address = socket.remoteAddress?.replace(/^::ffff:(?=\d+\.)/, '')
  if (address === undefined || !isIPv6(address)) return address
  return networkOf(address)
}

/** The first 64 of the 128 bits. */
function networkOf(address: string): string {
  const [head = '', tail] = address.replace(/%.*$/, '').split('::')
  const [first, last] = [head, tail ?? ''].map((part) => part.split(':').filter(Boolean))
  const zeros = tail === undefined ? 0 : 8 - (first?.length ?? 0) - (last?.length ?? 0)
  const groups = [...(first ?? []), ...Array.from({ length: zeros }, () => '0'), ...(last ?? [])]
  return `${groups.slice(0, 4).join(':')}::/64`
}
