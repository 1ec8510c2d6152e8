// A worker's heartbeats, and its look at the main thread's. Called by worker-entry.ts.
import { intervalTicks, type TickSource } from "../core/timer-wheel.ts";
import type { PulseMemory } from "./pulse.ts";

/** `kill` is called when the main thread is stuck for longer than it may be. */
export function startBeating(
  pulse: PulseMemory,
  thread: number,
  kill: () => void,
  ticks: TickSource = intervalTicks,
): void {
  const mainWatch = new MainWatch(pulse, kill);
  let everyMs = pulse.beatMs;
  let stop = ticks.start(everyMs, beat);
  function beat(): void {
    pulse.beat(thread);
    mainWatch.look(everyMs);
    if (pulse.beatMs === everyMs) return;
    stop();
    everyMs = pulse.beatMs;
    stop = ticks.start(everyMs, beat);
  }
}

/** Counts only time in which this thread ran, so that a suspended machine kills nobody. */
export class MainWatch {
  readonly #pulse: PulseMemory;
  readonly #kill: () => void;
  #beats: number = -1;
  #silentMs: number = 0;

  constructor(pulse: PulseMemory, kill: () => void) {
    this.#pulse = pulse;
    this.#kill = kill;
  }

  look(elapsedMs: number): void {
    const killMs = this.#pulse.mainKillMs;
    const beats = this.#pulse.mainBeats;
    if (killMs === 0 || beats !== this.#beats) {
      this.#beats = beats;
      this.#silentMs = 0;
      return;
    }
    this.#silentMs += elapsedMs;
    if (this.#silentMs >= killMs) this.#kill();
  }
}
