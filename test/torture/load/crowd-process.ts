/** The crowd, as whoever orders it about sees it. */
import { type Helper, startHelper } from '../../bench/helper.ts'
import type { Site } from '../../bench/site.ts'
import type { Done, Order } from './crowd.ts'

export interface Crowd {
  readonly do: <O extends Order>(order: O) => Promise<Done[O['do']]>
  readonly leave: () => Promise<void>
}

export async function gather(site: Site, seed: number): Promise<Crowd> {
  const process: Helper = startHelper(new URL('./crowd.ts', import.meta.url))
  const { port, people, tokenUrl } = site
  await process.ask({ port, people, tokenUrl, seed })
  return {
    do: (order) => process.ask(order),
    leave: () => process.dismiss(),
  }
}
