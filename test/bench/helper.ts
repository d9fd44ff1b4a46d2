/** Processes of the bench's own that are asked and answer: nobody waits for one that has died. */
import { fork, type Serializable } from 'node:child_process'
import { once } from 'node:events'
import { basename } from 'node:path'

export interface Helper {
  /** One question at a time. Rejects when the process ends without an answer. */
  readonly ask: <T>(question: Serializable) => Promise<T>
  /**
   * Waits until it has ended, by a last word or because nobody is left to talk to. Rejects when it
   * ended badly.
   */
  readonly dismiss: (lastWord?: Serializable) => Promise<void>
}

export function startHelper(script: URL): Helper {
  const child = fork(script)
  const ended = once(child, 'exit') as Promise<[code: number | null]>
  const complaint = (code: number | null) =>
    new Error(`${basename(script.pathname)} ended with code ${code}`)
  const died = ended.then(([code]): never => {
    throw complaint(code)
  })
  // Whoever asks hears of it.
  died.catch(() => {})
  return {
    async ask<T>(question: Serializable): Promise<T> {
      const answered = once(child, 'message') as Promise<[T]>
      answered.catch(() => {})
      child.send(question)
      const [answer] = await Promise.race([answered, died])
      return answer
    },
    async dismiss(lastWord) {
      if (lastWord !== undefined) child.send(lastWord)
      else if (child.connected) child.disconnect()
      const [code] = await ended
      if (code !== 0) throw complaint(code)
    },
  }
}
