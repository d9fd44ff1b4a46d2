/** What stands before two servers and passes on to the one that counts. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export interface Switch {
  readonly port: number
  /** Who was connected to the other one is cut off. */
  readonly turnTo: (port: number) => void
  readonly close: () => Promise<void>
}

export async function openSwitch(first: number): Promise<Switch> {
  let target = first
  const sockets = new Set<Socket>()
  const keep = (socket: Socket, other: () => Socket) => {
    sockets.add(socket)
    socket.once('close', () => {
      sockets.delete(socket)
      other().destroy()
    })
    // It closes then, and the other one with it.
    socket.on('error', () => {})
  }
  const server = createServer((near) => {
    const far = connect({ host: '127.0.0.1', port: target, noDelay: true })
    near.setNoDelay(true)
    keep(near, () => far)
    keep(far, () => near)
    near.pipe(far)
    far.pipe(near)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const cutAll = () => sockets.forEach((socket) => socket.destroy())
  return {
    port: (server.address() as AddressInfo).port,
    turnTo(port) {
      target = port
      cutAll()
    },
    async close() {
      server.close()
      cutAll()
      await once(server, 'close')
    },
  }
}
