// When the soak run's script itself stood still, for want of a processor: what its clients saw right
// after may be as old as that.
const EVERY_MS = 100;
/** Shorter ones are within what the judge allows for. */
const STALL_MS_MIN = 400;
/** What waited is seen within so long. */
const AFTER_MS = 1000;

export class Stalls {
  readonly #found: { readonly fromMs: number; readonly toMs: number }[] = [];
  #lastMs: number = Date.now();
  readonly #timer: NodeJS.Timeout;

  constructor() {
    this.#timer = setInterval(() => this.noteTick(Date.now()), EVERY_MS);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** The longest, in milliseconds; 0 = it never stood still. */
  get longestMs(): number {
    return Math.max(0, ...this.#found.map(({ fromMs, toMs }) => toMs - fromMs));
  }

  /** Since when what was seen at `atMs` may have been there. */
  seenSince(atMs: number): number {
    const stall = this.#found.findLast(
      ({ fromMs, toMs }) => atMs >= fromMs && atMs < toMs + AFTER_MS,
    );
    // One that follows at once has kept what the one before had left.
    return stall === undefined ? atMs : Math.min(atMs, this.seenSince(stall.fromMs - 1));
  }

  noteTick(nowMs: number): void {
    const last = this.#lastMs;
    this.#lastMs = nowMs;
    if (nowMs - last >= STALL_MS_MIN) this.#found.push({ fromMs: last, toMs: nowMs });
  }
}
