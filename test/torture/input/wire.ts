/** Sends what no honest client would, over connections that are kept, and reads what comes back. */
import { Agent, request as httpRequest } from 'node:http'
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

export function openWire(apiUrl: string, connections: number) {
  const { hostname, port } = new URL(apiUrl)
  const agent = new Agent({ keepAlive: true, maxSockets: connections })

  function overHttp({ method, target, headers, body }: Wire): Promise<Answered> {
    return new Promise((resolve, reject) => {
      const asked = httpRequest({
        hostname,
        port,
        agent,
        method,
        path: target,
        timeout: PATIENCE_MS,
      })
      for (const name of new Set(headers.map(([one]) => one))) {
        const values = headers.filter(([one]) => one === name).map(([, value]) => value)
        asked.setHeader(name, values.length === 1 ? (values[0] ?? '') : values)
      }
      // Node writes no length for a method that it expects to have no body.
      if (body !== undefined) asked.setHeader('content-length', body.length)
      asked.once('timeout', () => asked.destroy(new Error('no answer')))
      asked.once('error', reject)
      asked.once('response', (response) => {
        const { statusCode: status = 0, headers: given } = response
        const type = given['content-type'] ?? ''
        let text = ''
        const done = () => resolve({ status, type, text: text.slice(0, TEXT_MAX) })
        // It would go on for ever.
        if (type.startsWith('text/event-stream')) {
          done()
          response.destroy()
          return
        }
        response.setEncoding('utf8').on('data', (chunk: string) => {
          if (text.length < TEXT_MAX) text += chunk
        })
        response.once('end', done).once('error', reject)
      })
      asked.end(body)
    })
  }

  /** On a connection of its own: it may be broken afterwards. */
  function overSocket(raw: string): Promise<Answered> {
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

  return {
    send: (wire: Wire) => (wire.raw === undefined ? overHttp(wire) : overSocket(wire.raw)),
    close: () => agent.destroy(),
  }
}
