// A stream's side of the router for its tests: a route with knobs, and callbacks that write down what
// the router does.
import { expect } from "vitest";
import type { ConnectConfig, HcmConfig } from "../config/snapshot.ts";
import { HeaderMap } from "../core/header-map.ts";
import { responseFlagsText } from "../core/response-flags.ts";
import { StreamInfo } from "../core/stream-info.ts";
import type { FilterChainFactory, LocalReply } from "../filter/http-filter.ts";
import { ClusterManager } from "../upstream/cluster-manager.ts";
import type { Host } from "../upstream/host.ts";
import {
  clusterConfig,
  FakeThread,
  hostConfig,
  membership,
} from "../upstream/upstream-for-test.ts";
import type { ClusterChoice, Route, RouterCallbacks } from "./route.ts";
import { RouterStats } from "./router-stats.ts";
import { Router } from "./router.ts";

const noMutations = { requestAdd: [], requestRemove: [], responseAdd: [], responseRemove: [] };

export class FakeRoute implements Route {
  name = "r";
  readonly virtualHost: Route["virtualHost"] = {
    name: "v",
    domains: ["*"],
    routes: [],
    requireTls: "none",
    headers: noMutations,
    includeRequestAttemptCount: false,
    includeAttemptCountInResponse: false,
    perFilter: [],
  };
  kind: Route["kind"] = "route";
  readonly fixedCluster = "";
  upgrades: ReadonlyMap<string, boolean> | null = null;
  connect: ConnectConfig | null = null;
  readonly perFilter = null;
  timeoutMs = 15_000;
  idleTimeoutMs = -1;
  maxStreamDurationMs = -1;
  clusterNotFoundStatus = 503;
  isHighPriority = false;
  includeRequestAttemptCount = false;
  includeAttemptCountInResponse = false;
  autoHostRewrite = false;
  appendXForwardedHost = false;
  clusterName = "up";

  get timeoutText(): string {
    return String(this.timeoutMs);
  }
  get timeoutLine(): string {
    return `x-envoy-expected-rq-timeout-ms: ${this.timeoutMs}\r\n`;
  }
  chooseCluster(): ClusterChoice {
    return { clusterName: this.clusterName, weightedIndex: -1 };
  }
  finalizeRequestHeaders(headers: HeaderMap): void {
    headers.append("x-to-upstream", "1");
  }
  finalizeResponseHeaders(headers: HeaderMap): void {
    headers.append("x-to-client", "1");
  }
  localReply(): LocalReply {
    return {
      status: 418,
      body: "x",
      headers: null,
      grpcStatus: -1,
      details: "direct_response",
      responseFlags: 0,
    };
  }
}

/** One stream over a world with one cluster "up" that has a host on port 80. */
export class RouterWorld extends FakeThread implements RouterCallbacks {
  readonly manager: ClusterManager;
  readonly streamInfo: StreamInfo = new StreamInfo();
  readonly fakeRoute: FakeRoute = new FakeRoute();
  readonly isHeadRequest = false;
  readonly isRequestComplete = false;
  upgradeType: string = "";
  route: Route | null = this.fakeRoute;
  readonly router: Router;
  /** What the client would see. */
  readonly events: string[] = [];
  replyHeaders: readonly string[] | null = null;
  responseHeaders: HeaderMap | null = null;
  requestReadDisables = 0;

  constructor(
    overrides: Parameters<typeof clusterConfig>[0] = {},
    config: Partial<HcmConfig["router"]> = {},
    hosts: ReturnType<typeof hostConfig>[] = [hostConfig(80)],
    upstreamFilters: FilterChainFactory | null = null,
  ) {
    super();
    this.manager = new ClusterManager(this.context);
    const prepared = this.manager.prepare([clusterConfig(overrides)], [membership("up", hosts)]);
    this.manager.commit(prepared);
    this.router = new Router(this, {
      clusterManager: this.manager,
      clock: this.clock,
      timers: this.timers,
      random: this.context.random,
      stats: new RouterStats(this.stats, "in"),
      config: {
        dynamicStats: true,
        suppressEnvoyHeaders: false,
        respectExpectedRqTimeout: false,
        ...config,
      },
      upstreamFilters,
      bufferBytesMax: 64,
    });
  }

  // What the stream does.

  request(method = "GET", end = true, extra: Readonly<Record<string, string>> = {}): HeaderMap {
    const headers = new HeaderMap();
    headers.method = method;
    headers.path = "/";
    headers.authority = "a";
    for (const [name, value] of Object.entries(extra)) headers.append(name, value);
    this.router.onRequestHeaders(headers, end);
    return headers;
  }
  data(text: string, end: boolean): void {
    const bytes = Buffer.from(text, "latin1");
    this.router.onRequestData(bytes, 0, bytes.length, end);
  }
  /** Makes the router ready for the next stream. */
  next(): void {
    this.router.destroy();
    this.router.reset();
    this.events.length = 0;
    this.streamInfo.responseFlags = 0;
    this.streamInfo.startMs = -1;
    this.streamInfo.responseCodeDetails = null;
  }
  up(name: string): number {
    return this.counter(`cluster.up.upstream_${name}`);
  }
  hostCounter(name: string): number {
    return this.counter(`@host.up|127.0.0.1:80|${name}`);
  }
  get host(): Host {
    return this.manager.getCluster("up")?.hostSet.hosts[0] as Host;
  }

  // RouterCallbacks.

  onUpstreamInformational(headers: HeaderMap): void {
    this.events.push(`info ${headers.status}`);
  }
  onUpstreamHeaders(headers: HeaderMap, end: boolean): void {
    this.responseHeaders = headers;
    this.events.push(`headers ${headers.status}${end ? " end" : ""}`);
  }
  onUpstreamData(buffer: Buffer, from: number, to: number, end: boolean): void {
    this.events.push(`data ${buffer.toString("latin1", from, to)}${end ? " end" : ""}`);
  }
  onUpstreamTrailers(trailers: HeaderMap): void {
    this.events.push(`trailers ${trailers.size}`);
  }
  sendLocalReply(reply: LocalReply): void {
    this.replyHeaders = reply.headers;
    const flags = responseFlagsText(reply.responseFlags);
    // No filter holds the response's head.
    if (this.events.some((event) => event.startsWith("headers "))) {
      this.events.push(`cut ${flags} ${reply.details}`);
    } else this.events.push(`reply ${reply.status} ${flags} ${reply.details} "${reply.body}"`);
  }
  onFilterReset(details: string, responseFlags: number): void {
    this.events.push(`cut ${responseFlagsText(responseFlags)} ${details}`);
  }
  requestReadDisable(disabled: boolean): void {
    this.requestReadDisables += disabled ? 1 : -1;
  }
}

/** The stream ends, and nothing is left of it. */
export function expectEmpty(world: RouterWorld): void {
  world.router.destroy();
  world.manager.close();
  expect(world.openGauges()).toEqual([]);
  expect(world.timers.size).toBe(0);
  expect(world.requestReadDisables).toBe(0);
  for (const io of world.engine.ios) expect(io.readDisables).toBe(0);
}
