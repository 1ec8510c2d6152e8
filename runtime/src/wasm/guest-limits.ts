// Counts and tells when a guest wanted more than the host lets it hold. Asked by hostcalls and root
// contexts, on the rare way only.
import { LogLevel } from "../core/logger.ts";
import type { StatsStore } from "../stats/store.ts";
import type { GuestLog } from "./guest-log.ts";
import type { PluginIdentity } from "./plugin-identity.ts";

/** Last words of the counters `wasm.<plugin>.limit.<word>`. */
export type LimitName = "callouts_pending";

export class GuestLimits {
  readonly #stats: StatsStore;
  readonly #log: GuestLog;
  /** The first time of each is told: a guest that tries again and again shall not fill the log. */
  readonly #told: Set<string>;

  constructor(stats: StatsStore, log: GuestLog) {
    this.#stats = stats;
    this.#log = log;
    this.#told = new Set();
  }

  /** A wish of the plugin's guest was refused: it is above `max`. */
  exceeded(plugin: PluginIdentity, name: LimitName, max: number): void {
    const counter = `wasm.${plugin.name}.limit.${name}`;
    this.#stats.counter(counter).inc();
    if (this.#told.has(name)) return;
    this.#told.add(name);
    const what = `plugin ${plugin.name} is above its limit ${name} (${max})`;
    this.#log.host(LogLevel.Warning, `wasm ${what}; later ones are counted in ${counter}`);
  }
}
