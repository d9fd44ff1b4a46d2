/** `florin bank certify`, in this process. */
import { certifyBank } from '../../services/cli/certify.ts'

/** What the command says, and its exit code. */
export async function certified(...words: string[]) {
  const said: string[] = []
  const quiet = { complain: () => {}, progress: () => {}, done: () => {} }
  const code = await certifyBank.run(words, { ...quiet, say: (line) => void said.push(line) })
  return { code, text: said.join('\n') }
}
