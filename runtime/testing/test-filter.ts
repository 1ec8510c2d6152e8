// A filter, or a chain of them, under test: one worker of a proxy without sockets.
import type { HttpFilter } from "../src/filter/http-filter.ts";
import type { CompiledModule } from "../src/wasm/compiled-module.ts";
import type { Context } from "../src/wasm/context.ts";
import type { Plugin } from "../src/wasm/plugin.ts";
import type { Vm } from "../src/wasm/vm.ts";
import type { WasiProvider } from "../src/wasm/wasi-provider.ts";
import type { SharedStore } from "../src/wasm/shared-store.ts";
import type { FilterRequest } from "../test/filter-exchange.ts";
import {
  type AnsweringCallouts,
  FilterHost,
  type LogLine,
  type PluginOptions,
  type RigOptions,
} from "../test/harness.ts";
import type { TcpAddresses } from "../test/tcp-exchange.ts";
import type { CalloutBook, CalloutRequest } from "./callouts.ts";
import { TestConnection } from "./connection.ts";
import { soak, type SoakOptions, type SoakReport } from "./soak.ts";
import { SharedData, SharedQueues, TestMetrics } from "./shared.ts";
import { type StreamOwner, type StreamRequest, TestStream, withChunks } from "./stream.ts";
import { type ForeignDouble, type PropertyInput, VmWatch } from "./watch.ts";
import type { GuestTrapError } from "./errors.ts";
import type { World } from "./world.ts";

/** A plugin's place in the chain: ready to be started, here and in other workers. */
export interface LoadedPlugin {
  readonly name: string;
  readonly options: PluginOptions;
  readonly module: CompiledModule;
  readonly isService: boolean;
}

export interface LoadedChain {
  readonly plugins: readonly LoadedPlugin[];
  readonly rig: RigOptions;
  readonly wasiProvider: WasiProvider | string | undefined;
}

const opened = new Set<TestFilter>();

/** Those that were loaded and not closed, for whoever ends them after a test. */
export function openFilters(): readonly TestFilter[] {
  return [...opened];
}

/** Time that a plugin which answered false to on_done has for proxy_done. */
const DONE_MS = 10_000;

export class TestFilter implements StreamOwner {
  /** What its calls to clusters meet. */
  readonly callouts: CalloutBook;
  readonly shared: SharedData;
  readonly queues: SharedQueues;
  readonly metrics: TestMetrics;
  readonly #world: World;
  readonly #chain: LoadedChain;
  readonly #host: FilterHost;
  readonly #callers: Map<CalloutRequest, Context>;
  #isClosed: boolean = false;

  /** By loadFilter, loadChain and worker(). Throws FilterStartError. */
  constructor(world: World, chain: LoadedChain) {
    this.#world = world;
    this.#chain = chain;
    this.callouts = world.book;
    this.#callers = new Map();
    const { watch, time, gauges } = world;
    const store: SharedStore = world.makeStore();
    this.#host = new FilterHost(chain.rig, chain.plugins, {
      time,
      callouts: this.#noting(world.book),
      shared: store,
      gauges,
      workerIndex: world.workers.length,
      observe: (vm) => new VmWatch(vm, watch),
      onTrap: (trap) => world.onTrap(trap),
      wasiProvider: chain.wasiProvider,
    });
    opened.add(this);
    world.add({ settle: () => this.#host.settle() });
    const vmId = chain.plugins[0]?.options.vmId ?? "";
    this.shared = new SharedData(store, vmId);
    this.queues = new SharedQueues(store, vmId);
    this.metrics = new TestMetrics(this.#host.stats, gauges);
  }

  // ---- What came of it.

  /** All that was logged, by guests and about them. */
  get logs(): readonly LogLine[] {
    return this.#host.logs;
  }

  /** Guests that were stopped; only with `traps: "allow"`, otherwise the test fails. */
  get traps(): readonly GuestTrapError[] {
    return this.#world.traps;
  }

  /** Contexts that the guests know: one for each plugin, one for each stream that lives. */
  get contexts(): number {
    return this.#host.contexts;
  }

  /** Bytes of the guests' memories. */
  get memoryBytes(): number {
    return this.#host.guestMemoryBytes;
  }

  /** The wall clock, in milliseconds since 1970. */
  get nowMs(): number {
    return this.#world.time.epochMs();
  }

  // ---- What a test does.

  /** Sends a request. It comes back when nothing moves any more without an answer from outside. */
  async request(request: StreamRequest = {}): Promise<TestStream> {
    return this.#request({ ...withChunks(request), upstream: "never" });
  }

  /** A TCP connection, through the plugins as network filters. */
  async connect(addresses: TcpAddresses = {}): Promise<TestConnection> {
    const from = this.logs.length;
    const exchange = this.#host.connect(addresses);
    const connection = new TestConnection(exchange, () => this.settle(), this.logs, from);
    this.settle();
    return connection;
  }

  /** Time passes: ticks, timeouts, answers that come later. */
  async advance(ms: number): Promise<void> {
    this.#world.advance(ms);
    this.#world.judge();
  }

  /**
   * From now on these properties have these values, by their paths ("source.address"), for all
   * streams; null = not there. What is not named comes from the proxy.
   */
  properties(values: Readonly<Record<string, PropertyInput>>): void {
    for (const [path, value] of Object.entries(values))
      this.#world.watch.properties.set(path, value);
  }

  /** From now on calls of that foreign function come here. */
  foreign(name: string, double: ForeignDouble): void {
    this.#world.watch.foreign.set(name, double);
  }

  /**
   * Thousands of requests, each answered; fails when guests' memory or contexts keep growing, which
   * is what a leak looks like.
   */
  async soak(count: number, options: SoakOptions = {}): Promise<SoakReport> {
    const { watch } = this.#world;
    watch.isRecording = false;
    try {
      return soak(
        this.#host,
        count,
        options,
        () => this.settle(),
        () => this.#forget(),
      );
    } finally {
      watch.isRecording = true;
    }
  }

  /** The same filters in another worker: VMs of their own, shared data, queues, gauges and time. */
  async worker(): Promise<TestFilter> {
    const worker = new TestFilter(this.#world, this.#chain);
    this.#world.judge();
    return worker;
  }

  /**
   * Ends streams, then plugins, and fails when something is left that should not be. Called by
   * `await using`, and after each test when @headgate/runtime/testing/vitest is imported.
   */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    opened.delete(this);
    const world = this.#world;
    if (!world.hasFailed) this.#checkLeftovers();
    this.#host.close();
    if (!world.hasFailed) world.judge();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  // ---- For streams.

  get made(): readonly CalloutRequest[] {
    return this.callouts.made;
  }

  recordsOf(context: Context): ReturnType<StreamOwner["recordsOf"]> {
    return this.#world.watch.recordsOf(context);
  }

  contextOf(call: CalloutRequest): Context | null {
    return this.#callers.get(call) ?? null;
  }

  settle(): void {
    this.#world.settle();
    this.#world.judge();
  }

  // ---- Private parts.

  #request(request: FilterRequest): TestStream {
    const filters: HttpFilter[] = this.#host.createFilters();
    const stream = new TestStream(this.#host.open(request, filters), filters, this);
    this.settle();
    return stream;
  }

  get #vms(): Vm[] {
    return this.#host.plugins.flatMap(({ root }) => (root === null ? [] : [root.vm]));
  }

  /** Calls belong to the context that runs. */
  #noting(book: CalloutBook): AnsweringCallouts {
    const noting = <T>(call: () => T): T => {
      const vm = this.#vms.find(({ current }) => current !== null) ?? null;
      this.#world.guest = vm;
      const result = call();
      this.#world.guest = null;
      const context = vm?.effective ?? null;
      const made = book.made.at(-1);
      if (made !== undefined && context !== null) this.#callers.set(made, context);
      return result;
    };
    return {
      hasCluster: (name) => book.hasCluster(name),
      clusterInfo: (name) => book.clusterInfo(name),
      httpCall: (request, receiver) => noting(() => book.httpCall(request, receiver)),
      grpcStream: (request, receiver) => noting(() => book.grpcStream(request, receiver)),
      answerNext: () => book.answerNext(),
    };
  }

  #checkLeftovers(): void {
    const world = this.#world;
    for (const line of this.callouts.leftovers()) world.fail("callouts", line);
    this.#host.endStreams();
    for (const plugin of this.#host.plugins) plugin.drain();
    world.settle();
    const left = (): Plugin[] =>
      this.#host.plugins.filter(({ root }) => {
        if (root === null || root.vm.failure !== null) return false;
        return root.vm.contexts.get(root.id) !== null;
      });
    if (left().length > 0) world.advance(DONE_MS);
    const names = left().map(({ name }) => name);
    if (names.length === 0) return;
    world.fail(
      "contexts",
      `the contexts of ${names.join(", ")} were not deleted: proxy_on_done answered false, and within ` +
        `${DONE_MS / 1000} s proxy_done was not called`,
    );
  }

  /** What a soak leaves in lists. */
  #forget(): void {
    this.#host.logs.length = 0;
    this.callouts.made.length = 0;
    this.#callers.clear();
  }
}
