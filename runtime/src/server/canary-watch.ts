// Looks every second whether canaries do well, and says when one has to go or has passed. Used by
// plugin-rollouts.ts; canary-judge.ts decides.
import type { CanaryBounds } from "../config/wasm-policy.ts";
import { readVersionCounts, totalsSince } from "../wasm/version-counts.ts";
import type { VersionTotals } from "../wasm/version-counts.ts";
import { judgeCanary } from "./canary-judge.ts";
import type { PluginVersion, PluginVersions } from "./plugin-registry.ts";

export interface CanaryWatchOptions {
  readonly plugins: () => readonly PluginVersions[];
  readonly rollBack: (plugin: string, version: string, reason: string) => void;
  readonly promote: (plugin: string, version: string, reason: string) => void;
  /** Monotonic milliseconds. Default: the process' clock. */
  readonly nowMs?: () => number;
}

/** What both versions had done when the window began. */
interface Window {
  readonly canary: VersionTotals;
  readonly primary: VersionTotals;
  readonly sinceMs: number;
}

const LOOK_MS = 1000;

export class CanaryWatch {
  readonly #options: CanaryWatchOptions;
  readonly #nowMs: () => number;
  /** By plugin and both versions. */
  #windows: ReadonlyMap<string, Window>;
  #timer: NodeJS.Timeout | null = null;

  constructor(options: CanaryWatchOptions) {
    this.#options = options;
    this.#nowMs = options.nowMs ?? ((): number => performance.now());
    this.#windows = new Map();
  }

  /** Versions have changed: looks as long as there is a canary. */
  follow(): void {
    this.look();
    const isNeeded = this.#windows.size > 0;
    if (!isNeeded) this.close();
    else this.#timer ??= setInterval(() => this.follow(), LOOK_MS).unref();
  }

  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  look(): void {
    const windows = new Map<string, Window>();
    for (const { name, versions } of this.#options.plugins()) {
      const primary = versions.find(({ state }) => state === "primary");
      const canary = versions.find(({ state }) => state === "canary");
      if (primary === undefined || canary === undefined) continue;
      const key = JSON.stringify([name, primary.name, canary.name, canary.sinceMs]);
      windows.set(key, this.#judge(name, primary, canary, this.#windows.get(key)));
    }
    this.#windows = windows;
  }

  #judge(
    plugin: string,
    primary: PluginVersion,
    canary: PluginVersion,
    known: Window | undefined,
  ): Window {
    const totals = {
      canary: readVersionCounts(canary.counts),
      primary: readVersionCounts(primary.counts),
    };
    const nowMs = this.#nowMs();
    const begun = { ...totals, sinceMs: nowMs };
    if (known === undefined || canary.trial === null) return begun;
    const { bounds, isPromoted } = canary.trial;
    const { kind, reason } = judgeCanary(
      {
        canary: totalsSince(totals.canary, known.canary),
        primary: totalsSince(totals.primary, known.primary),
        elapsedMs: nowMs - known.sinceMs,
      },
      bounds,
    );
    if (kind === "wait") return known;
    if (kind === "rollback") this.#options.rollBack(plugin, canary.name, reason);
    else if (isPromoted) this.#options.promote(plugin, canary.name, passedText(bounds));
    // Whatever becomes of that, the next window has its own numbers.
    return begun;
  }
}

function passedText({ windowMs }: CanaryBounds): string {
  return `${windowMs / 1000} s went well`;
}
