/** Settings of the second factor: codes of an authenticator app. */
import { z } from 'zod'
import { integer } from './kinds.ts'

export const TOTP_SETTINGS = {
  TOTP_ISSUER: z
    .string()
    .regex(/^[^\p{C}:]{1,32}$/u, 'must be 1 to 32 visible characters, no colon')
    .default('Florin')
    .describe('Whose codes they are, as the authenticator app shows it'),
  TOTP_STEPS_BACK: integer(1, 0, 1).describe(
    'How many steps of 30 s a code may be late; 0 is strict',
  ),
  TOTP_ATTEMPTS_MAX: integer(5, 1, 5).describe('Wrong codes in a row before a lock'),
  TOTP_LOCK_S: integer(1_800, 1_800, 2_592_000).describe('How long that lock lasts, in seconds'),
  TOTP_FAILURES_MAX: integer(20, 1, 20).describe(
    'Wrong codes without a right one between, before no code alone resets a PIN',
  ),
  TOTP_ENROLMENT_S: integer(600, 60, 3_600).describe(
    'How long a person may take to confirm a new authenticator, in seconds',
  ),
}
