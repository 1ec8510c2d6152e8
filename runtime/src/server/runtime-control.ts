// Runtime layers in the main thread: what /runtime shows and /runtime_modify changes. Workers get
// the layers with their snapshot, and the admin layer's values by message.
import { runtimeValueOfText } from "../config/runtime-values.ts";
import { Runtime } from "../core/runtime.ts";
import type { RuntimeLayer, RuntimeValue } from "../core/runtime.ts";
import type { ServerStats } from "../stats/server-stats.ts";
import type { ToWorker } from "./protocol.ts";

/** Keys that /runtime_modify may hold: each costs memory in every worker. */
const OVERRIDES_MAX = 10_000;

export class RuntimeControl {
  readonly #runtime: Runtime;
  readonly #overrides: Map<string, RuntimeValue>;
  readonly #stats: Pick<ServerStats, "runtime" | "runtimeGauges">;
  readonly #broadcast: (message: ToWorker) => void;

  constructor(
    stats: Pick<ServerStats, "runtime" | "runtimeGauges">,
    broadcast: (message: ToWorker) => void,
  ) {
    this.#runtime = new Runtime();
    this.#overrides = new Map();
    this.#stats = stats;
    this.#broadcast = broadcast;
    this.#count();
  }

  get layers(): readonly RuntimeLayer[] {
    return this.#runtime.layers;
  }

  /** The layers of a configuration that is in force from now on. */
  load(layers: readonly RuntimeLayer[]): void {
    this.#runtime.setLayers(layers);
    this.#count();
  }

  /** Sets keys, or removes those whose text is empty. Answers what is wrong, "" = done. */
  modify(pairs: readonly (readonly [string, string])[]): string {
    if (!this.#runtime.layers.some((layer) => layer.kind === "admin")) {
      return "No admin layer specified";
    }
    const added = pairs.filter(([key, text]) => text !== "" && !this.#overrides.has(key)).length;
    if (this.#overrides.size + added > OVERRIDES_MAX) {
      return `There are at most ${OVERRIDES_MAX} overrides`;
    }
    for (const [key, text] of pairs) {
      if (text === "") this.#overrides.delete(key);
      else this.#overrides.set(key, runtimeValueOfText(text));
    }
    this.#runtime.setOverrides(new Map(this.#overrides));
    this.#broadcast(this.message());
    this.#count();
    return "";
  }

  /** For workers that come later. */
  message(): ToWorker {
    return { type: "runtime", overrides: this.#overrides };
  }

  #count(): void {
    const { runtime, runtimeGauges } = this.#stats;
    runtime.load_success.inc();
    runtime.override_dir_not_exists.inc();
    runtimeGauges.num_keys.set(this.#runtime.values.size);
    runtimeGauges.num_layers.set(this.#runtime.layers.length);
    runtimeGauges.admin_overrides_active.set(this.#overrides.size > 0 ? 1 : 0);
  }
}
