// The main thread's composition root: configuration -> modules -> hosts -> workers -> admin, in
// this order; then it lives until serve.ts stops it.
import { writeFileSync } from "node:fs";
import { limits } from "proxy-wasm-types";
import { performance } from "node:perf_hooks";
import { FileSinks, FileStats } from "../access-log/file-sink.ts";
import type { FileSink } from "../access-log/file-sink.ts";
import { createAdminServer } from "../admin/admin-server.ts";
import type { AdminAddress, DrainOptions, JsonObject } from "../admin/admin-delegate.ts";
import type { AdminServer } from "../admin/admin-server.ts";
import type { ListenerConfig } from "../config/snapshot.ts";
import { describeProblem } from "../config/config-error.ts";
import { clustersMax } from "../config/sizes.ts";
import { LogLevel } from "../core/logger.ts";
import type { Logger } from "../core/logger.ts";
import { StatsAggregate } from "../stats/aggregate.ts";
import type { StatsSource } from "../stats/aggregate.ts";
import { breakerMemory, releaseThread } from "../upstream/circuit-breaker.ts";
import { ServerAdmin } from "./admin-delegate.ts";
import { loadConfig, problemAt } from "./config-loading.ts";
import type { LoadedConfig } from "./config-loading.ts";
import { ConfigUpdates } from "./config-updates.ts";
import type { DesiredState } from "./desired-state.ts";
import { DrainControl } from "./drain-control.ts";
import { isInbound } from "./drain-manager.ts";
import { MainStats, totalConnections } from "./main-stats.ts";
import type { ServerOptions } from "./options.ts";
import { GuestShares } from "./guest-shares.ts";
import { OverloadControl } from "./overload-control.ts";
import type { ProcessLog } from "./process-log.ts";
import type { ListenerAddress, ToWorker } from "./protocol.ts";
import { removeStaleSocket } from "./shared-sockets.ts";
import { Retirement } from "./retirement.ts";
import { RuntimeControl } from "./runtime-control.ts";
import { reportStart } from "./start-report.ts";
import type { TakeoverHost } from "./takeover-offer.ts";
import { Takeover } from "./takeover.ts";
import { CostStats } from "./cost-stats.ts";
import { TraceControl } from "./trace-control.ts";
import { TrapDesk } from "./trap-desk.ts";
import { type ModuleFinder, PUSHED_MAP_BYTES_MAX } from "./trap-places.ts";
import { ThreadWatch } from "./thread-watch.ts";
import { TicketKeyRotation } from "./ticket-key-rotation.ts";
import { WorkerPool } from "./worker-pool.ts";
import type { CatchUp } from "./worker-pool.ts";

/** The configuration is fine, but the server could not start; the message says all reasons. */
export class StartError extends Error {
  override readonly name = "StartError";
}

/** What comes with a module: its source map, its configuration, and the borders of all. */
const PUSH_EXTRA_BYTES = PUSHED_MAP_BYTES_MAX + 1024 * 1024;

export type ServerState = "PRE_INITIALIZING" | "INITIALIZING" | "LIVE" | "DRAINING";

export class Server {
  readonly options: ServerOptions;
  readonly log: ProcessLog;
  readonly stats: StatsAggregate;
  readonly startedMs: number;
  /** Resolves when /quitquitquit or a successor asks for the end; with who did. */
  readonly quit: Promise<string>;
  readonly #logger: Logger;
  readonly #pool: WorkerPool;
  readonly #updates: ConfigUpdates;
  readonly #mainStats: MainStats;
  readonly runtime: RuntimeControl;
  /** Of wasm plugins' calls. */
  readonly traces: TraceControl;
  /** Of the living workers, by the pool's id. */
  readonly #sources: Map<number, StatsSource>;
  #admin: AdminServer | null = null;
  #config: LoadedConfig | null = null;
  #state: ServerState = "PRE_INITIALIZING";
  readonly #drains: DrainControl;
  readonly #takeover: Takeover;
  readonly #retirement: Retirement;
  readonly #overload: OverloadControl;
  readonly #ticketKeys: TicketKeyRotation;
  readonly #guests: GuestShares;
  /** Reports of guests that were stopped. */
  readonly traps: TrapDesk;
  #threadWatch: ThreadWatch | null = null;
  /** Of the admin interface's access logs; null = it has none. */
  #sinks: FileSinks | null = null;
  #requestQuit: (reason: string) => void;

  /** Throws ConfigErrors or StartError; nothing is left running then. */
  static async start(options: ServerOptions, log: ProcessLog): Promise<Server> {
    const server = new Server(options, log);
    try {
      await server.#start();
    } catch (error) {
      await server.terminate();
      throw error;
    }
    return server;
  }

  private constructor(options: ServerOptions, log: ProcessLog) {
    this.options = options;
    this.log = log;
    this.startedMs = performance.now();
    this.stats = new StatsAggregate();
    this.#sources = new Map();
    this.#logger = log.logger("main");
    this.#takeover = new Takeover(options.takeover, this.#logger);
    this.#retirement = new Retirement({
      drainTimeMs: options.drainTimeMs,
      onDrain: () => this.#drains.startSequence(false),
      connections: () => totalConnections(this.stats),
      nowMs: () => performance.now(),
      onProgress: (connections) => this.#takeover.tellProgress(connections),
      onEnd: (reason) => this.requestQuit(reason),
    });
    this.#drains = new DrainControl({
      drainTimeMs: options.drainTimeMs,
      nowMs: () => performance.now(),
      broadcast: (message) => this.#pool.broadcast(message),
      onStopListening: (which) => this.#countStopped(which),
    });
    this.#overload = new OverloadControl({
      workers: options.concurrency,
      stats: this.stats.store,
      logger: log.logger("overload"),
      broadcast: (message) => this.#pool.broadcast(message),
    });
    this.#ticketKeys = new TicketKeyRotation((message) => this.#pool.broadcast(message));
    const findModule: ModuleFinder = (key) => this.#updates.applier?.findModule(key);
    this.traps = new TrapDesk(log.logger("wasm"), this.stats.store, findModule);
    this.#guests = new GuestShares(
      this.stats,
      options.concurrency,
      (message) => this.#pool.broadcast(message),
      (trap) => void this.traps.take(trap),
      (difference) => this.#updates.rollouts.differences.take(difference),
    );
    this.stats.addProvider(new CostStats(() => this.#updates.applier?.registry.plugins ?? []));
    this.#requestQuit = (): void => {};
    this.quit = new Promise((resolve) => {
      this.#requestQuit = resolve;
    });
    const memory = breakerMemory(options.concurrency + 1, clustersMax);
    // Threads take longest to come up: they are started before the configuration is read.
    this.#pool = this.#createPool(memory);
    const state = (): Server["state"] => this.state;
    const warn = (text: string): void => log.logger("upstream").log(LogLevel.Warning, text);
    this.#mainStats = new MainStats(this.stats, options, memory, clustersMax, state, warn);
    this.runtime = new RuntimeControl(this.#mainStats.server, (m) => this.#pool.broadcast(m));
    this.traces = new TraceControl({
      plugins: () => this.#updates.applier?.plugins ?? [],
      broadcast: (message) => this.#pool.broadcast(message),
    });
    this.#updates = new ConfigUpdates({
      options,
      log,
      stats: this.stats,
      mainStats: this.#mainStats,
      pool: this.#pool,
      runtime: this.runtime,
      clustersMax,
      onReload: (config) => this.#watchThreads(config),
      trapPlace: (plugin, version) => this.traps.placeOf(plugin, version),
      keepMap: (sha256, map) => this.traps.keepMap(sha256, map),
      takeTrap: (trap) => this.traps.take(trap),
      dropSpace: (prefix) => this.#guests.dropSpace(prefix),
      inherited: (listeners) => this.#takeover.inheritedAddresses(listeners),
    });
  }

  get state(): ServerState {
    if (this.#state === "LIVE" && this.#drains.isHealthcheckFailed) return "DRAINING";
    return this.#state;
  }

  /** The bootstrap in force; null before start. */
  get config(): LoadedConfig | null {
    return this.desired?.bootstrap ?? this.#config;
  }

  /** Everything in force; null before start. */
  get desired(): DesiredState | null {
    return this.#updates.state;
  }

  /** What changes the configuration, and knows what is in force. */
  get updates(): ConfigUpdates {
    return this.#updates;
  }

  /** Addresses that the workers listen on. */
  get addresses(): readonly ListenerAddress[] {
    return this.#pool.addresses;
  }

  get engineName(): string {
    return this.#pool.engineName;
  }

  /** envoy.admin.v3.Certificates: those in force. */
  certificates(nowMs: number): readonly JsonObject[] {
    return this.#mainStats.certificates.certificates(nowMs);
  }

  /** Sets the gauges that follow the process, for a scrape. */
  updateStats(): void {
    this.#mainStats.update(this.state);
    this.#guests.updateStats();
  }

  /** SIGHUP: reads the configuration again. */
  reload(reason: string): void {
    this.#updates.reload(reason);
  }

  /** When the first process of this base id started, in milliseconds since 1970. */
  get firstStartMs(): number {
    return this.#takeover.firstStartMs ?? Date.now() - (performance.now() - this.startedMs);
  }

  /** How many processes of this base id there were before. */
  get restartEpoch(): number {
    return this.#takeover.epoch;
  }

  requestQuit(reason = "/quitquitquit"): void {
    this.#requestQuit(reason);
  }

  reopenLogs(): void {
    this.log.reopen();
    this.#sinks?.reopen();
    this.#pool.broadcast({ type: "reopen_logs" });
  }

  setLogLevel(component: string | null, level: LogLevel): void {
    this.log.setLevel(component, level);
    this.#pool.broadcast({ type: "log_level", component, level });
  }

  /** /healthcheck/fail: answers ask clients to leave; listeners go on accepting. */
  setHealthcheckFailed(failed: boolean): void {
    this.#drains.setHealthcheckFailed(failed);
  }

  drainListeners(options: DrainOptions): void {
    this.#drains.drainListeners(options);
  }

  /**
   * Drains: streams in flight get `sigtermDrainMs`, or what a successor has left; then everything
   * ends.
   */
  async stop(): Promise<void> {
    this.#state = "DRAINING";
    this.#retirement.close();
    this.#updates.close();
    await this.#pool.stop(this.#retirement.remainingMs ?? this.options.sigtermDrainMs);
    await this.terminate();
  }

  /** Ends everything now. */
  async terminate(): Promise<void> {
    this.#drains.close();
    this.#retirement.close();
    this.#takeover.close();
    this.#threadWatch?.close();
    this.#updates.close();
    this.#overload.close();
    this.#ticketKeys.close();
    this.#mainStats.close();
    this.#sinks?.close();
    await this.#admin?.close();
    await this.#pool.terminate();
  }

  get #listeners(): readonly ListenerConfig[] {
    return this.desired?.listeners.map(({ resource }) => resource.config) ?? [];
  }

  #countStopped(which: "all" | "inbound" | "not_inbound"): void {
    const stopped = this.#listeners.filter(
      (l) => which === "all" || isInbound(l) === (which === "inbound"),
    );
    this.#mainStats.server.listenerManager.listener_stopped.add(stopped.length);
  }

  #catchUp(): CatchUp {
    const runtime = this.runtime.message();
    const levels = this.log.levels().map(([component, level]): ToWorker => {
      return { type: "log_level", component, level };
    });
    return {
      memberships: this.#updates.membership?.current() ?? [],
      messages: [
        this.#ticketKeys.message,
        runtime,
        this.traces.message(),
        ...levels,
        ...this.#drains.messages(),
        ...this.#overload.messages,
      ],
    };
  }

  async #start(): Promise<void> {
    this.#state = "INITIALIZING";
    const config = await loadConfig(this.options, 1);
    this.#config = config;
    for (const warning of config.warnings) {
      this.log.logger("config").log(LogLevel.Warning, describeProblem(warning));
    }
    this.#mainStats.startFlushing(config.statsFlushIntervalMs);
    this.#watchThreads(config);
    await this.#findPredecessor();
    // The admin interface of the process that runs stays until this one is ready.
    if (!this.#takeover.hasPredecessor) await this.#startAdmin(config);
    const problems = await this.#updates.start(config);
    if (problems.length > 0) throw new StartError(problems.join("\n"));
    if (this.#takeover.hasPredecessor) await this.#moveAdmin(config);
    this.#overload.start(config.overload);
    this.#ticketKeys.start();
    this.#state = "LIVE";
    const ms = performance.now() - this.startedMs;
    const { concurrency } = this.options;
    this.#mainStats.setLive(ms);
    reportStart({
      logger: this.#logger,
      engine: this.engineName,
      canReusePort: this.#mainStats.canReusePort,
      listeners: this.#listeners,
      addresses: this.addresses,
      workers: concurrency,
      ms,
    });
    this.#checkTrace();
    this.#mainStats.server.setEpoch(this.restartEpoch);
    await this.#takeover.complete(this.#takeoverHost(config), (connections) =>
      this.#mainStats.server.setParentConnections(connections),
    );
    this.#overload.settle(() => totalConnections(this.stats));
  }

  #checkTrace(): void {
    const { wasmTrace } = this.options;
    const problem = wasmTrace === "" ? "" : this.traces.unknown(wasmTrace);
    if (problem !== "") this.#logger.log(LogLevel.Warning, `--wasm-trace: ${problem}`);
  }

  #watchThreads(config: LoadedConfig): void {
    this.#threadWatch?.close();
    this.#threadWatch = new ThreadWatch({
      pool: this.#pool,
      stats: this.stats.store,
      logger: this.#logger,
      config: config.watchdogs,
      stuckKillMs: this.options.workerStuckKillMs,
    });
  }

  async #findPredecessor(): Promise<void> {
    try {
      await this.#takeover.find();
    } catch (error) {
      throw new StartError((error as Error).message);
    }
  }

  async #moveAdmin(config: LoadedConfig): Promise<void> {
    if (config.admin === null) return;
    try {
      await this.#takeover.releaseAdmin();
    } catch (error) {
      throw new StartError(`the admin interface cannot move: ${(error as Error).message}`);
    }
    await this.#startAdmin(config);
  }

  #takeoverHost(config: LoadedConfig): TakeoverHost {
    return {
      epoch: this.restartEpoch,
      firstStartMs: this.firstStartMs,
      addresses: () => this.addresses,
      releaseAdmin: async () => {
        const admin = this.#admin;
        this.#admin = null;
        await admin?.close();
      },
      resumeAdmin: () => {
        this.#startAdmin(config).catch((error: Error) => {
          this.#logger.log(LogLevel.Error, `the admin interface is lost: ${error.message}`);
        });
      },
      onTakenOver: (pid, shutdownMs) => {
        this.#logger.log(LogLevel.Info, `process ${pid} has taken over: draining`);
        this.#state = "DRAINING";
        this.#drains.stopListening(false);
        this.#retirement.start(pid, shutdownMs);
      },
      onRefused: () => this.stats.store.counter("server.takeover_refused").inc(),
    };
  }

  async #startAdmin(config: LoadedConfig): Promise<void> {
    if (config.admin === null) return;
    const { address, accessLogPaths } = config.admin;
    const isPipe = address.kind === "pipe";
    if (isPipe) removeStaleSocket(address.address);
    const logger = this.log.logger("admin");
    const admin = createAdminServer(new ServerAdmin(this), {
      address: { address: address.address, port: isPipe ? null : address.port },
      accessLogs: this.#adminSinks(accessLogPaths),
      wasmAccess: { from: this.options.wasmPush, token: this.options.wasmPushToken },
      pushBytesMax: limits.moduleBytesMax + PUSH_EXTRA_BYTES,
      logger,
    });
    let text: string;
    try {
      const bound = await admin.listen();
      text = adminText(bound);
    } catch (error) {
      const message = `cannot listen: ${(error as Error).message}`;
      throw new StartError(problemAt(config, "admin.address", message));
    }
    this.#admin = admin;
    logger.log(LogLevel.Info, `admin address: ${text}`);
    this.#writeAdminAddress(text);
  }

  #writeAdminAddress(text: string): void {
    const path = this.options.adminAddressPath;
    if (path === "") return;
    try {
      writeFileSync(path, text);
    } catch (error) {
      throw new StartError(`--admin-address-path: ${(error as Error).message}`);
    }
  }

  #adminSinks(paths: readonly string[]): FileSink[] {
    if (paths.length === 0) return [];
    this.#sinks = new FileSinks({
      flushIntervalMs: this.options.fileFlushIntervalMs,
      stats: new FileStats(this.stats.store),
    });
    const sinks = this.#sinks;
    return paths.map((path) => sinks.get(path));
  }

  #createPool(memory: SharedArrayBuffer): WorkerPool {
    const { options, stats } = this;
    return new WorkerPool({
      count: options.concurrency,
      entry: options.entries.worker,
      engine: options.networkEngine,
      logger: this.#logger,
      catchUp: () => this.#catchUp(),
      birth: {
        logLevel: options.logLevel,
        componentLevels: options.componentLevels,
        logFormat: options.logFormat,
        logPath: options.logPath,
        breakerMemory: memory,
        clustersMax,
        ...this.#overload.birth,
        ...this.#guests.birth,
        drain: { drainTimeMs: options.drainTimeMs, drainStrategy: options.drainStrategy },
        fileFlushIntervalMs: options.fileFlushIntervalMs,
        ticketKeys: this.#ticketKeys.message.keys,
      },
      events: {
        onStatsMemory: (id, shared) => this.#sources.set(id, stats.addSource(shared)),
        onStatsDefined: (id, definitions) => {
          const source = this.#sources.get(id);
          if (source !== undefined) stats.define(source, definitions);
        },
        onWorkerGone: (id, index) => {
          const source = this.#sources.get(id);
          if (source !== undefined) stats.removeSource(source);
          this.#sources.delete(id);
          releaseThread(memory, clustersMax, index);
          this.#overload.release(index);
          this.#guests.release(index);
          this.#updates.applier?.registry.releaseThread(index);
        },
        onGuests: (message) => this.#guests.onMessage(message),
      },
    });
  }
}

/** "1.2.3.4:80", "[::1]:80", or the path of a unix socket. */
function adminText({ address, port }: AdminAddress): string {
  if (port === null) return address;
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}
