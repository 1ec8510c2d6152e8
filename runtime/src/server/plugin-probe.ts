// Starts and configures new plugins in a thread of their own before workers get them: a start that
// never ends, traps or takes all memory harms nobody there. version-applier.ts, validate.ts.
import { Worker } from "node:worker_threads";
import { codeName } from "../config/code-name.ts";
import type { NodeConfig, ProbedStart, Snapshot, WasmPluginConfig } from "../config/snapshot.ts";
import { LogLevel } from "../core/logger.ts";
import type { Logger } from "../core/logger.ts";
import type { CompiledModule } from "../wasm/compiled-module.ts";
import { callbackName, GUEST_MARK_CELLS } from "../wasm/guest-mark.ts";
import type { GuestTrap } from "../wasm/trap-report.ts";
import { type RunnablePlugin, runnablePlugins } from "./plugin-key.ts";
import type { PluginModules, PluginProblem } from "./plugin-modules.ts";
import { type PlacedFrame, placedText } from "./trap-places.ts";

/** What the probe's thread is born with (workerData). */
export interface ProbeBirth {
  readonly plugins: readonly WasmPluginConfig[];
  /** By their keys. */
  readonly modules: ReadonlyMap<string, CompiledModule>;
  readonly node: NodeConfig;
  /** Which guest runs. */
  readonly mark: Int32Array;
}

/** "ready" when the thread's code is loaded; then what is to say of each plugin, in their order. */
export type FromProbe = "ready" | ProbeResult;

export interface ProbeResult {
  /** Why it did not start; empty when it did, or when it began to do what others see. */
  readonly reasons: readonly string[];
  /** What the host had to say, with the guest's functions. */
  readonly lines: readonly string[];
  /** What stopped it; null = nothing did. */
  readonly trap: GuestTrap | null;
  /** What it took; null = the thread did not live to tell. */
  readonly start: ProbedStart | null;
}

/** Takes the report of a guest that was stopped, and says where that was in its sources. */
export type TakeTrap = (trap: GuestTrap) => Promise<readonly PlacedFrame[]>;

/** Of one version of a plugin. */
interface Finding {
  readonly refusal: string | undefined;
  readonly probed: ProbedStart | undefined;
}

/** For the thread's code, on a machine that has much else to do. */
const LOAD_TIME_MS = 60_000;

export class PluginProbe {
  readonly #entry: URL;
  readonly #logger: Logger;
  readonly #takeTrap: TakeTrap;

  /** `entry` is the module that its thread runs. */
  constructor(entry: URL, logger: Logger, takeTrap: TakeTrap) {
    this.#entry = entry;
    this.#logger = logger;
    this.#takeTrap = takeTrap;
  }

  /** What is wrong with plugins that are not in `inForce` as they are. */
  async run(loaded: PluginModules, inForce: PluginModules | null): Promise<PluginProblem[]> {
    const { plugins } = await this.probe(loaded, inForce);
    return plugins.flatMap(({ where, refusal }) =>
      refusal === undefined ? [] : [{ path: where, message: refusal }],
    );
  }

  /** The snapshot with what was found of new plugins: what a start took, or why it is refused. */
  async probe(loaded: PluginModules, inForce: PluginModules | null): Promise<Snapshot> {
    const before = inForce === null ? [] : runnablePlugins(inForce.snapshot).flat();
    const known = new Set(before.map(({ id }) => id));
    const versions = runnablePlugins(loaded.snapshot);
    const isNew = ({ config, id }: RunnablePlugin): boolean =>
      config.policy.startTimeMs !== null && loaded.modules.has(config.moduleKey) && !known.has(id);
    const plugins = versions
      .flat()
      .filter(isNew)
      .map(({ config }) => config);
    const found = new Map<WasmPluginConfig, Finding>();
    // One that ends the thread is refused, and those behind it want another thread.
    for (let at = 0; at < plugins.length; ) {
      at += await this.#probe(plugins.slice(at), loaded, found);
    }
    const { snapshot } = loaded;
    if (found.size === 0) return snapshot;
    const marked = snapshot.plugins.map((plugin, index): WasmPluginConfig => {
      const [own, ...tried] = (versions[index] ?? []).map(({ config }) => found.get(config));
      const candidates = plugin.candidates?.map((one, at) => ({ ...one, ...tried[at] }));
      const { version } = plugin;
      const probed = version === undefined ? undefined : { ...version, probed: own?.probed };
      return { ...plugin, refusal: own?.refusal, version: probed, candidates };
    });
    return { ...snapshot, plugins: marked };
  }

  /** How many plugins are done: all, or those up to one that the thread did not survive. */
  async #probe(
    plugins: readonly WasmPluginConfig[],
    { modules, snapshot: { node } }: PluginModules,
    found: Map<WasmPluginConfig, Finding>,
  ): Promise<number> {
    const mark = new Int32Array(new SharedArrayBuffer(GUEST_MARK_CELLS * 4));
    const wanted = new Map(
      [...modules].filter(([key]) => plugins.some((p) => p.moduleKey === key)),
    );
    const birth: ProbeBirth = {
      plugins: plugins.map(asProbed),
      modules: wanted,
      node,
      mark,
    };
    const thread = new Worker(this.#entry, { workerData: birth, name: "probe" });
    const run = new ProbeRun(thread, plugins, mark);
    await run.ended;
    for (const [index, result] of run.results.entries()) {
      const plugin = plugins[index] as WasmPluginConfig;
      for (const line of result.lines) this.#logger.log(LogLevel.Error, line);
      const isRefused = result.reasons.length > 0;
      const refusal = isRefused ? await this.#refusalOf(plugin, result) : undefined;
      found.set(plugin, { refusal, probed: result.start ?? undefined });
    }
    return run.results.length;
  }

  async #refusalOf(plugin: WasmPluginConfig, { reasons, trap }: ProbeResult): Promise<string> {
    const text = `${reasons.join("; ")}, module ${codeName(plugin.code)}`;
    const version = plugin.version?.name ?? trap?.version ?? "";
    const frames = trap === null ? [] : await this.#takeTrap({ ...trap, version });
    return `plugin ${plugin.name}: ${text}${placedText(frames)}`;
  }
}

/**
 * A variant is probed as a plugin of its own: its root context is what is new. What happens in the
 * probe is not counted.
 */
function asProbed(plugin: WasmPluginConfig): WasmPluginConfig {
  const { variantOf: _base, version: _version, ...own } = plugin;
  return own;
}

/** One thread, and the time that each plugin has. */
class ProbeRun {
  readonly results: ProbeResult[];
  readonly ended: Promise<void>;
  readonly #thread: Worker;
  readonly #plugins: readonly WasmPluginConfig[];
  readonly #mark: Int32Array;
  #timer: NodeJS.Timeout | null = null;

  constructor(thread: Worker, plugins: readonly WasmPluginConfig[], mark: Int32Array) {
    this.results = [];
    this.#thread = thread;
    this.#plugins = plugins;
    this.#mark = mark;
    let fault = "";
    this.ended = new Promise((resolve) => {
      thread.on("message", (message: FromProbe) => {
        if (message === "ready") this.#waitForNext();
        else this.#add(message);
      });
      thread.on("error", (error: Error) => {
        fault = error.message;
      });
      thread.on("exit", (code) => {
        if (this.#timer !== null) clearTimeout(this.#timer);
        if (this.results.length < plugins.length) {
          this.#fail(`it ended the thread that probes it: ${fault || `exit code ${code}`}`);
        }
        resolve();
      });
    });
    this.#wait(LOAD_TIME_MS, "the thread that probes it did not begin");
  }

  #add(result: ProbeResult): void {
    this.results.push(result);
    // After the last one the thread ends itself; its time goes on until it has.
    this.#waitForNext();
  }

  #waitForNext(): void {
    const at = Math.min(this.results.length, this.#plugins.length - 1);
    const { startTimeMs } = (this.#plugins[at] as WasmPluginConfig).policy;
    this.#wait(startTimeMs ?? 0, null);
  }

  /** `reason` null: of what the guest runs by then. */
  #wait(timeMs: number, reason: string | null): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#fail(reason ?? `${this.#callback} did not end in ${timeMs} ms (start_time_ms)`);
      void this.#thread.terminate();
    }, timeMs);
  }

  /** What the guest runs now. */
  get #callback(): string {
    return callbackName(Atomics.load(this.#mark, 1)) || "its initialisation";
  }

  #fail(reason: string): void {
    if (this.results.length < this.#plugins.length)
      this.results.push({ reasons: [reason], lines: [], trap: null, start: null });
  }
}
