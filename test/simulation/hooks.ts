/**
 * The chat app, which is told of everything that happens by the real relay, over a wire that is
 * simulated: what is sent may be lost, answered with a failure, or heard and not answered.
 */
import type { Context } from '../../services/context.ts'
import { createEndpoint, removeEndpoint } from '../../services/webhooks/endpoints.ts'
import { openDispatcher } from '../../services/webhooks/dispatch.ts'
import { fanOut } from '../../services/webhooks/fan_out.ts'
import type { Poster } from '../../services/webhooks/post.ts'
import type { Swarm } from './faults.ts'
import type { Schedule } from './schedule.ts'

export interface ChatApp {
  /** What every worker does again and again: new events become deliveries, and these are sent. */
  readonly relay: (context: Context) => Promise<void>
  /** What it should have heard and has not, or of which it was not told that it has. */
  readonly missed: () => Promise<string[]>
  readonly leave: () => Promise<void>
}

interface Wire {
  readonly schedule: Schedule
  readonly swarm: Swarm
  readonly random: () => number
}

interface Scene {
  readonly api: Context
  readonly context: Context
}

const TIMEOUT_S = 10
const URL = 'https://chat.example/hooks'

export async function openChatApp(
  { api, context: worker }: Scene,
  { schedule, swarm, random }: Wire,
): Promise<ChatApp> {
  // What earlier days left untold is told to nobody.
  while (!(await fanOut(worker)).isAll);
  const asked = { merchant: null, url: URL, types: ['*'], description: undefined, by: 'test' }
  const { row } = await createEndpoint(api, asked)
  const heard = new Set<string>()

  async function post({ headers }: Parameters<Poster['post']>[0]) {
    schedule.step()
    await schedule.sleep(random() * (swarm.hits('hookSlow') ? 8 : 1))
    if (swarm.hits('hookLost')) return { fault: 'unreachable' } as const
    if (swarm.hits('hookFails')) return { status: 500, excerpt: '' }
    heard.add(headers['webhook-id'] ?? '')
    const isUnanswered = swarm.hits('hookUnanswered')
    if (isUnanswered) await schedule.sleep(TIMEOUT_S)
    schedule.step()
    await schedule.mayStop()
    return isUnanswered ? ({ fault: 'timeout' } as const) : { status: 200, excerpt: '' }
  }

  const app: ChatApp = {
    async relay(context) {
      const dispatcher = openDispatcher(context, { post, close: () => {} })
      await dispatcher.run()
      while (dispatcher.stats().running > 0) await schedule.sleep(1)
      await dispatcher.close(0)
    },
    async missed() {
      const deliveries: { state: string; event_id: string }[] = await api
        .db('webhook_deliveries')
        .where({ endpoint_id: row.id })
        .select('state', 'event_id')
      const open = deliveries.filter(({ state }) => state !== 'delivered')
      const lost = deliveries.length - open.length - heard.size
      return [
        ...open.map(({ state, event_id: id }) => `the chat app was not told of ${id}: ${state}`),
        ...(lost > 0 ? [`the chat app has heard ${heard.size} of ${deliveries.length}`] : []),
        ...(deliveries.length === 0 ? ['the chat app was told of nothing'] : []),
      ]
    },
    leave: () => removeEndpoint(api, row.id, {}),
  }
  return app
}
