// Where a shadow's guest lives, apart from all others: a host of its own, whose callouts are
// answered with those of the version that serves, and whose data, queues, stats and log lines are
// kept apart. Variants of routes live with the plugin whose VM they are on.
import type { ClusterInfo } from "../../core/upstream-info.ts";
import type { LoggerFactory } from "../../core/logger.ts";
import type { HeaderMap } from "../../core/header-map.ts";
import { Status } from "proxy-wasm-types";
import { PrefixedStats } from "../../stats/prefixed-stats.ts";
import type {
  Callouts,
  CalloutTap,
  GrpcReceiver,
  GrpcRequest,
  GrpcStream,
  HttpCall,
  HttpCallReceiver,
  HttpCallRequest,
} from "../callout.ts";
import { PrefixedGauges } from "../metrics.ts";
import type { RootContext } from "../root-context.ts";
import type { SharedSpace } from "../shared-space.ts";
import { shadowSpace } from "../shared-names.ts";
import type { Vm } from "../vm.ts";
import { WasmHost, type WasmHostContext } from "../wasm-host.ts";
import { CallBook, CallText, type ServedCall } from "./call-book.ts";
import { ShadowStore } from "./shadow-store.ts";
import type { ShadowStream } from "./shadow-stream.ts";

/** What a shadow's host has of the thread's. */
export interface ShadowSurroundings extends WasmHostContext {
  readonly callouts: Callouts;
  readonly shared: SharedSpace;
}

/** Before all stats of a shadow. */
const STATS_PREFIX = "shadow.";

export class ShadowSite implements Callouts, CalloutTap {
  readonly host: WasmHost;
  /** Of all copies that wait here. */
  heldBytes: number = 0;
  readonly #surroundings: ShadowSurroundings;
  /** Of ticks, queues and configure. */
  readonly #rootCalls: CallBook;
  readonly #byToken: Map<number, ServedCall>;
  /** Root contexts of the version that serves which it looks at. */
  readonly #roots: Set<RootContext>;
  #vm: Vm | null = null;
  /** Whose callback runs, of the version that serves and of the shadow; null = no stream's. */
  #served: ShadowStream | null = null;
  #tried: ShadowStream | null = null;
  #outer: ShadowStream | null = null;
  #isAnswering: boolean = false;
  /** Have got events meanwhile. */
  readonly #waiting: Set<ShadowStream>;

  constructor(plugin: string, surroundings: ShadowSurroundings) {
    const { stats, gauges, shared, logger } = surroundings;
    this.#surroundings = surroundings;
    this.#rootCalls = new CallBook();
    this.#byToken = new Map();
    this.#roots = new Set();
    this.#waiting = new Set();
    this.host = new WasmHost({
      ...surroundings,
      stats: new PrefixedStats(STATS_PREFIX, stats),
      gauges: new PrefixedGauges(STATS_PREFIX, gauges ?? stats),
      shared: new ShadowStore(shared, shadowSpace(plugin)),
      logger: new ShadowLoggers(logger),
      callouts: this,
      traces: new Map(),
    });
  }

  // ---- Which stream's callback runs.

  enterServed(stream: ShadowStream | null): ShadowStream | null {
    const outer = this.#served;
    this.#served = stream;
    return outer;
  }

  leaveServed(outer: ShadowStream | null): void {
    this.#served = outer;
  }

  enterTried(stream: ShadowStream | null): void {
    this.#tried = stream;
  }

  leaveTried(): void {
    this.#tried = null;
  }

  /** The shadow's turn has to wait: `run` comes later. */
  holds(stream: ShadowStream): boolean {
    if (this.#isAnswering) this.#waiting.add(stream);
    return this.#isAnswering;
  }

  // ---- CalloutTap: the version that serves.

  /** Looks at its calls from now on. */
  watch(root: RootContext): void {
    if (root.calloutTap === this) return;
    root.calloutTap = this;
    this.#roots.add(root);
    if (root.vm === this.#vm) return;
    // Tokens are a VM's own, and the one before is dead.
    this.#vm = root.vm;
    this.#byToken.clear();
  }

  /** The shadow is over. */
  close(): void {
    for (const root of this.#roots) if (root.calloutTap === this) root.calloutTap = null;
    this.#roots.clear();
    this.#byToken.clear();
  }

  onHttpCall(token: number, request: HttpCallRequest): void {
    const stream = this.#served;
    const book = stream?.calls ?? this.#rootCalls;
    this.#byToken.set(token, book.onServed(new CallText(request), token, stream));
  }

  onHttpCallRefused(token: number, status: Status): void {
    this.#byToken.get(token)?.refuse(status);
    this.#byToken.delete(token);
  }

  beforeAnswer(token: number): void {
    this.#outer = this.enterServed(this.#byToken.get(token)?.stream ?? null);
    this.#isAnswering = true;
  }

  afterAnswer(
    token: number,
    headers: HeaderMap | null,
    body: Buffer | null,
    trailers: HeaderMap | null,
  ): void {
    this.#isAnswering = false;
    this.leaveServed(this.#outer);
    const call = this.#byToken.get(token);
    this.#byToken.delete(token);
    this.enterTried(call?.stream ?? null);
    call?.take({ headers, body, trailers });
    this.leaveTried();
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const stream of waiting) stream.run();
  }

  // ---- Callouts: the shadow's guest.

  hasCluster(name: string): boolean {
    return this.#surroundings.callouts.hasCluster(name);
  }

  clusterInfo(name: string): ClusterInfo | null {
    return this.#surroundings.callouts.clusterInfo(name);
  }

  httpCall(request: HttpCallRequest, receiver: HttpCallReceiver): HttpCall | Status {
    const book = this.#tried?.calls ?? this.#rootCalls;
    const { timers, clock } = this.#surroundings;
    return book.onShadow(new CallText(request), receiver, timers, clock.nowMs);
  }

  /** Streams both ways have no one answer to share: none is made, and the stream differs by it. */
  grpcStream({ cluster, path }: GrpcRequest, _receiver: GrpcReceiver): GrpcStream | Status {
    this.#tried?.noteGrpcCall(`${cluster}: gRPC ${path}, not made: gRPC calls of a shadow fail`);
    return Status.InternalFailure;
  }
}

/** Tells the shadow's lines from those of the version that serves. */
class ShadowLoggers implements LoggerFactory {
  readonly #inner: LoggerFactory;

  constructor(inner: LoggerFactory) {
    this.#inner = inner;
  }

  logger(component: string): ReturnType<LoggerFactory["logger"]> {
    const inner = this.#inner.logger(component);
    return {
      enabled: (level) => inner.enabled(level),
      log: (level, message) => inner.log(level, `shadow: ${message}`),
    };
  }
}
