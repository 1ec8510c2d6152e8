// The pace of a client under load: bursts, and rests between them, in which connections are idle and the machine
// is free for what the test is about.
const BURST = 4;
const REST_MS = 20;

export class Pace {
  #left: number = BURST;

  /** Calls `next` at once, or behind a burst after a rest. */
  step(next: () => void): void {
    this.#left -= 1;
    if (this.#left > 0) {
      next();
      return;
    }
    this.#left = BURST;
    setTimeout(next, REST_MS);
  }

  /** As `step`, for whoever awaits it. */
  turn(): Promise<void> {
    return new Promise((resolve) => this.step(resolve));
  }
}
