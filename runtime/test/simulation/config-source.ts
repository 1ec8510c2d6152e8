// Loads the simulation's YAML with the product's loader: once per text.
import type { Schema } from "../../src/config/schema.ts";
import { silentLogger } from "../../src/core/logger.ts";
import { PluginModuleLoader } from "../../src/server/plugin-modules.ts";
import { makeCertificate, type TestCertificate } from "../certificates.ts";
import { compileGuest } from "../guests/compile.ts";
import { loadWorkerConfig, type WorkerConfig } from "../worker-for-test.ts";
import { bootstrapYaml } from "./bootstrap-yaml.ts";
import type { RunPlan } from "./plan.ts";

/** Gives configurations at once: simulations do not wait. What is missing is asked for by prepare(). */
export class ConfigSource {
  readonly #loaded: Map<string, WorkerConfig>;
  readonly #modules: PluginModuleLoader;
  #schema: Schema | undefined;
  #guest: Uint8Array;
  #certificate: Pick<TestCertificate, "chainPem" | "keyPem">;

  constructor() {
    this.#loaded = new Map();
    this.#modules = new PluginModuleLoader(silentLogger);
    this.#schema = undefined;
    this.#guest = new Uint8Array(0);
    this.#certificate = { chainPem: "", keyPem: "" };
  }

  /** Loads all that a run with this plan may ask for. */
  async prepare(plan: RunPlan, emptyText: string): Promise<void> {
    if (plan.guestScript !== "" && this.#guest.length === 0) {
      this.#guest = await compileGuest("script");
    }
    if (plan.tls.downstream && this.#certificate.keyPem === "") {
      this.#certificate = await makeCertificate("sim.example");
    }
    const texts = [emptyText];
    for (let edition = 0; edition <= editionsMax; edition += 1)
      texts.push(this.#textOf(plan, edition));
    for (const text of texts) {
      if (!this.#loaded.has(text)) this.#loaded.set(text, await this.#load(text));
    }
  }

  load(plan: RunPlan, edition: number): WorkerConfig {
    return this.#get(this.#textOf(plan, edition));
  }

  empty(text: string): WorkerConfig {
    return this.#get(text);
  }

  #textOf(plan: RunPlan, edition: number): string {
    const { chainPem: certificatePem, keyPem } = this.#certificate;
    return bootstrapYaml(plan, edition, { guest: this.#guest, certificatePem, keyPem });
  }

  #get(text: string): WorkerConfig {
    const found = this.#loaded.get(text);
    if (found === undefined) throw new Error("a configuration was not prepared");
    return found;
  }

  async #load(text: string): Promise<WorkerConfig> {
    const loaded = await loadWorkerConfig(text, this.#modules, this.#schema);
    this.#schema = loaded.schema;
    return loaded;
  }
}

/** Editions of the configuration that a run may bring in force. */
export const editionsMax = 4;
