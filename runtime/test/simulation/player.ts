// Plays seeds one after the other, and says how to play a failed one again.
import { Dice } from "../../src/engine-sim/dice.ts";
import { emptyYaml } from "./bootstrap-yaml.ts";
import { ConfigSource } from "./config-source.ts";
import { RunPlan } from "./plan.ts";
import { run } from "./simulation.ts";

export interface Played {
  readonly steps: number;
  readonly digest: string;
  /** What went wrong and how to see it again; "" = nothing. */
  readonly failure: string;
  /** How many exchanges ended how, for people. */
  readonly summary: string;
}

export class Player {
  readonly #configs: ConfigSource;

  constructor() {
    this.#configs = new ConfigSource();
  }

  async play(seed: number, onLine?: (line: string) => void): Promise<Played> {
    // The plan is the first thing that a run draws.
    const plan = new RunPlan(seed, new Dice(seed).fork());
    await this.#configs.prepare(plan, emptyYaml);
    try {
      const result = run(seed, this.#configs, onLine === undefined ? {} : { onLine });
      const outcomes = new Map<string, number>();
      for (const { outcome } of result.exchanges)
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      const counts = [...outcomes].map(([name, count]) => `${count} ${name}`).join(", ");
      const summary = `${plan.toString()}\n${counts}, ${Math.round(result.virtualMs / 1000)} virtual seconds`;
      return { steps: result.steps, digest: result.digest, failure: "", summary };
    } catch (error) {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      const again = `node runtime/test/simulation/run.ts --seed ${seed} --trace`;
      const failure = `seed ${seed} (${plan.toString()}):\n${text}\nagain: ${again}`;
      return { steps: 0, digest: "", failure, summary: "" };
    }
  }
}
