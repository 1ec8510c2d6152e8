// What versions in the shadow of others did in another way, told whole: the first ones of each kind
// and version, of all workers. Filled by plugin-rollouts.ts, shown by plugin-page.ts.
import { TOLD_MAX } from "../wasm/shadow/difference.ts";
import type { ShadowDifference } from "../wasm/shadow/shadow.ts";

export interface ToldDifference {
  readonly difference: ShadowDifference;
  /** Milliseconds since 1970. */
  readonly timeMs: number;
}

/** Of all kinds and versions of one plugin: some 8 KiB each. The oldest is forgotten. */
const OF_PLUGIN_MAX = 100;
const PLUGINS_MAX = 256;

export class DifferenceBook {
  /** By name, the one that was told of last at the end. */
  readonly #plugins: Map<string, readonly ToldDifference[]>;

  constructor() {
    this.#plugins = new Map();
  }

  /** Each worker tells the first ones that it sees. */
  take(difference: ShadowDifference, timeMs: number = Date.now()): void {
    const { plugin, version, kind } = difference;
    const told = this.of(plugin);
    const alike = told.filter(({ difference: one }) => {
      return one.version === version && one.kind === kind;
    });
    if (alike.length >= TOLD_MAX) return;
    this.#plugins.delete(plugin);
    this.#plugins.set(plugin, [...told, { difference, timeMs }].slice(-OF_PLUGIN_MAX));
    for (const oldest of this.#plugins.keys()) {
      if (this.#plugins.size <= PLUGINS_MAX) break;
      this.#plugins.delete(oldest);
    }
  }

  /** Oldest first. */
  of(plugin: string): readonly ToldDifference[] {
    return this.#plugins.get(plugin) ?? [];
  }

  /** The version is in the shadow anew. */
  forget(plugin: string, version: string): void {
    const left = this.of(plugin).filter(({ difference }) => difference.version !== version);
    this.#plugins.set(plugin, left);
  }
}
