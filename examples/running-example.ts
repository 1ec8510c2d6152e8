// Runs the launcher on an example's envoy.yaml, for its verify.test.ts: in a folder of its own, with
// other ports, and nothing left behind.
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { launcher } from "../runtime/test/launcher.ts";
import { compileFilter } from "../runtime/testing/compile.ts";

const here = dirname(fileURLToPath(import.meta.url));
const POLL_MS = 10;
/** For what never comes. */
export const WAIT_MAX_MS = 60_000;

/** Text of envoy.yaml and what stands in its place. */
export type Replacement = readonly [text: string, by: string];

export class RunningExample {
  readonly #child: ChildProcess;
  readonly #exited: Promise<number | null>;
  readonly #folder: string;
  /** "127.0.0.1:PORT". */
  admin = "";
  output = "";

  private constructor(binary: string, folder: string, args: readonly string[]) {
    this.#folder = folder;
    this.#child = spawn(binary, args, { stdio: ["ignore", "pipe", "pipe"] });
    this.#exited = once(this.#child, "close").then(([code]) => code as number | null);
    const collect = (chunk: string): void => {
      this.output += chunk;
    };
    this.#child.stdout?.setEncoding("utf8").on("data", collect);
    this.#child.stderr?.setEncoding("utf8").on("data", collect);
  }

  /** Starts the example `name`, with `more` flags, and waits until it is live. Throws when a replaced text is missing. */
  static async start(
    name: string,
    replaced: readonly Replacement[],
    more: readonly string[] = [],
    binary: string = launcher,
  ): Promise<RunningExample> {
    let config = readFileSync(join(here, name, "envoy.yaml"), "utf8");
    for (const [text, by] of [...replaced, ["port_value: 9901", "port_value: 0"] as const]) {
      if (!config.includes(text)) throw new Error(`envoy.yaml has no "${text}"`);
      config = config.replaceAll(text, by);
    }
    const folder = mkdtempSync(join(tmpdir(), `headgate-${name}-`));
    const file = join(folder, "envoy.yaml");
    const adminFile = join(folder, "admin");
    writeFileSync(file, config);
    const flags = ["--file-flush-interval-msec", "20"];
    if (!more.includes("--concurrency")) flags.push("--concurrency", "1");
    const args = ["-c", file, "--admin-address-path", adminFile, ...flags, ...more];
    const example = new RunningExample(binary, folder, args);
    try {
      await example.until(async () => {
        example.admin = readFileSync(adminFile, "utf8");
        return example.admin !== "" && (await fetch(`http://${example.admin}/ready`)).ok;
      });
    } catch (error) {
      await example.stop();
      throw error;
    }
    return example;
  }

  /** As `start`, with the filter in the example's assembly/, compiled as the tests of filters do. */
  static async startFilter(
    name: string,
    replaced: readonly Replacement[] = [],
    more: readonly string[] = [],
    binary: string = launcher,
  ): Promise<RunningExample> {
    const { wasm } = await compileFilter(join(here, name, "assembly", "index.ts"));
    const module: Replacement = [`examples/${name}/build/${name}.wasm`, wasm];
    const listener: Replacement = ["port_value: 10000", "port_value: 0"];
    return RunningExample.start(name, [module, listener, ...replaced], more, binary);
  }

  /** Port of a listener on 127.0.0.1. */
  async port(listener: string): Promise<number> {
    const text = await (await fetch(`http://${this.admin}/listeners`)).text();
    return Number(new RegExp(`^${listener}::127\\.0\\.0\\.1:(\\d+)$`, "m").exec(text)?.[1]);
  }

  async stats(): Promise<string> {
    return await (await fetch(`http://${this.admin}/stats`)).text();
  }

  /** Until these have come to what they are said to be: workers tell the main thread at times. */
  async untilStats(values: Readonly<Record<string, number>>): Promise<void> {
    const lines = Object.entries(values).map(([name, value]) => `${name}: ${value}\n`);
    await this.until(async () => {
      const stats = await this.stats();
      return lines.every((line) => stats.includes(line));
    });
  }

  /** Throws with all the output when it does not come. */
  async until(ask: () => boolean | Promise<boolean>): Promise<void> {
    const deadline = Date.now() + WAIT_MAX_MS;
    while (Date.now() < deadline && this.#child.exitCode === null) {
      // Until something listens, asking fails; the deadline is the judge.
      const isSo = await Promise.resolve()
        .then(ask)
        .catch(() => false);
      if (isSo) return;
      await new Promise((resolve) => {
        setTimeout(resolve, POLL_MS);
      });
    }
    throw new Error(`it did not happen:\n${this.output}`);
  }

  /** Asks it to end; answers its exit code. */
  async stop(): Promise<number | null> {
    this.#child.kill("SIGTERM");
    const code = await this.#exited;
    rmSync(this.#folder, { recursive: true, force: true });
    return code;
  }
}
