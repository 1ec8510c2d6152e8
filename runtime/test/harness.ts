// Runs one wasm filter through the real filter manager and VM, without sockets and on a fake clock: for
// tests of filters and of the host. Exported as @headgate/runtime/testing.
import type { TraceRule } from "../src/config/trace-rule.ts";
import { defaultWasmPolicy } from "../src/config/wasm-policy.ts";
import type { WasmPolicy } from "../src/config/wasm-policy.ts";
import type { WasmPluginConfig } from "../src/config/snapshot.ts";
import { Clock } from "../src/core/clock.ts";
import { SeededRandom } from "../src/core/random.ts";
import { Runtime } from "../src/core/runtime.ts";
import { TimerWheel } from "../src/core/timer-wheel.ts";
import type { HttpFilter } from "../src/filter/http-filter.ts";
import type { PassingFilterCallbacks, PassingNetworkFilter } from "../src/filter/network-filter.ts";
import { LocalReplyWriter } from "../src/hcm/local-reply.ts";
import { loadModule, ModuleCache } from "../src/module/module-loader.ts";
import { StatKind, StatsStore } from "../src/stats/store.ts";
import type { CompiledModule } from "../src/wasm/compiled-module.ts";
import { Plugin } from "../src/wasm/plugin.ts";
import { loadWasiProvider } from "../src/server/wasi-library.ts";
import type { WasiProvider } from "../src/wasm/wasi-provider.ts";
import { WasmHost } from "../src/wasm/wasm-host.ts";
import { FakeClusters, type ClusterAnswer } from "./fake-clusters.ts";
import { FakeTime } from "./fake-time.ts";
import { FilterExchange, type FilterRequest } from "./filter-exchange.ts";
import { TcpExchange } from "./tcp-exchange.ts";
import { type LogLine, LogRecorder } from "./log-recorder.ts";

export type { CalloutRequest, ClusterAnswer } from "./fake-clusters.ts";
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

export interface FilterHostOptions {
  /** The module's bytes or its path. */
  readonly module: Uint8Array | string;
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
  /** Clusters that proxy_http_call can reach. Default: none. */
  readonly clusters?: Readonly<Record<string, ClusterAnswer>>;
  /** Bytes that stopped filters may collect. Default 1 MiB. */
  readonly bufferBytesMax?: number;
  /** How often the filter stands in the chain, each time as the same plugin. Default 1. */
  readonly copies?: number;
  /** The lowest level that is logged. Default "trace". */
  readonly logLevel?: LogLine["level"];
  /** Default: that of a plugin which --wasm-policy does not name. */
  readonly policy?: WasmPolicy;
  /** Seed of the random numbers. Default 1. */
  readonly seed?: number;
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
  const source =
    typeof options.module === "string"
      ? { filename: options.module }
      : { inlineBytes: options.module };
  const { fuel, memoryPagesMax } = options.policy ?? defaultWasmPolicy;
  const isMetered = fuel !== null;
  const module = await loadModule(source, { cache: modules, isMetered, memoryPagesMax });
  const wasiProvider = options.policy?.hasFiles === true ? await loadWasiProvider() : undefined;
  return new FilterHost(options, module, wasiProvider);
}

export class FilterHost {
  /** All that was logged so far. */
  readonly logs: LogLine[];
  readonly metrics: FilterMetrics;
  readonly stats: StatsStore;
  readonly #options: FilterHostOptions;
  readonly #time: FakeTime;
  readonly #clock: Clock;
  readonly #timers: TimerWheel;
  readonly #clusters: FakeClusters;
  readonly #localReplies: LocalReplyWriter;
  readonly #host: WasmHost;
  readonly #plugin: Plugin;
  readonly #open: Set<FilterExchange>;
  #streams: number;

  constructor(
    options: FilterHostOptions,
    module: CompiledModule,
    wasiProvider?: WasiProvider | string,
  ) {
    const recorder = new LogRecorder(options.logLevel);
    this.logs = recorder.lines;
    this.stats = new StatsStore({ slotsMax: 1 << 16 });
    this.metrics = new StatMetrics(this.stats);
    this.#options = options;
    this.#time = new FakeTime();
    this.#clock = new Clock(this.#time);
    this.#timers = new TimerWheel(this.#clock, (turn) => this.#turn(turn), this.#time);
    this.#clusters = new FakeClusters(options.clusters ?? {});
    const random = new SeededRandom(options.seed ?? 1);
    this.#localReplies = new LocalReplyWriter(null, {
      clock: this.#clock,
      random,
      runtime: new Runtime(),
      hostname: "test",
    });
    this.#open = new Set();
    this.#streams = 0;
    this.#host = new WasmHost({
      clock: this.#clock,
      timers: this.#timers,
      random,
      stats: this.stats,
      logger: recorder,
      node: NODE,
      workerIndex: 0,
      callouts: this.#clusters,
      wasiProvider,
    });
    const plugin = this.#host.preparePlugin(configOf(options, module), module);
    if (!(plugin instanceof Plugin)) throw new FilterStartError(plugin.reasons);
    this.#plugin = plugin;
    this.#settle();
  }

  /**
   * Sends one request through the filter and answers it as `upstream` says. What comes back is live:
   * a stream that the filter holds goes on with tick().
   */
  request(request: FilterRequest = {}): FilterExchange {
    this.#streams += 1;
    const filters: HttpFilter[] = [];
    for (let i = 0; i < (this.#options.copies ?? 1); i += 1) {
      const filter = this.#plugin.createHttpFilter();
      if (filter !== null) filters.push(filter);
    }
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
    this.#settle();
    return exchange;
  }

  /** A connection through the plugin as a network filter, in front of a terminal one. */
  connect(): TcpExchange {
    this.#streams += 1;
    const factory = {
      createFilter: (callbacks: PassingFilterCallbacks): PassingNetworkFilter => {
        const filter = this.#plugin.createNetworkFilter(callbacks);
        if (filter === null) throw new Error("the filter's VM is dead, and lets connections pass");
        return filter;
      },
    };
    return new TcpExchange(factory, this.#streams, this.#clock.nowMs, () => this.#settle());
  }

  /** Lets time pass: ticks of the filter, in steps of the timer wheel. */
  tick(ms: number): void {
    this.#time.advance(ms, () => this.#settle());
    this.#settle();
  }

  /** Contexts that the guest knows, its root context among them. */
  get contexts(): number {
    return this.#plugin.root?.vm.contexts.size ?? 0;
  }

  /** Bytes of the guest's memory. */
  get guestMemoryBytes(): number {
    return this.#plugin.root?.vm.memory.size ?? 0;
  }

  /** The plugin, for tests of the host itself. */
  get plugin(): Plugin {
    return this.#plugin;
  }

  /** From now on logs the plugin's calls, or not, as the admin interface's switch does. */
  trace(rule: TraceRule | null): void {
    this.#host.setTraces(new Map([[this.#plugin.name, rule]]));
  }

  /** Ends open streams, then the plugin: the guest gets on_done and on_delete. */
  close(): void {
    for (const exchange of this.#open) exchange.abort();
    this.#open.clear();
    this.#host.close();
    this.#timers.stop();
  }

  #turn(turn: () => void): void {
    this.#clock.update();
    turn();
  }

  /** What would come from sockets: answers of upstreams and of callouts, until nothing moves. */
  #settle(): void {
    let isMoving = true;
    while (isMoving) {
      isMoving = this.#clusters.answerNext();
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

function configOf(options: FilterHostOptions, module: CompiledModule): WasmPluginConfig {
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
