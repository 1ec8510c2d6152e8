// A connection manager without sockets: codec, connection, filter manager and timers are real;
// router, io handle and time are played by hand. For tests of this room.
import { FakeTime } from "../../test/fake-time.ts";
import { HeadParser } from "../codec/http1/parser.ts";
import { Http1Shared } from "../codec/http1/shared.ts";
import type { HcmConfig } from "../config/snapshot.ts";
import { Clock } from "../core/clock.ts";
import { ConnectionInfo } from "../core/connection-info.ts";
import { HeaderMap } from "../core/header-map.ts";
import { OverloadState } from "../core/overload-state.ts";
import { SeededRandom } from "../core/random.ts";
import { Runtime } from "../core/runtime.ts";
import { responseFlagsText } from "../core/response-flags.ts";
import { StreamInfo } from "../core/stream-info.ts";
import { TimerWheel } from "../core/timer-wheel.ts";
import type { HttpFilter, LocalReply } from "../filter/http-filter.ts";
import { Connection } from "../network/connection.ts";
import { FakeIo } from "../network/fake-io-for-test.ts";
import type { ClusterChoice, Route, RouterCallbacks } from "../router/route.ts";
import type { RouterContext } from "../router/router.ts";
import { StatsStore } from "../stats/store.ts";
import { HcmFactory } from "./connection-manager.ts";
import type { DrainDecision, HcmContext, StreamRouter, RouteSelector } from "./hcm-context.ts";
import { HcmStats } from "./hcm-stats.ts";
import { LocalReplyWriter } from "./local-reply.ts";
import { RequestNormalizer } from "./request-normalizer.ts";
import { RequestSanitizer } from "./request-sanitizer.ts";
import { ResponseFinisher } from "./response-finisher.ts";
import { UpgradePolicy } from "./upgrade-policy.ts";

/** What Envoy has when nothing is configured. */
export const defaultConfig: HcmConfig = {
  statPrefix: "main",
  codecType: "auto",
  http1: {
    headBytesMax: 60 * 1024,
    headersMax: 100,
    acceptHttp10: false,
    defaultHostForHttp10: "",
    allowAbsoluteUrl: true,
    allowChunkedLength: false,
    enableTrailers: false,
    headerCase: "lower",
    underscores: "allow",
  },
  httpFilters: [],
  router: { dynamicStats: true, suppressEnvoyHeaders: false, respectExpectedRqTimeout: false },
  routes: {
    name: "r",
    virtualHosts: [],
    headers: { requestAdd: [], requestRemove: [], responseAdd: [], responseRemove: [] },
    mostSpecificHeaderMutationsWins: false,
    ignorePortInHostMatching: false,
    internalOnlyHeaders: [],
  },
  rds: null,
  accessLogs: [],
  via: "",
  serverName: "envoy",
  serverHeaderTransformation: "overwrite",
  useRemoteAddress: false,
  xffNumTrustedHops: 0,
  skipXffAppend: false,
  appendXForwardedPort: false,
  internalCidrs: [],
  internalUnixSockets: false,
  forwardClientCert: "sanitize",
  clientCertDetails: { subject: false, cert: false, chain: false, dns: false, uri: false },
  generateRequestId: true,
  preserveExternalRequestId: false,
  alwaysSetRequestIdInResponse: false,
  schemeToOverwrite: "",
  schemeMatchUpstream: false,
  normalizePath: false,
  mergeSlashes: false,
  escapedSlashesAction: "keep_unchanged",
  stripMatchingHostPort: false,
  stripAnyHostPort: false,
  stripTrailingHostDot: false,
  addUserAgent: false,
  upgrades: [],
  proxy100Continue: false,
  appendLocalOverload: false,
  streamErrorOnInvalidHttpMessage: false,
  streamIdleTimeoutMs: 300_000,
  requestTimeoutMs: 0,
  requestHeadersTimeoutMs: 0,
  idleTimeoutMs: 3_600_000,
  maxConnectionDurationMs: 0,
  maxConnectionDurationJitter: 0,
  http1SafeMaxConnectionDuration: false,
  maxStreamDurationMs: 0,
  maxRequestsPerConnection: 0,
  drainTimeoutMs: 5000,
  delayedCloseTimeoutMs: 1000,
  localReply: null,
  tracing: null,
};

export function requestHeaders(path: string, more: readonly string[] = []): HeaderMap {
  const headers = new HeaderMap();
  headers.method = "GET";
  headers.path = path;
  headers.authority = "test.local";
  for (let i = 0; i + 1 < more.length; i += 2) {
    headers.append(more[i] as string, more[i + 1] as string);
  }
  return headers;
}

/** A head as the codec parses it. */
export function parsedRequest(...lines: string[]): HeaderMap {
  const map = new HeaderMap();
  const bytes = Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1");
  const result = new HeadParser().request(bytes, 0, bytes.length, map, defaultConfig.http1);
  if (result !== bytes.length) throw new Error(`not parsed: ${lines.join(" | ")}`);
  return map;
}

export function getRequest(target: string, ...lines: string[]): HeaderMap {
  return parsedRequest(`GET ${target} HTTP/1.1`, "Host: test.local", ...lines);
}

/** Header lines as written upstream, without the request line and Host. */
export function writtenLines(map: HeaderMap): string[] {
  return map.serializeLines("").split("\r\n").slice(0, -1);
}

/** A connection from `ip`, or from the unix path that it is, to port 8080. */
export function connectionFrom(ip: string): ConnectionInfo {
  const isPath = ip.startsWith("/");
  const port = isPath ? 0 : 5555;
  const local = isPath ? { ip, port: 0 } : { ip: "127.0.0.1", port: 8080 };
  return new ConnectionInfo(1, { ip, port }, local, 0);
}

export function infoOf(connection: ConnectionInfo): StreamInfo {
  const info = new StreamInfo();
  info.reset(connection, 1, 0);
  return info;
}

export function connectionInfo(remoteIp = "127.0.0.1"): ConnectionInfo {
  const local = { ip: "127.0.0.1", port: 10_000 };
  return new ConnectionInfo(1, { ip: remoteIp, port: 40_000 }, local, 0);
}

/** All headers as "name: value" in the order of the wire, pseudo headers left out. */
export function headerLines(headers: HeaderMap): string[] {
  const lines: string[] = [];
  headers.visit({
    onHeader(name, value) {
      if (!name.startsWith(":")) lines.push(`${name}: ${value}`);
    },
  });
  return lines;
}

/** A route to cluster "up" that adds one header to responses. */
export class FakeRoute implements Route {
  readonly name: string = "rest";
  readonly virtualHost: Route["virtualHost"] = {
    name: "all",
    domains: ["*"],
    routes: [],
    requireTls: "none",
    headers: defaultConfig.routes.headers,
    includeRequestAttemptCount: false,
    includeAttemptCountInResponse: false,
    perFilter: [],
  };
  readonly kind = "route";
  readonly fixedCluster = "up";
  upgrades: ReadonlyMap<string, boolean> | null = null;
  readonly connect = null;
  readonly perFilter = null;
  readonly timeoutMs = 15_000;
  readonly timeoutText = "15000";
  readonly timeoutLine = "x-envoy-expected-rq-timeout-ms: 15000\r\n";
  idleTimeoutMs = -1;
  maxStreamDurationMs = -1;
  readonly clusterNotFoundStatus = 503;
  readonly isHighPriority = false;
  readonly includeRequestAttemptCount = false;
  readonly includeAttemptCountInResponse = false;
  readonly autoHostRewrite = false;
  readonly appendXForwardedHost = false;
  responseHeader = "";

  chooseCluster(): ClusterChoice {
    return { clusterName: "up", weightedIndex: -1 };
  }
  finalizeRequestHeaders(): void {}
  finalizeResponseHeaders(headers: HeaderMap): void {
    if (this.responseHeader !== "") headers.append(this.responseHeader, "1");
  }
  localReply(): LocalReply {
    throw new Error("not a direct response");
  }
}

/** Keeps what comes; the test answers through `callbacks`. */
export class FakeRouter implements StreamRouter {
  readonly callbacks: RouterCallbacks;
  readonly clusterChoice = null;
  readonly #onHeaders: (router: FakeRouter) => void;
  headers: HeaderMap | null = null;
  body = "";
  isComplete = false;
  isDestroyed = false;
  responseReadDisables = 0;

  constructor(callbacks: RouterCallbacks, onHeaders: (router: FakeRouter) => void) {
    this.callbacks = callbacks;
    this.#onHeaders = onHeaders;
  }

  reset(): void {
    this.headers = null;
    this.body = "";
    this.isComplete = false;
    this.isDestroyed = false;
    this.responseReadDisables = 0;
  }
  destroy(): void {
    this.isDestroyed = true;
  }
  onRequestHeaders(headers: HeaderMap, end: boolean): void {
    this.headers = headers;
    this.isComplete = end;
    this.#onHeaders(this);
  }
  onRequestData(buffer: Buffer, from: number, to: number, end: boolean): void {
    this.body += buffer.toString("latin1", from, to);
    this.isComplete = end;
  }
  onRequestTrailers(): void {
    this.isComplete = true;
  }
  responseReadDisable(disabled: boolean): void {
    this.responseReadDisables += disabled ? 1 : -1;
  }

  /** The upstream's answer. */
  respond(status: number, body: string, end = true, more: readonly string[] = []): void {
    const headers = new HeaderMap();
    headers.status = status;
    if (end && body !== "") headers.append("content-length", String(body.length));
    for (let i = 0; i + 1 < more.length; i += 2) {
      headers.append(more[i] as string, more[i + 1] as string);
    }
    this.callbacks.streamInfo.responseCodeDetails = "via_upstream";
    this.callbacks.onUpstreamHeaders(headers, end && body === "");
    if (body !== "") this.data(body, end);
  }

  data(body: string, end: boolean): void {
    const bytes = Buffer.from(body, "latin1");
    this.callbacks.onUpstreamData(bytes, 0, bytes.length, end);
  }
}

export interface WorldOptions {
  readonly config?: Partial<HcmConfig>;
  readonly onRequest?: (router: FakeRouter) => void;
  readonly filters?: () => readonly HttpFilter[];
  readonly route?: Route | null;
  /** In the place of `route`. */
  readonly routes?: RouteSelector;
  readonly bufferBytesMax?: number;
}

/** Drains when the test says so. */
export class SwitchedDrain implements DrainDecision {
  isDraining = false;

  drainClose(): boolean {
    return this.isDraining;
  }
}

/** A connection manager and, one after the other, its connections. */
export class HcmWorld {
  readonly time: FakeTime;
  readonly stats: StatsStore;
  readonly log: string[];
  readonly routers: FakeRouter[];
  readonly drain: SwitchedDrain;
  readonly overload: OverloadState;
  readonly factory: HcmFactory;
  readonly #clock: Clock;
  readonly #timers: TimerWheel;
  io: FakeIo;
  connection: Connection;

  constructor(options: WorldOptions = {}) {
    this.time = new FakeTime();
    this.stats = new StatsStore();
    this.log = [];
    this.routers = [];
    this.drain = new SwitchedDrain();
    this.overload = new OverloadState(new SeededRandom(3));
    const clock = new Clock(this.time);
    this.#clock = clock;
    const timers = new TimerWheel(
      clock,
      (callback) => {
        clock.update();
        callback();
      },
      this.time,
    );
    this.#timers = timers;
    this.factory = new HcmFactory(this.#context(options, timers));
    this.io = new FakeIo();
    this.connection = this.connect();
  }

  /** A new connection; the old one is forgotten. */
  connect(): Connection {
    this.io = new FakeIo();
    const info = connectionInfo();
    info.startMs = this.#clock.nowMs;
    const owner = { onConnectionClosed: (): void => {} };
    const nowMs = (): number => this.#clock.nowMs;
    this.connection = new Connection(info, this.io, owner, this.#timers, nowMs);
    this.connection.setFilter(this.factory.createFilter(this.connection));
    return this.connection;
  }

  /** The client sends; returns what came back at once. */
  send(text: string): string {
    const before = this.io.sent.length;
    const bytes = Buffer.from(text, "latin1");
    this.connection.onRead(bytes, bytes.length);
    this.pump();
    return this.io.sent.slice(before);
  }

  /** Bytes that were put back come again, as the engine would have it. */
  pump(): void {
    while (this.io.unreadBytes.length > 0 && this.io.readDisables === 0) {
      const bytes = Buffer.concat(this.io.unreadBytes.splice(0).reverse());
      this.connection.onRead(bytes, bytes.length);
    }
  }

  sendEnd(): void {
    this.connection.onEnd();
  }

  /** The connection broke. */
  breakOff(): void {
    this.io.fate = "closed";
    this.connection.onClose();
  }

  pass(ms: number): void {
    this.time.advance(ms, () => {});
    this.#clock.update();
  }

  /** The last router that got a request. */
  get router(): FakeRouter {
    return this.routers.at(-1) as FakeRouter;
  }

  /** Values of `http.main.` stats that are not 0, by short name. */
  counts(): Record<string, number> {
    const counts: Record<string, number> = {};
    const values = new Float64Array(this.stats.memory);
    for (const { name, slot } of this.stats.definitions) {
      const value = values[slot] as number;
      if (name.startsWith("http.main.") && value !== 0 && !/bytes|_ms$|time$/.test(name)) {
        counts[name.slice("http.main.downstream_".length)] = value;
      }
    }
    return counts;
  }

  count(name: string): number {
    return this.stats.counter(name).value;
  }

  #context(options: WorldOptions, timers: TimerWheel): HcmContext {
    const config: HcmConfig = { ...defaultConfig, ...options.config };
    const clock = this.#clock;
    const random = new SeededRandom(7);
    const route = options.route === undefined ? new FakeRoute() : options.route;
    let streamId = 0;
    return {
      config,
      clock,
      timers,
      random,
      stats: new HcmStats(this.stats, config.statPrefix, "127.0.0.1_10000"),
      http1: new Http1Shared(),
      http1Stats: null,
      routes: options.routes ?? { isPlain: false, match: () => route },
      filters: { createFilters: () => options.filters?.() ?? [] },
      accessLoggers: [{ log: (info, request) => this.#writeLog(info, request) }],
      // The fake router takes its place.
      router: null as unknown as RouterContext,
      upgrades: new UpgradePolicy(config.upgrades),
      normalizer: new RequestNormalizer(config),
      sanitizer: new RequestSanitizer(
        config,
        { cluster: "c", id: "n", hostIp: "10.1.1.1" },
        random,
      ),
      finisher: new ResponseFinisher(config, clock),
      localReplies: new LocalReplyWriter(config.localReply, {
        clock,
        random,
        runtime: new Runtime(),
        hostname: "h",
      }),
      drain: this.drain,
      overload: this.overload,
      bufferBytesMax: options.bufferBytesMax ?? 1024 * 1024,
      nextStreamId: () => {
        streamId += 1;
        return streamId;
      },
      createRouter: (callbacks) =>
        new FakeRouter(callbacks, (router) => {
          this.routers.push(router);
          options.onRequest?.(router);
        }),
    };
  }

  #writeLog(info: StreamInfo, request: HeaderMap | null): void {
    const flags = responseFlagsText(info.responseFlags);
    this.log.push(
      `${info.responseCode}|${flags}|${info.responseCodeDetails ?? ""}|${request?.method ?? "-"}|` +
        `${request?.path ?? "-"}|${info.bytesReceived}|${info.bytesSent}|` +
        `${info.upstreamCluster || "-"}|${info.routeName || "-"}`,
    );
  }
}
