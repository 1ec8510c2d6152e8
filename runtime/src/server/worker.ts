// One worker: an event loop with its own engine, listeners, clusters and wasm instances. Versions
// come in two phases; nothing is shared with other workers but circuit-breaker counts.
import { FileSinks, FileStats } from "../access-log/file-sink.ts";
import { Http1ClientConnection } from "../codec/http1/client-connection.ts";
import { Http1Shared } from "../codec/http1/shared.ts";
import { Clock } from "../core/clock.ts";
import { LogLevel } from "../core/logger.ts";
import { OverloadState } from "../core/overload-state.ts";
import { Runtime } from "../core/runtime.ts";
import { openSharedCounts } from "../core/shared-counts.ts";
import { TimerWheel } from "../core/timer-wheel.ts";
import { connectionCells } from "../network/connection-admission.ts";
import { StatsStore } from "../stats/store.ts";
import type { StatDefinition } from "../stats/store.ts";
import { openBreakerMemory } from "../upstream/circuit-breaker.ts";
import { ClusterManager } from "../upstream/cluster-manager.ts";
import type { UpstreamContext } from "../upstream/upstream-context.ts";
import { ClusterCallouts } from "./callouts.ts";
import { DrainManager } from "./drain-manager.ts";
import { PulseMemory } from "./pulse.ts";
import { countLimits } from "./limit-counts.ts";
import { GuestLinks } from "./guest-links.ts";
import { ProcessLog } from "./process-log.ts";
import type {
  FromWorker,
  PrepareMessage,
  PrepareRoutesMessage,
  PrepareSecretsMessage,
  ToWorker,
  WorkerBirth,
} from "./protocol.ts";
import { RouteUpdate } from "./route-update.ts";
import { SecretUpdate } from "./secret-update.ts";
import { systemSurroundings } from "./surroundings.ts";
import type { Surroundings } from "./surroundings.ts";
import { applyOverload, shrinkHeap } from "./worker-overload.ts";
import { loadWasiProvider, wantsFiles } from "./wasi-library.ts";
import { TicketKeyRing } from "../tls/ticket-keys.ts";
import { WorkerVersion } from "./worker-version.ts";
import type { WorkerContext } from "./worker-version.ts";

/** What may come next: a whole version, or new route tables or secrets for the current one. */
interface Prepared {
  readonly version: number;
  commit(): void;
  abort(): void;
}

export class WorkerServer {
  readonly #send: (message: FromWorker) => void;
  readonly #log: ProcessLog;
  readonly #context: WorkerContext;
  readonly #definitions: StatDefinition[];
  readonly #nextTurn: (callback: () => void) => void;
  #prepared: Prepared | null = null;
  /** Of the last version that main has asked for and not given up. */
  #awaited: PrepareMessage | null = null;
  #current: WorkerVersion | null = null;
  #isStopping: boolean = false;

  constructor(
    birth: WorkerBirth,
    send: (message: FromWorker) => void,
    surroundings: Surroundings = systemSurroundings(birth.network),
  ) {
    this.#send = send;
    this.#log = new ProcessLog({
      level: birth.logLevel,
      componentLevels: birth.componentLevels,
      format: birth.logFormat,
      path: birth.logPath,
    });
    this.#definitions = [];
    this.#nextTurn = surroundings.nextTurn;
    const stats = new StatsStore({ onDefine: (definition) => this.#onDefine(definition) });
    this.#context = createContext(birth, this.#log, stats, surroundings, send);
    const engine = this.#context.engine.name;
    this.#send({ type: "online", statsMemory: stats.memory, engine });
  }

  get stats(): StatsStore {
    return this.#context.stats;
  }

  /** What is in it, for those who count what is left. */
  get contextForTest(): WorkerContext {
    return this.#context;
  }

  onMessage(message: ToWorker): void {
    switch (message.type) {
      case "prepare":
        this.#prepare(message);
        return;
      case "prepare_routes":
        this.#prepareRoutes(message);
        return;
      case "prepare_secrets":
        this.#prepareSecrets(message);
        return;
      case "commit":
        this.#commit(message.version);
        return;
      case "abort":
        this.#abort(message.version);
        return;
      case "membership":
        this.#context.engine.runTurn(() =>
          this.#context.clusterManager.setMembership(message.membership),
        );
        return;
      case "healthcheck":
        this.#context.drain.isHealthcheckFailed = message.isFailed;
        return;
      case "drain":
        this.#context.drain.startSequence(message.inboundOnly, message.elapsedMs);
        return;
      case "stop_listening":
        this.#context.drain.stopListening(message.inboundOnly);
        this.#current?.stopListening();
        return;
      case "stop":
        this.#stop();
        return;
      case "cut":
        this.#context.engine.runTurn(() => this.#current?.closeConnections());
        return;
      case "ticket_keys":
        this.#context.processTicketKeys.replace(message.keys);
        return;
      case "runtime":
        this.#context.runtime.setOverrides(message.overrides);
        return;
      case "overload":
        applyOverload(this.#context.overload, message.levels);
        this.#context.engine.runTurn(() => this.#current?.onOverloadChanged());
        return;
      case "queue_wake":
        this.#context.guests.onWake(message.thread, message.token);
        return;
      case "guest_traces":
        this.#context.guests.traces = message.rules;
        this.#context.wasmHost?.setTraces(message.rules);
        return;
      case "shrink_heap":
        shrinkHeap();
        return;
      case "log_level":
        this.#log.setLevel(message.component, message.level);
        return;
      case "reopen_logs":
        this.#log.reopen();
        this.#context.sinks.reopen();
        return;
    }
  }

  #prepare(message: PrepareMessage): void {
    this.#prepared?.abort();
    this.#prepared = null;
    this.#awaited = message;
    if (!wantsFiles(message.snapshot) || this.#context.wasiProvider !== null) {
      this.#prepareNow(message);
      return;
    }
    void loadWasiProvider().then((provider) => {
      this.#context.wasiProvider = provider;
      if (this.#awaited === message) this.#prepareNow(message);
    });
  }

  #prepareNow(message: PrepareMessage): void {
    const version = new WorkerVersion(this.#context, message, this.#current);
    version.prepare((problems) => {
      if (problems.length > 0) {
        version.abort();
        this.#send({ type: "refused", version: message.version, problems });
        return;
      }
      this.#prepared = version;
      this.#flushDefinitions();
      const { addresses } = version;
      this.#send({ type: "prepared", version: message.version, addresses });
    });
  }

  #prepareRoutes(message: PrepareRoutesMessage): void {
    this.#prepared?.abort();
    const { clock, runtime } = this.#context;
    const { hostname } = message;
    this.#prepared = new RouteUpdate(message, this.#current, { clock, hostname, runtime });
    this.#send({ type: "prepared", version: message.version, addresses: [] });
  }

  #prepareSecrets(message: PrepareSecretsMessage): void {
    this.#prepared?.abort();
    this.#prepared = new SecretUpdate(message, this.#current?.secretSlots ?? null);
    this.#send({ type: "prepared", version: message.version, addresses: [] });
  }

  #commit(version: number): void {
    const prepared = this.#prepared;
    if (prepared === null || prepared.version !== version) return;
    this.#prepared = null;
    this.#context.engine.runTurn(() => prepared.commit());
    if (prepared instanceof WorkerVersion) this.#current = prepared;
    this.#send({ type: "committed", version });
  }

  #abort(version: number): void {
    if (this.#awaited?.version === version) this.#awaited = null;
    if (this.#prepared === null || this.#prepared.version !== version) return;
    this.#prepared.abort();
    this.#prepared = null;
  }

  /** Streams in flight are finished, until the main thread has waited enough and says `cut`. */
  #stop(): void {
    if (this.#isStopping) return;
    this.#isStopping = true;
    const current = this.#current;
    if (current === null) {
      this.#drained();
      return;
    }
    this.#context.engine.runTurn(() => current.stop(() => this.#drained()));
  }

  /** The thread ends, maybe by a fault of ours: what its streams have logged is not lost. */
  onExit(): void {
    this.#context.sinks.flushSync();
  }

  #drained(): void {
    this.#context.sinks.drain(() => {
      this.#flushDefinitions();
      this.#send({ type: "drained" });
    });
  }

  /** Names travel in batches: a turn may define hundreds. */
  #onDefine(definition: StatDefinition): void {
    if (this.#definitions.length === 0) {
      this.#nextTurn(() => this.#flushDefinitions());
    }
    this.#definitions.push(definition);
  }

  #flushDefinitions(): void {
    if (this.#definitions.length === 0) return;
    this.#send({ type: "stats", definitions: this.#definitions.splice(0) });
  }
}

/** Unique in the process: the worker's index in the high part. */
function connectionIds(worker: number): () => number {
  let last = worker * 2 ** 40;
  return () => {
    last += 1;
    return last;
  };
}

function createContext(
  birth: WorkerBirth,
  log: ProcessLog,
  stats: StatsStore,
  surroundings: Surroundings,
  send: (message: FromWorker) => void,
): WorkerContext {
  const { random, ticks } = surroundings;
  const clock = new Clock(surroundings.time);
  const engine = surroundings.createEngine(clock);
  const timers = new TimerWheel(clock, (callback) => engine.runTurn(callback), ticks);
  const http1 = new Http1Shared();
  countLimits(engine, http1, stats);
  const nextConnectionId = connectionIds(birth.index);
  const runtime = new Runtime();
  const sinks = new FileSinks({
    flushIntervalMs: birth.fileFlushIntervalMs,
    stats: new FileStats(stats),
    ticks,
    io: surroundings.files,
  });
  const upstream: UpstreamContext = {
    engine,
    clock,
    timers,
    random,
    runtime,
    stats,
    breakers: openBreakerMemory(birth.breakerMemory, birth.clustersMax, birth.index),
    createCodec: (sink, callbacks, options) =>
      new Http1ClientConnection(sink, callbacks, options, http1),
    openKeyLog: (path) => sinks.get(path),
    warn: (text) => log.logger("upstream").log(LogLevel.Warning, text),
    nextConnectionId,
    ownsClusterStats: false,
  };
  const clusterManager = new ClusterManager(upstream);
  log.logger("main").log(LogLevel.Debug, `worker ${birth.index}: ${engine.name}`);
  return {
    index: birth.index,
    surroundings,
    engine,
    clock,
    timers,
    random,
    runtime,
    stats,
    http1,
    log,
    clusterManager,
    callouts: new ClusterCallouts(clusterManager, upstream, surroundings.nextTurn),
    nextConnectionId,
    sinks,
    processTicketKeys: new TicketKeyRing(birth.ticketKeys),
    wasmHost: null,
    wasiProvider: null,
    guests: new GuestLinks(birth, send, surroundings.nextTurn),
    drain: new DrainManager(clock, random, birth.drain),
    guestMark: new PulseMemory(birth.pulseMemory).guestMark(birth.index),
    leaving: new Set(),
    overload: new OverloadState(random),
    connectionCounts: openSharedCounts(
      birth.connectionMemory,
      connectionCells(birth.listenersMax),
      birth.index,
    ),
  };
}
