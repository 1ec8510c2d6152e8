// Loads the simulation's YAML with the product's loader: once per text.
import { loadBootstrap } from "../../src/config/bootstrap-loader.ts";
import type { Schema } from "../../src/config/schema.ts";
import type { Snapshot } from "../../src/config/snapshot.ts";
import { translateBootstrap } from "../../src/config/translate/translate-bootstrap.ts";
import { silentLogger } from "../../src/core/logger.ts";
import { PluginModuleLoader } from "../../src/server/plugin-modules.ts";
import type { CompiledModule } from "../../src/wasm/compiled-module.ts";
import { compileGuest } from "../guests/compile.ts";
import { bootstrapYaml } from "./bootstrap-yaml.ts";
import type { RunPlan } from "./plan.ts";

export interface SimulatedConfig {
  readonly snapshot: Snapshot;
  readonly modules: ReadonlyMap<string, CompiledModule>;
}

const translation = {
  version: 1,
  serviceNode: "",
  serviceCluster: "",
  serviceZone: "",
  fileFlushIntervalMs: 1000,
  drainTimeMs: 30_000,
  drainStrategy: "gradual",
  ignoreUnsupported: false,
} as const;

/** Gives configurations at once: simulations do not wait. What is missing is asked for by prepare(). */
export class ConfigSource {
  readonly #loaded: Map<string, SimulatedConfig>;
  readonly #modules: PluginModuleLoader;
  #schema: Schema | undefined;
  #guest: Uint8Array;

  constructor() {
    this.#loaded = new Map();
    this.#modules = new PluginModuleLoader(silentLogger);
    this.#schema = undefined;
    this.#guest = new Uint8Array(0);
  }

  /** Loads all that a run with this plan may ask for. */
  async prepare(plan: RunPlan, emptyText: string): Promise<void> {
    if (plan.guestScript !== "" && this.#guest.length === 0) {
      this.#guest = await compileGuest("script");
    }
    const texts = [emptyText];
    for (let edition = 0; edition <= editionsMax; edition += 1)
      texts.push(this.#textOf(plan, edition));
    for (const text of texts) {
      if (!this.#loaded.has(text)) this.#loaded.set(text, await this.#load(text));
    }
  }

  load(plan: RunPlan, edition: number): SimulatedConfig {
    return this.#get(this.#textOf(plan, edition));
  }

  empty(text: string): SimulatedConfig {
    return this.#get(text);
  }

  #textOf(plan: RunPlan, edition: number): string {
    return bootstrapYaml(plan, edition, this.#guest);
  }

  #get(text: string): SimulatedConfig {
    const found = this.#loaded.get(text);
    if (found === undefined) throw new Error("a configuration was not prepared");
    return found;
  }

  async #load(text: string): Promise<SimulatedConfig> {
    const input = { yaml: text, allowUnknownStaticFields: false, schema: this.#schema };
    const loadedText = await loadBootstrap(input);
    // Making it takes longer than all the rest.
    this.#schema = loadedText.schema;
    const { snapshot } = translateBootstrap(loadedText, translation);
    const loaded = await this.#modules.load(snapshot);
    if (loaded.problems.length > 0) throw new Error(JSON.stringify(loaded.problems));
    return { snapshot: loaded.snapshot, modules: loaded.modules };
  }
}

/** Editions of the configuration that a run may bring in force. */
export const editionsMax = 4;
