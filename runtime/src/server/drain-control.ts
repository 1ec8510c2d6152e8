// What the operator has said about draining: told to all workers, and again to those that come
// later. Called by server.ts for the admin interface's /healthcheck and /drain_listeners.
import type { DrainOptions } from "../admin/admin-delegate.ts";
import type { ToWorker } from "./protocol.ts";

export interface DrainControlOptions {
  /** --drain-time-s in milliseconds. */
  readonly drainTimeMs: number;
  /** Monotonic milliseconds. */
  readonly nowMs: () => number;
  readonly broadcast: (message: ToWorker) => void;
  /** Listeners have been told to accept no more: each is in one of these sets, once. */
  readonly onStopListening: (which: "all" | "inbound" | "not_inbound") => void;
}

export class DrainControl {
  readonly #options: DrainControlOptions;
  #isHealthcheckFailed: boolean = false;
  /** When the drain sequence of inbound listeners began, and of all others; null = not begun. */
  #inboundStartMs: number | null = null;
  #otherStartMs: number | null = null;
  /** All listeners accept no more, or inbound ones only. */
  #stopped: "none" | "inbound" | "all" = "none";
  readonly #timers: Set<NodeJS.Timeout>;

  constructor(options: DrainControlOptions) {
    this.#options = options;
    this.#timers = new Set();
  }

  get isHealthcheckFailed(): boolean {
    return this.#isHealthcheckFailed;
  }

  /** /healthcheck/fail and /healthcheck/ok. */
  setHealthcheckFailed(isFailed: boolean): void {
    this.#isHealthcheckFailed = isFailed;
    this.#options.broadcast({ type: "healthcheck", isFailed });
  }

  /**
   * /drain_listeners: listeners close at once, or when the drain time is over after clients were
   * asked to leave; with skipExit they go on accepting.
   */
  drainListeners({ graceful, skipExit, inboundOnly }: DrainOptions): void {
    if (!graceful) {
      this.stopListening(inboundOnly);
      return;
    }
    this.startSequence(inboundOnly);
    if (skipExit) return;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.stopListening(inboundOnly);
    }, this.#options.drainTimeMs);
    timer.unref();
    this.#timers.add(timer);
  }

  /** Clients are asked to leave, gradually or at once. A sequence that has begun goes on. */
  startSequence(inboundOnly: boolean): void {
    const nowMs = this.#options.nowMs();
    this.#inboundStartMs ??= nowMs;
    if (!inboundOnly) this.#otherStartMs ??= nowMs;
    this.#options.broadcast({ type: "drain", inboundOnly, elapsedMs: 0 });
  }

  stopListening(inboundOnly: boolean): void {
    if (this.#stopped === "all" || (inboundOnly && this.#stopped === "inbound")) return;
    const which = inboundOnly ? "inbound" : this.#stopped === "inbound" ? "not_inbound" : "all";
    this.#stopped = inboundOnly ? "inbound" : "all";
    this.#options.broadcast({ type: "stop_listening", inboundOnly });
    this.#options.onStopListening(which);
  }

  /** For a worker that has just come. */
  messages(): ToWorker[] {
    const messages: ToWorker[] = [];
    if (this.#isHealthcheckFailed) messages.push({ type: "healthcheck", isFailed: true });
    const nowMs = this.#options.nowMs();
    const add = (inboundOnly: boolean, startMs: number | null): void => {
      if (startMs === null) return;
      messages.push({ type: "drain", inboundOnly, elapsedMs: nowMs - startMs });
    };
    // Inbound first: it may have begun earlier, and what has begun goes on as it is.
    add(true, this.#inboundStartMs);
    add(false, this.#otherStartMs);
    if (this.#stopped !== "none") {
      messages.push({ type: "stop_listening", inboundOnly: this.#stopped === "inbound" });
    }
    return messages;
  }

  close(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }
}
