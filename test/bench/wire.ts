/**
 * A keep-alive connection that carries one exchange at a time: as little of HTTP as the API answers
 * with, because whatever the client costs is taken from what is measured.
 */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

export interface Answer {
  readonly status: number
  /** Empty for a 201, at which nobody looks. */
  readonly body: string
  /** When to ask again, if it says so: of a refusal. */
  readonly retryAfter_s: number | undefined
}

export interface Wire {
  /** `request` is the whole of it, head and body. Rejects when the connection breaks. */
  readonly exchange: (request: string) => Promise<Answer>
  readonly isOpen: () => boolean
  /** Whoever waits is told that it broke. */
  readonly close: () => void
}

interface Asked {
  readonly resolve: (answer: Answer & Goodbye) => void
  readonly reject: (error: Error) => void
}

/** The API closes a connection after so many requests and says so; then there is a new one. */
export async function openWire(port: number): Promise<Wire> {
  let socket = await connected(port)
  const exchange = (request: string) =>
    new Promise<Answer & Goodbye>((resolve, reject) => {
      socket.onAnswer = { resolve, reject }
      socket.write(request)
    })
  return {
    async exchange(request) {
      const { isLast, ...answer } = await exchange(request)
      if (isLast) {
        socket.destroy()
        socket = await connected(port)
      }
      return answer
    },
    isOpen: () => !socket.destroyed,
    close: () => void socket.destroy(),
  }
}

async function connected(port: number): Promise<Socket & { onAnswer?: Asked }> {
  const socket: Socket & { onAnswer?: Asked } = connect({ port, host: '127.0.0.1', noDelay: true })
  await once(socket, 'connect')
  readAnswers(
    socket,
    (answer) => socket.onAnswer?.resolve(answer),
    (error) => socket.onAnswer?.reject(error),
  )
  return socket
}

interface Goodbye {
  /** The connection is of no use after it. */
  readonly isLast: boolean
}

function readAnswers(
  socket: Socket,
  onAnswer: (answer: Answer & Goodbye) => void,
  onError: (error: Error) => void,
): void {
  let received: Buffer = Buffer.alloc(0)
  socket.on('data', (chunk) => {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk])
    const end = lengthOf(received)
    if (end === undefined || received.length < end) return
    const answer = answerIn(received, end)
    received = received.subarray(end)
    onAnswer(answer)
  })
  socket.on('error', onError)
  socket.on('close', () => onError(new Error('the API closed a connection')))
}

const HEAD_END = '\r\n\r\n'

/** How many bytes the answer has, once its head is there. */
function lengthOf(received: Buffer): number | undefined {
  const headEnd = received.indexOf(HEAD_END)
  if (headEnd < 0) return undefined
  const head = received.toString('latin1', 0, headEnd)
  const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1]
  if (length === undefined) throw new Error(`an answer does not say its length: ${head}`)
  return headEnd + HEAD_END.length + Number(length)
}

/** `HTTP/1.1 201 Created`: the status is at a fixed place. */
function answerIn(received: Buffer, end: number): Answer & Goodbye {
  const status = Number(received.toString('latin1', 9, 12))
  const headEnd = received.indexOf(HEAD_END)
  const head = received.toString('latin1', 0, headEnd)
  const isLast = /\r\nconnection: close/i.test(head)
  if (status === 201) return { status, body: '', retryAfter_s: undefined, isLast }
  const after = /\r\nretry-after: (\d+)/i.exec(head)?.[1]
  const retryAfter_s = after === undefined ? undefined : Number(after)
  return { status, body: received.toString('utf8', headEnd, end).trim(), retryAfter_s, isLast }
}
