// The last part of a process that was taken over: clients leave, and it ends when the last has
// left, when the drain time is over, or when its successor's patience is. Made by server.ts.

export interface RetirementOptions {
  /** --drain-time-s in milliseconds: what clients get to leave by themselves. */
  readonly drainTimeMs: number;
  /**
   * Asks clients to leave. Comes a moment after the listeners were told to close, so that those who
   * leave do not come back to them.
   */
  readonly onDrain: () => void;
  /** Downstream connections that are left. */
  readonly connections: () => number;
  /** Monotonic milliseconds. */
  readonly nowMs: () => number;
  readonly onProgress: (connections: number) => void;
  readonly onEnd: (reason: string) => void;
}

const LOOK_INTERVAL_MS = 250;

export class Retirement {
  readonly #options: RetirementOptions;
  #timer: NodeJS.Timeout | null = null;
  #deadlineMs: number | null = null;

  constructor(options: RetirementOptions) {
    this.#options = options;
  }

  /** What streams in flight may still take; null = this process was not taken over. */
  get remainingMs(): number | null {
    return this.#deadlineMs === null ? null : Math.max(0, this.#deadlineMs - this.#options.nowMs());
  }

  /** Process `pid` has taken over and wants this one to end within `shutdownMs`. */
  start(pid: number, shutdownMs: number): void {
    if (this.#timer !== null) return;
    const startMs = this.#options.nowMs();
    this.#deadlineMs = startMs + shutdownMs;
    const drainEndMs = startMs + Math.min(this.#options.drainTimeMs, shutdownMs);
    let wasEmpty = false;
    let isDraining = false;
    this.#timer = setInterval(() => {
      if (!isDraining) this.#options.onDrain();
      isDraining = true;
      const connections = this.#options.connections();
      this.#options.onProgress(connections);
      // Twice, for what stood in accept queues at the first look.
      const isOver = (connections === 0 && wasEmpty) || this.#options.nowMs() >= drainEndMs;
      wasEmpty = connections === 0;
      if (!isOver) return;
      this.close();
      this.#options.onEnd(`the takeover by process ${pid}`);
    }, LOOK_INTERVAL_MS);
  }

  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
  }
}
