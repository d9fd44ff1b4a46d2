/**
 * Keeps us from asking a bank that does not answer, and from asking twice as much as we should.
 * Of each process: what it knows of a bank's health is what its own calls met.
 */
import {
  BrokenCircuitError,
  circuitBreaker,
  type CircuitBreakerPolicy,
  CircuitState,
  CountBreaker,
  handleWhen,
  type IBackoff,
} from 'cockatiel'
import { BankError, type BankErrorCode } from '../../adapters/adapter.ts'

export type Health = 'closed' | 'half_open' | 'open'

export interface Breakers {
  /** `open`: the bank failed too often, and is left alone for a while. */
  readonly health: (bank: string) => Health
  /** Whether the bank may be called now; after a pause one call may try. */
  readonly mayCall: (bank: string) => boolean
  /**
   * Calls the bank, and learns from it.
   * @throws {BankError} `bank_unreachable` when the bank is left alone; and whatever `work` throws.
   */
  readonly call: <T>(bank: string, work: () => Promise<T>) => Promise<T>
  /** Takes one repetition out of the bank's budget. False: nothing is left of it. */
  readonly mayRepeat: (bank: string) => boolean
}

export interface BreakerOptions {
  /** The share of the last calls that must fail. */
  readonly threshold: number
  readonly calls: number
  readonly pause_ms: number
  /** Repetitions for each first call. */
  readonly repeats: number
  /** Told of every change of a bank's health. */
  readonly onChange?: (bank: string, health: Health) => void
}

/** That a bank is in trouble is told by these; the others are about one message. */
const TROUBLE: readonly BankErrorCode[] = ['bank_unreachable', 'bank_outcome_unknown']
const isTrouble = (error: unknown) => error instanceof BankError && TROUBLE.includes(error.code)

/** What a bank that was quiet for long may be asked again at once. */
const REPEATS_SAVED_MAX = 10
/** With few first calls a share of them is nothing: so often it may be asked again anyway. */
const REPEATS_PER_S = 1

const HEALTH: Readonly<Record<CircuitState, Health>> = {
  [CircuitState.Closed]: 'closed',
  [CircuitState.HalfOpen]: 'half_open',
  [CircuitState.Open]: 'open',
  [CircuitState.Isolated]: 'open',
}

interface Breaker {
  readonly policy: CircuitBreakerPolicy
  /** Of a monotonic clock. */
  openUntil_ms: number
  repeats: number
  /** When `repeats` was last told, by the same clock. */
  told_ms: number
}

function save(breaker: Breaker, more: number): void {
  const now_ms = performance.now()
  const since_s = (now_ms - breaker.told_ms) / 1000
  breaker.told_ms = now_ms
  const saved = breaker.repeats + more + since_s * REPEATS_PER_S
  breaker.repeats = Math.min(saved, REPEATS_SAVED_MAX)
}

/**
 * By itself cockatiel would go by the time of day, which may be set back. It asks at each call, for
 * those too that waited while another tried.
 */
function pauseWhile(isSo: () => boolean): IBackoff<unknown> {
  const pause = {
    get duration() {
      return isSo() ? Infinity : -Infinity
    },
    next: () => pause,
  }
  return pause
}

const isPausing = ({ openUntil_ms }: Breaker): boolean => performance.now() < openUntil_ms

export function openBreakers(options: BreakerOptions): Breakers {
  const { threshold, calls, pause_ms, repeats, onChange } = options
  const breakers = new Map<string, Breaker>()

  function breakerOf(bank: string): Breaker {
    const known = breakers.get(bank)
    if (known !== undefined) return known
    const counting = new CountBreaker({ threshold, size: calls, minimumNumberOfCalls: calls })
    const when = { halfOpenAfter: pauseWhile(() => isPausing(made)), breaker: counting }
    const policy = circuitBreaker(handleWhen(isTrouble), when)
    const fresh = { repeats: REPEATS_SAVED_MAX, told_ms: performance.now() }
    const made: Breaker = { policy, openUntil_ms: 0, ...fresh }
    policy.onBreak(() => (made.openUntil_ms = performance.now() + pause_ms))
    if (onChange !== undefined) policy.onStateChange((state) => onChange(bank, HEALTH[state]))
    breakers.set(bank, made)
    return made
  }

  return {
    health: (bank) => HEALTH[breakerOf(bank).policy.state],
    mayCall(bank) {
      const breaker = breakerOf(bank)
      const { state } = breaker.policy
      return state === CircuitState.Closed || (state === CircuitState.Open && !isPausing(breaker))
    },
    async call(bank, work) {
      const breaker = breakerOf(bank)
      save(breaker, repeats)
      try {
        return await breaker.policy.execute(work)
      } catch (error) {
        if (!(error instanceof BrokenCircuitError)) throw error
        throw new BankError('bank_unreachable', { detail: `${bank} is left alone for a while` })
      }
    },
    mayRepeat(bank) {
      const breaker = breakerOf(bank)
      save(breaker, 0)
      if (breaker.repeats < 1) return false
      breaker.repeats -= 1
      return true
    },
  }
}
