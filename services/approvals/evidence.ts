/**
 * What is sealed in the books of an approval: SHA-256 of this text, whose lines end with a line
 * feed, all but the last. What is not there is empty.
 *
 *   florin-evidence-v1
 *   digest=<SHA-256 of what was agreed to, in hex>
 *   factor=device
 *   key=dev_01h455vb4pex5vsknk084sn02q
 *   thumbprint=<of the key that signed, RFC 7638>
 *   at=2026-11-20T22:31:47.000Z
 *   step_up=
 *   proof=<SHA-256 of what the device signed, in hex>
 *
 * The thumbprint is there because for a signature of P-256 another key can be made that fits it.
 */
import { hash } from 'node:crypto'

export interface Evidence {
  readonly digest: Buffer
  readonly factor: string
  readonly key: string | null
  readonly thumbprint: string | null
  readonly at: Date
  readonly stepUp: string | null
  readonly proof: string | null
}

export const evidenceOf = (evidence: Evidence): Buffer => {
  const { digest, factor, key, thumbprint, at, stepUp, proof } = evidence
  const text =
    `florin-evidence-v1\ndigest=${digest.toString('hex')}\nfactor=${factor}\n` +
    `key=${key ?? ''}\nthumbprint=${thumbprint ?? ''}\nat=${at.toISOString()}\n` +
    `step_up=${stepUp ?? ''}\nproof=${proof === null ? '' : hash('sha256', proof)}`
  return hash('sha256', text, 'buffer')
}
