// An admin interface on a port of its own, with a process behind it that notes what it is told to do. For the tests of
// its pages.
import { request as httpRequest } from "node:http";
import type { IncomingHttpHeaders } from "node:http";
import { afterEach, beforeEach } from "vitest";
import { LogLevel, silentLogger } from "../core/logger.ts";
import type { RuntimeLayer } from "../core/runtime.ts";
import { StatsAggregate } from "../stats/aggregate.ts";
import type {
  AdminDelegate,
  DrainOptions,
  ServerStateName,
  WasmAnswer,
  WasmPush,
} from "./admin-delegate.ts";
import { createAdminServer } from "./admin-server.ts";
import type { AdminServer, AdminServerOptions } from "./admin-server.ts";

/** A process with one cluster and one listener; notes what it is told to do. */
export class FakeProcess implements AdminDelegate {
  readonly stats: StatsAggregate = new StatsAggregate(60_000);
  readonly calls: string[] = [];
  layers: readonly RuntimeLayer[] = [];
  stateName: ServerStateName = "LIVE";
  levels: Map<string, LogLevel> = new Map([
    ["admin", LogLevel.Info],
    ["http", LogLevel.Error],
  ]);
  onQuit: () => void = () => {};

  state(): ServerStateName {
    return this.stateName;
  }
  serverInfo(): { version: string; state: string; uptime_current_epoch: string } {
    return { version: "abc/0.1.0", state: this.stateName, uptime_current_epoch: "3s" };
  }
  refreshStats(): void {
    this.stats.store.gauge("server.live").set(1);
  }
  clusters(): ReturnType<AdminDelegate["clusters"]> {
    const breaker = {
      maxConnections: 1024,
      maxPendingRequests: 1024,
      maxRequests: 1024,
      maxRetries: 3,
    };
    const host = {
      address: "127.0.0.1",
      port: 19909,
      addressText: "127.0.0.1:19909",
      hostname: "",
      healthFlags: [],
      weight: 1,
      region: "",
      zone: "",
      subZone: "",
      canary: false,
      priority: 0,
    } as const;
    return [
      {
        name: "up",
        observabilityName: "up",
        addedViaApi: false,
        edsServiceName: "",
        circuitBreakers: { default: breaker, high: breaker },
        hosts: [host],
      },
    ];
  }
  listeners(): ReturnType<AdminDelegate["listeners"]> {
    return [
      { name: "l", addresses: [{ address: "127.0.0.1", port: 28100 }] },
      { name: "six", addresses: [{ address: "::1", port: 80 }] },
      { name: "pipe", addresses: [{ address: "/run/x.sock", port: null }] },
    ];
  }
  certificates(): ReturnType<AdminDelegate["certificates"]> {
    return [];
  }
  configDump(): ReturnType<AdminDelegate["configDump"]> {
    const lastUpdated = "2026-11-21T12:21:23.968Z";
    return {
      bootstrap: { config: { node: { id: "n" }, admin: { address: { pipe: {} } } }, lastUpdated },
      clusters: [{ config: { name: "up", connect_timeout: "1s" }, lastUpdated }],
      listeners: [{ config: { name: "l" }, lastUpdated }],
      routes: [{ config: { name: "r" }, lastUpdated }],
      clustersVersion: "",
      listenersVersion: "",
      dynamicClusters: [],
      dynamicListeners: [],
      dynamicRoutes: [],
      secrets: { static: [], active: [], warming: [] },
      endpoints: () => ({ static: [], dynamic: [] }),
    };
  }
  logLevels(): [string, LogLevel][] {
    return [...this.levels];
  }
  setLogLevel(component: string | null, level: LogLevel): void {
    for (const name of this.levels.keys()) {
      if (component === null || component === name) this.levels.set(name, level);
    }
  }
  drainListeners(options: DrainOptions): void {
    this.calls.push(`drain ${JSON.stringify(options)}`);
  }
  setHealthcheckFail(isFailing: boolean): void {
    this.calls.push(`healthcheck ${isFailing ? "fail" : "ok"}`);
  }
  runtime(): readonly RuntimeLayer[] {
    return this.layers;
  }
  modifyRuntime(pairs: readonly (readonly [string, string])[]): string {
    this.calls.push(`runtime ${JSON.stringify(pairs)}`);
    return this.layers.length > 0 ? "" : "No admin layer specified";
  }
  wasmPlugins(): ReturnType<AdminDelegate["wasmPlugins"]> {
    return { plugins: [{ name: "guest" }] };
  }
  wasmTraces(): ReturnType<AdminDelegate["wasmTraces"]> {
    return [
      { plugin: "a", trace: "off", isSwitched: false },
      { plugin: "b", trace: "every stream", isSwitched: true },
    ];
  }
  traceWasm(plugin: string, every: string, header: string): string {
    this.calls.push(`trace ${plugin} ${every} ${header}`);
    return plugin === "a" ? "" : `no wasm plugin has the name "${plugin}"`;
  }
  untraceWasm(plugin: string): string {
    this.calls.push(`untrace ${plugin}`);
    return "";
  }
  wasmCosts(): ReturnType<AdminDelegate["wasmCosts"]> {
    return { workers_cpu_us: 2, plugins: [] };
  }
  wasmShadow(plugin: string): ReturnType<AdminDelegate["wasmShadow"]> {
    return plugin === "a guest" ? { plugin, differences: [] } : null;
  }
  wasmTraps(plugin: string): ReturnType<AdminDelegate["wasmTraps"]> {
    return plugin === "a guest" ? { plugin, reports: [] } : null;
  }
  pushWasm(plugin: string, push: WasmPush): Promise<WasmAnswer> {
    const { module, configuration, sourceMap, trial, isFresh } = push;
    const text = (bytes: Uint8Array | null): string | null =>
      bytes === null ? null : Buffer.from(bytes).toString("latin1");
    const map = sourceMap === null ? [] : [text(sourceMap)];
    const parts = [
      plugin,
      text(module),
      text(configuration),
      trial,
      ...map,
      ...(isFresh ? ["fresh"] : []),
    ];
    this.calls.push(`push ${JSON.stringify(parts)}`);
    return Promise.resolve({ status: module?.length === 3 ? 422 : 200, page: { plugin } });
  }
  promoteWasm(plugin: string, version: string): Promise<WasmAnswer> {
    this.calls.push(`promote ${plugin} ${version}`);
    return Promise.resolve({ status: 200, page: { plugin } });
  }
  rollBackWasm(plugin: string, version: string): Promise<WasmAnswer> {
    this.calls.push(`rollback ${plugin} ${version}`);
    return Promise.resolve({ status: 409, page: { plugin } });
  }
  resetCounters(): void {
    this.stats.resetCounters();
    this.calls.push("reset");
  }
  reopenLogs(): void {
    this.calls.push("reopen");
  }
  quit(): void {
    this.calls.push("quit");
    this.onQuit();
  }
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: readonly string[];
  readonly bytes: Buffer;
  readonly body: string;
}

export interface Call {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** What a 405 says. */
export function postRequired(method: string): string {
  return `Method ${method} not allowed, POST required.`;
}

/** What a test has of it; all of it is new for each test. */
export class AdminForTest {
  fake: FakeProcess = new FakeProcess();
  server: AdminServer = createAdminServer(this.fake, this.options);
  port: number = 0;
  /** Of the access log. */
  lines: string[] = [];

  get options(): AdminServerOptions {
    return {
      address: { address: "127.0.0.1", port: 0 },
      accessLogs: [{ write: (line): void => void this.lines.push(line) }],
      logger: silentLogger,
      wasmAccess: { from: "local", token: "" },
      pushBytesMax: 200_000,
    };
  }

  async start(): Promise<void> {
    this.fake = new FakeProcess();
    this.lines = [];
    this.server = createAdminServer(this.fake, this.options);
    this.port = (await this.server.listen()).port ?? 0;
  }

  call(method: string, path: string, { headers = {}, body }: Call = {}): Promise<Answer> {
    const options = { port: this.port, method, path, headers, agent: false };
    return new Promise((resolve, reject) => {
      const request = httpRequest(options, (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => void chunks.push(chunk));
        response.on("end", () => {
          const bytes = Buffer.concat(chunks);
          const { statusCode: status = 0, rawHeaders } = response;
          resolve({ status, headers: response.headers, rawHeaders, bytes, body: bytes.toString() });
        });
      });
      request.on("error", reject);
      request.end(body);
    });
  }

  /** Status and body in one, as the recorded answers are written down. */
  async answerOf(method: string, path: string): Promise<string> {
    const { status, body } = await this.call(method, path);
    return `${status} ${body}`;
  }
}

/** Serves one in each test of the file. */
export function adminForTest(): AdminForTest {
  const admin = new AdminForTest();
  beforeEach(() => admin.start());
  afterEach(() => admin.server.close());
  return admin;
}
