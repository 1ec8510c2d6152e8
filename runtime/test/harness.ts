// Runs wasm filters through the real filter manager and VM, without sockets and on a fake clock: for
// tests of the host, and under what authors of filters use (../testing).
import type { TraceRule } from "../src/config/trace-rule.ts";
import { defaultWasmPolicy } from "../src/config/wasm-policy.ts";
import type { WasmPolicy } from "../src/config/wasm-policy.ts";
import { versionName } from "../src/config/plugin-version.ts";
import type { WasmPluginConfig } from "../src/config/snapshot.ts";
import { Clock } from "../src/core/clock.ts";
import { SeededRandom } from "../src/core/random.ts";
import { Runtime } from "../src/core/runtime.ts";
import { TimerWheel } from "../src/core/timer-wheel.ts";
import type { HttpFilter } from "../src/filter/http-filter.ts";
import type { PassingFilterCallbacks, PassingNetworkFilter } from "../src/filter/network-filter.ts";
import { LocalReplyWriter } from "../src/hcm/local-reply.ts";
import { type LoadedModule, loadModule, ModuleCache } from "../src/module/module-loader.ts";
import { StatKind, StatsStore } from "../src/stats/store.ts";
import type { CallObserver } from "../src/wasm/call-observer.ts";
import type { Callouts } from "../src/wasm/callout.ts";
import type { CompiledModule } from "../src/wasm/compiled-module.ts";
import type { SharedGauges } from "../src/wasm/metrics.ts";
import { Plugin } from "../src/wasm/plugin.ts";
import type { SharedStore } from "../src/wasm/shared-store.ts";
import type { GuestTrap } from "../src/wasm/trap-report.ts";
import type { Vm } from "../src/wasm/vm.ts";
import { loadWasiProvider } from "../src/server/wasi-library.ts";
import type { WasiProvider } from "../src/wasm/wasi-provider.ts";
import { type CostTotals } from "../src/wasm/call-costs.ts";
import { readVersionCounts, versionCountsMemory } from "../src/wasm/version-counts.ts";
import { WasmHost } from "../src/wasm/wasm-host.ts";
import { FakeClusters, type ClusterAnswer } from "./fake-clusters.ts";
import { FakeTime } from "./fake-time.ts";
import { FilterExchange, type FilterRequest } from "./filter-exchange.ts";
import { type TcpAddresses, TcpExchange } from "./tcp-exchange.ts";
import { type LogLine, LogRecorder } from "./log-recorder.ts";

export type { ClusterAnswer, ClusterRequest } from "./fake-clusters.ts";
export type {
  BodyInput,
  FilterExchange,
  FilterRequest,
  HeaderInput,
  LocalReplyFacts,
  UpstreamRequest,
  UpstreamResponse,
} from "./filter-exchange.ts";
export type { TcpExchange } from "./tcp-exchange.ts";
export type { LogLine } from "./log-recorder.ts";
export { structBytes } from "./message.ts";

/** What the filter gets as configuration: objects become JSON text. */
export type ConfigInput = string | Uint8Array | object;

/** What one plugin is told by its configuration. */
export interface PluginOptions {
  /** For proxy_on_configure. Default: empty. */
  readonly config?: ConfigInput;
  /** For proxy_on_vm_start. Default: empty. */
  readonly vmConfig?: ConfigInput;
  /** Default "filter". */
  readonly name?: string;
  /** Default "". */
  readonly rootId?: string;
  /** Default "". */
  readonly vmId?: string;
  /** Default "unspecified". */
  readonly failurePolicy?: WasmPluginConfig["failurePolicy"];
  /** The deprecated `fail_open: true`. Default false. */
  readonly failOpenLegacy?: boolean;
  /** Default false, as in Envoy. */
  readonly allowOnHeadersStopIteration?: boolean;
  /** Default: all. */
  readonly allowedCapabilities?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** Default: that of a plugin which --wasm-policy does not name. */
  readonly policy?: WasmPolicy;
}

/** What the host itself is told. */
export interface RigOptions {
  /** Clusters that proxy_http_call can reach. Default: none. */
  readonly clusters?: Readonly<Record<string, ClusterAnswer>>;
  /** Bytes that stopped filters may collect. Default 1 MiB. */
  readonly bufferBytesMax?: number;
  /** How often the filter stands in the chain, each time as the same plugin. Default 1. */
  readonly copies?: number;
  /** The lowest level that is logged. Default "trace". */
  readonly logLevel?: LogLine["level"];
  /** What the thread has computed, in ms. Default: nothing, ever. */
  readonly threadMs?: () => number;
  /** Seed of the random numbers. Default 1. */
  readonly seed?: number;
}

export interface FilterHostOptions extends PluginOptions, RigOptions {
  /** The module's bytes or its path. */
  readonly module: Uint8Array | string;
}

/** A plugin's place in the chain. */
export interface ChainedPlugin {
  readonly options: PluginOptions;
  readonly module: CompiledModule;
  /** Requests do not pass it. Default false. */
  readonly isService?: boolean;
}

/** Answers calls after the guest has returned. */
export interface AnsweringCallouts extends Callouts {
  /** Whether a call was answered. */
  answerNext(): boolean;
}

/** What a host is given, which would otherwise have its own. */
export interface RigParts {
  readonly time?: FakeTime;
  readonly callouts?: AnsweringCallouts;
  readonly shared?: SharedStore;
  readonly gauges?: SharedGauges;
  readonly workerIndex?: number;
  readonly observe?: (vm: Vm) => CallObserver;
  readonly onTrap?: (trap: GuestTrap) => void;
  readonly wasiProvider?: WasiProvider | string | undefined;
}

/** The filter refused to start; `reasons` has what failed and what the guest logged. */
export class FilterStartError extends Error {
  readonly reasons: readonly string[];

  constructor(reasons: readonly string[]) {
    super(`the filter did not start: ${reasons.join("; ")}`);
    this.name = "FilterStartError";
    this.reasons = reasons;
  }
}

/** Metrics that guests made, by their own names. */
export interface FilterMetrics {
  /** Value of a counter or gauge, count of a histogram; undefined = not defined. */
  get(name: string): number | undefined;
  readonly names: readonly string[];
}

// Compiled modules by digest: a file of tests compiles each filter once.
const modules: ModuleCache = new ModuleCache();

/** Loads the module, starts and configures the filter. Throws FilterStartError, or ModuleError. */
export async function createFilterHost(options: FilterHostOptions): Promise<FilterHost> {
  const module = await loadForPlugin(options.module, options);
  const wasiProvider = await wasiProviderOf([options]);
  return new FilterHost(options, [{ options, module }], { wasiProvider });
}

/** The module, prepared as the plugin's policy wants it. Throws ModuleError. */
export function loadForPlugin(
  module: Uint8Array | string,
  { policy }: PluginOptions,
): Promise<LoadedModule> {
  const source = typeof module === "string" ? { filename: module } : { inlineBytes: module };
  const { fuel, memoryPagesMax } = policy ?? defaultWasmPolicy;
  return loadModule(source, { cache: modules, isMetered: fuel !== null, memoryPagesMax });
}

/** Loaded only when a policy wants files. */
export async function wasiProviderOf(
  plugins: readonly PluginOptions[],
): Promise<WasiProvider | string | undefined> {
  const isWanted = plugins.some(({ policy }) => policy?.hasFiles === true);
  return isWanted ? await loadWasiProvider() : undefined;
}

export class FilterHost {
  /** All that was logged so far. */
  readonly logs: LogLine[];
  readonly metrics: FilterMetrics;
  readonly stats: StatsStore;
  readonly #options: RigOptions;
  readonly #time: FakeTime;
  readonly #clock: Clock;
  readonly #timers: TimerWheel;
  readonly #callouts: AnsweringCallouts;
  readonly #localReplies: LocalReplyWriter;
  readonly #host: WasmHost;
  readonly #plugins: Plugin[];
  /** Those that requests pass. */
  readonly #filters: Plugin[];
  readonly #open: Set<FilterExchange>;
  #streams: number;

  /** Throws FilterStartError. */
  constructor(options: RigOptions, plugins: readonly ChainedPlugin[], parts: RigParts = {}) {
    const recorder = new LogRecorder(options.logLevel);
    this.logs = recorder.lines;
    this.stats = new StatsStore({ slotsMax: 1 << 16 });
    this.metrics = new StatMetrics(this.stats);
    this.#options = options;
    this.#time = parts.time ?? new FakeTime();
    const time = this.#time;
    this.#clock = new Clock({
      monotonicMs: () => time.monotonicMs(),
      epochMs: () => time.epochMs(),
      threadMs: options.threadMs ?? (() => 0),
    });
    this.#timers = new TimerWheel(this.#clock, (turn) => this.#turn(turn), this.#time);
    this.#callouts = parts.callouts ?? new FakeClusters(options.clusters ?? {});
    const random = new SeededRandom(options.seed ?? 1);
    this.#localReplies = new LocalReplyWriter(null, {
      clock: this.#clock,
      random,
      runtime: new Runtime(),
      hostname: "test",
    });
    this.#open = new Set();
    this.#streams = 0;
    const { time: _time, callouts: _callouts, workerIndex, ...rest } = parts;
    this.#host = new WasmHost({
      clock: this.#clock,
      timers: this.#timers,
      random,
      stats: this.stats,
      logger: recorder,
      node: NODE,
      workerIndex: workerIndex ?? 0,
      callouts: this.#callouts,
      ...rest,
    });
    this.#filters = [];
    this.#plugins = plugins.map(({ options: of, module, isService }) => {
      const plugin = this.#host.preparePlugin(configOf(of, module, workerIndex ?? 0), module);
      if (!(plugin instanceof Plugin)) {
        this.close();
        throw new FilterStartError(plugin.reasons);
      }
      if (isService !== true) this.#filters.push(plugin);
      return plugin;
    });
    this.settle();
  }

  /**
   * Sends one request through the filter and answers it as `upstream` says. What comes back is live:
   * a stream that the filter holds goes on with tick().
   */
  request(request: FilterRequest = {}): FilterExchange {
    const exchange = this.open(request, this.createFilters());
    this.settle();
    return exchange;
  }

  /** The chain of one stream. */
  createFilters(): HttpFilter[] {
    const filters: HttpFilter[] = [];
    for (let i = 0; i < (this.#options.copies ?? 1); i += 1) {
      for (const plugin of this.#filters) {
        const filter = plugin.createHttpFilter();
        if (filter !== null) filters.push(filter);
      }
    }
    return filters;
  }

  /** The same as request, but nothing of what follows from outside comes yet: settle() brings it. */
  open(request: FilterRequest, filters: readonly HttpFilter[]): FilterExchange {
    this.#streams += 1;
    const exchange = new FilterExchange(
      request,
      filters,
      this.#clock,
      this.#localReplies,
      this.#options.bufferBytesMax ?? 1 << 20,
      this.#streams,
      this.logs,
    );
    this.#open.add(exchange);
    exchange.start();
    return exchange;
  }

  /** A connection through the plugins as network filters, in front of a terminal one. */
  connect(addresses: TcpAddresses = {}): TcpExchange {
    this.#streams += 1;
    const factories = this.#filters.map((plugin) => ({
      createFilter: (callbacks: PassingFilterCallbacks): PassingNetworkFilter => {
        const filter = plugin.createNetworkFilter(callbacks);
        if (filter === null) throw new Error("the filter's VM is dead, and lets connections pass");
        return filter;
      },
    }));
    const { nowMs } = this.#clock;
    const settle = (): void => this.settle();
    return new TcpExchange(factories, this.#streams, nowMs, settle, addresses);
  }

  /** Lets time pass: ticks of the filter, in steps of the timer wheel. */
  tick(ms: number): void {
    this.#time.advance(ms, () => this.settle());
    this.settle();
  }

  /** Contexts that the guests know, their root contexts among them. */
  get contexts(): number {
    return this.#sum((vm) => vm.contexts.size);
  }

  /** Bytes of the guests' memories. */
  get guestMemoryBytes(): number {
    return this.#sum((vm) => vm.memory.size);
  }

  #sum(number: (vm: Vm) => number): number {
    const vms = new Set(this.#plugins.map((plugin) => plugin.root?.vm));
    let sum = 0;
    for (const vm of vms) if (vm !== undefined) sum += number(vm);
    return sum;
  }

  /** In the chain's order. */
  get plugins(): readonly Plugin[] {
    return this.#plugins;
  }

  /** What callbacks of the first plugin have cost. */
  get costs(): CostTotals {
    const { version } = this.plugin.config;
    return readVersionCounts(version?.counts ?? versionCountsMemory(1)).costs;
  }

  /** The first plugin, for tests of the host itself. */
  get plugin(): Plugin {
    return this.#plugins[0] as Plugin;
  }

  /** From now on logs the plugin's calls, or not, as the admin interface's switch does. */
  trace(rule: TraceRule | null): void {
    this.#host.setTraces(new Map([[this.plugin.name, rule]]));
  }

  /** Of the host's timers. */
  get clock(): Clock {
    return this.#clock;
  }

  get timers(): TimerWheel {
    return this.#timers;
  }

  /** The downstreams of all open streams go away. */
  endStreams(): void {
    for (const exchange of this.#open) exchange.abort();
    this.#open.clear();
  }

  /** Ends open streams, then the plugins: the guests get on_done and on_delete. */
  close(): void {
    this.endStreams();
    this.#host.close();
    this.#timers.stop();
  }

  #turn(turn: () => void): void {
    this.#clock.update();
    turn();
  }

  /** What would come from sockets: answers of upstreams and of callouts, until nothing moves. */
  settle(): void {
    let isMoving = true;
    while (isMoving) {
      isMoving = this.#callouts.answerNext();
      for (const exchange of this.#open) {
        if (exchange.pump()) isMoving = true;
        if (exchange.isOver) this.#open.delete(exchange);
      }
    }
  }
}

const NODE = {
  id: "test-node",
  cluster: "test-cluster",
  zone: "",
  region: "",
  subZone: "",
  serialized: new Uint8Array(0),
};

function configOf(
  options: PluginOptions,
  module: CompiledModule,
  workerIndex: number,
): WasmPluginConfig {
  return {
    name: options.name ?? "filter",
    rootId: options.rootId ?? "",
    vmId: options.vmId ?? "",
    runtime: "",
    vmConfiguration: bytesOf(options.vmConfig),
    pluginConfiguration: bytesOf(options.config),
    environment: Object.entries(options.environment ?? {}),
    failurePolicy: options.failurePolicy ?? "unspecified",
    failOpenLegacy: options.failOpenLegacy ?? false,
    reloadBackoffBaseMs: 1000,
    reloadBackoffMaxMs: 10_000,
    allowedCapabilities: options.allowedCapabilities ?? [],
    allowOnHeadersStopIteration: options.allowOnHeadersStopIteration ?? false,
    code: { filename: "", watchedDirectory: "", inlineBytes: null, sha256: "", remote: null },
    where: "test",
    policy: options.policy ?? defaultWasmPolicy,
    moduleKey: module.key,
    version: {
      name: versionName(module.sha256, null),
      moduleKey: module.key,
      configuration: null,
      space: "",
      counts: versionCountsMemory(workerIndex + 1),
    },
  };
}

function bytesOf(config: ConfigInput | undefined): Uint8Array {
  if (config === undefined) return new Uint8Array(0);
  if (config instanceof Uint8Array) return config;
  return Buffer.from(typeof config === "string" ? config : JSON.stringify(config));
}

const PREFIX = "wasmcustom.";

class StatMetrics implements FilterMetrics {
  readonly #stats: StatsStore;

  constructor(stats: StatsStore) {
    this.#stats = stats;
  }

  get names(): readonly string[] {
    return this.#stats.definitions
      .filter(({ name }) => name.startsWith(PREFIX))
      .map(({ name }) => name.slice(PREFIX.length));
  }

  get(name: string): number | undefined {
    const found = this.#stats.definitions.find((row) => row.name === PREFIX + name);
    if (found === undefined) return undefined;
    if (found.kind === StatKind.Histogram) return this.#stats.histogram(found.name).count;
    if (found.kind === StatKind.Gauge) return this.#stats.gauge(found.name).value;
    return this.#stats.counter(found.name).value;
  }
}
