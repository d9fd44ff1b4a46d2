/** Settings of the net settlement between banks. */
import { z } from 'zod'
import { integer } from './kinds.ts'

export const NETTING_SETTINGS = {
  NETTING_METHOD: z
    .enum(['multilateral', 'bilateral'])
    .default('multilateral')
    .describe('Of windows opened from now on: the fewest payments, or one for every pair of banks'),
  NETTING_WINDOW_S: integer(0, 0, 2_678_400).describe(
    'After so long a window is closed and the next one opened; 0: only when an operator says so',
  ),
}
