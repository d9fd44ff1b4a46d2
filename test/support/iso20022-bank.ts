/** A directory of exchange of one's own, and the adapter that uses it. */
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { BankAdapter, Collected, Instruction, StatementLine } from '../../adapters/adapter.ts'
import { openBanks, type BankConfig } from '../../adapters/index.ts'
import { temporaryFolder } from './sandbox-bank.ts'

export const OUR_IBAN = 'NL91ABNA0417164300'

export const configIn = (folder: string): Extract<BankConfig, { protocol: 'iso20022' }> => ({
  name: 'files',
  protocol: 'iso20022',
  currencies: ['EUR', 'JPY', 'KWD'],
  folder,
  initiator: { name: 'Florin & Söhne', id: 'FLORIN01' },
  bic: 'ABNANL2A',
  accounts: {
    EUR: { iban: OUR_IBAN },
    JPY: { iban: 'DE89370400440532013000' },
    KWD: { iban: 'KW81CBKU0000000000001234560101' },
  },
  serviceLevels: { sct: 'SEPA', inst: 'SEPA/INST' },
  creditor: { id: 'NL12ZZZ123456780000', mandatesSignedOn: '2026-01-15' },
})

export interface FileBank {
  readonly folder: string
  readonly adapter: BankAdapter
  readonly names: (folder: string) => Promise<string[]>
  readonly read: (folder: string, name: string) => Promise<string>
  /** As a bank does: written under another name, then renamed. */
  readonly drop: (name: string, text: string | Buffer) => Promise<void>
}

export async function openFileBank(): Promise<FileBank> {
  const folder = await temporaryFolder()
  const adapter = openBanks([configIn(folder)], { clock: () => NOW }).get('files')
  if (adapter === undefined) throw new Error('the bank does not open')
  await mkdir(join(folder, 'in'), { recursive: true })
  return {
    folder,
    adapter,
    async names(name) {
      const names: string[] = await readdir(join(folder, name)).catch(() => [])
      return names.sort()
    },
    read: (place, name) => readFile(join(folder, place, name), 'utf8'),
    async drop(name, text) {
      await writeFile(join(folder, 'in', `${name}.part`), text)
      await rename(join(folder, 'in', `${name}.part`), join(folder, 'in', name))
    },
  }
}

const NOW = new Date('2026-11-27T12:00:00Z')

export const order = (reference: string, more: Partial<Instruction> = {}): Instruction => ({
  reference,
  direction: 'credit',
  rail: 'sct',
  money: { amount: 1250n, currency: 'EUR' },
  account: { number: 'DE89370400440532013000', holder: 'Ada Lovelace' },
  ...more,
})

export const batchOf = (id: string, ...instructions: Instruction[]) => ({
  id,
  createdAt: NOW,
  instructions,
})

export async function collected(adapter: BankAdapter): Promise<Collected[]> {
  const files: Collected[] = []
  for await (const file of adapter.collect()) files.push(file)
  return files
}

export async function statementOf(adapter: BankAdapter): Promise<StatementLine[]> {
  const lines: StatementLine[] = []
  for await (const line of adapter.fetchStatement()) lines.push(line)
  return lines
}
