/** Sends what no honest client would, over connections that are kept, and reads what comes back. */
import { Agent, type IncomingMessage, request as httpRequest } from 'node:http'
import { connect } from 'node:net'

export interface Wire {
  readonly method: string
  /** With its query. */
  readonly target: string
  /** A name may be there twice. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: Buffer | undefined
  /** The whole request as its bytes, where no client would write it so. */
  readonly raw?: string
}

export interface Answered {
  readonly status: number
  readonly type: string
  readonly text: string
}

const PATIENCE_MS = 20_000
/** Of an answer: more is not looked at. */
const TEXT_MAX = 4_000

/** Where the service listens. */
interface Place {
  readonly hostname: string
  readonly port: string
}

export function openWire(apiUrl: string, connections: number) {
  const { hostname, port } = new URL(apiUrl)
  const place = { hostname, port }
  const agent = new Agent({ keepAlive: true, maxSockets: connections })
  return {
    send: (wire: Wire) =>
      wire.raw === undefined ? overHttp({ ...place, agent }, wire) : overSocket(place, wire.raw),
    close: () => agent.destroy(),
  }
}

function overHttp(place: Place & { readonly agent: Agent }, wire: Wire): Promise<Answered> {
  const { method, target, headers, body } = wire
  return new Promise((resolve, reject) => {
    const asked = httpRequest({ ...place, method, path: target, timeout: PATIENCE_MS })
    for (const name of new Set(headers.map(([one]) => one))) {
      const values = headers.filter(([one]) => one === name).map(([, value]) => value)
      asked.setHeader(name, values.length === 1 ? (values[0] ?? '') : values)
    }
    // Node writes no length for a method that it expects to have no body.
    if (body !== undefined) asked.setHeader('content-length', body.length)
    asked.once('timeout', () => asked.destroy(new Error('no answer')))
    asked.once('error', reject)
    asked.once('response', (response) => void answered(response).then(resolve, reject))
    asked.end(body)
  })
}

async function answered(response: IncomingMessage): Promise<Answered> {
  const { statusCode: status = 0, headers } = response
  const type = headers['content-type'] ?? ''
  let text = ''
  // It would go on for ever.
  if (type.startsWith('text/event-stream')) {
    response.destroy()
    return { status, type, text }
  }
  for await (const chunk of response.setEncoding('utf8')) {
    if (text.length < TEXT_MAX) text += chunk as string
  }
  return { status, type, text: text.slice(0, TEXT_MAX) }
}

/** On a connection of its own: it may be broken afterwards. */
function overSocket({ hostname, port }: Place, raw: string): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname)
    let text = ''
    socket.setTimeout(PATIENCE_MS, () => socket.destroy(new Error('no answer')))
    socket.setEncoding('latin1').on('data', (chunk: string) => {
      if (text.length < TEXT_MAX) text += chunk
    })
    socket.once('error', reject).once('close', () => {
      const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(text)?.[1])
      if (!(status > 0)) return reject(new Error(`not HTTP: ${text.slice(0, 80)}`))
      const type = /^content-type: (.*)\r$/im.exec(text)?.[1] ?? ''
      resolve({ status, type, text: text.slice(text.indexOf('\r\n\r\n') + 4) })
    })
    socket.write(raw, 'latin1')
  })
}
