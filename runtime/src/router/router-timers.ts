// The timers of one router: of the route, of one attempt, of the whole stream and of the upstream's
// part in it. Made when they are first needed, used again with each request.
import type { Clock } from "../core/clock.ts";
import { TimerEntry } from "../core/timer-wheel.ts";
import type { TimerWheel } from "../core/timer-wheel.ts";

/** Whom a router's timer calls. */
export interface TimeoutReceiver {
  onTimeout(kind: TimeoutKind): void;
}

export const TimeoutKind = {
  Route: 0,
  PerTry: 1,
  /** The route's limit, from the stream's start. */
  StreamDuration: 2,
  /** The cluster's limit, from the connection. */
  UpstreamDuration: 3,
} as const;
export type TimeoutKind = (typeof TimeoutKind)[keyof typeof TimeoutKind];

class RouterTimer extends TimerEntry {
  readonly #receiver: TimeoutReceiver;
  readonly #kind: TimeoutKind;

  constructor(receiver: TimeoutReceiver, kind: TimeoutKind) {
    super();
    this.#receiver = receiver;
    this.#kind = kind;
  }

  override onDeadline(): void {
    this.#receiver.onTimeout(this.#kind);
  }
}

export class RouterTimers {
  readonly #receiver: TimeoutReceiver;
  readonly #clock: Clock;
  readonly #wheel: TimerWheel;
  /** Nearly all requests have this one. */
  readonly #route: RouterTimer;
  #perTry: RouterTimer | null = null;
  #stream: RouterTimer | null = null;
  #upstream: RouterTimer | null = null;

  constructor(receiver: TimeoutReceiver, clock: Clock, wheel: TimerWheel) {
    this.#receiver = receiver;
    this.#clock = clock;
    this.#wheel = wheel;
    this.#route = new RouterTimer(receiver, TimeoutKind.Route);
  }

  // 0 = no limit.

  startRoute(ms: number): void {
    if (ms > 0) this.#wheel.schedule(this.#route, this.#clock.nowMs + ms);
  }

  startPerTry(ms: number): void {
    if (ms === 0) return;
    this.#perTry ??= new RouterTimer(this.#receiver, TimeoutKind.PerTry);
    this.#wheel.schedule(this.#perTry, this.#clock.nowMs + ms);
  }

  startStream(fromMs: number, ms: number): void {
    if (ms <= 0) return;
    this.#stream ??= new RouterTimer(this.#receiver, TimeoutKind.StreamDuration);
    this.#wheel.schedule(this.#stream, fromMs + ms);
  }

  startUpstream(ms: number): void {
    if (ms === 0) return;
    this.#upstream ??= new RouterTimer(this.#receiver, TimeoutKind.UpstreamDuration);
    this.#wheel.schedule(this.#upstream, this.#clock.nowMs + ms);
  }

  cancelRoute(): void {
    this.#wheel.cancel(this.#route);
  }

  cancelPerTry(): void {
    if (this.#perTry !== null) this.#wheel.cancel(this.#perTry);
  }

  cancelAll(): void {
    this.cancelRoute();
    this.cancelPerTry();
    if (this.#stream !== null) this.#wheel.cancel(this.#stream);
    if (this.#upstream !== null) this.#wheel.cancel(this.#upstream);
  }
}
