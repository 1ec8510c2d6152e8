// A whole request through all rooms, from the client's bytes to those of the answer, on an engine in
// memory: what a request costs beyond the kernel and Node.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { FileSinks, FileStats } from "../../runtime/src/access-log/file-sink.ts";
import { Http1ClientConnection } from "../../runtime/src/codec/http1/client-connection.ts";
import { Http1Shared } from "../../runtime/src/codec/http1/shared.ts";
import { Clock } from "../../runtime/src/core/clock.ts";
import { LogLevel } from "../../runtime/src/core/logger.ts";
import { SystemRandom } from "../../runtime/src/core/random.ts";
import { TimerWheel } from "../../runtime/src/core/timer-wheel.ts";
import { loadConfig } from "../../runtime/src/server/config-loading.ts";
import { PluginModuleLoader } from "../../runtime/src/server/plugin-modules.ts";
import { ProcessLog } from "../../runtime/src/server/process-log.ts";
import {
  DrainSwitch,
  WorkerVersion,
  type WorkerContext,
} from "../../runtime/src/server/worker-version.ts";
import { StatsStore } from "../../runtime/src/stats/store.ts";
import { breakerMemory, openBreakerMemory } from "../../runtime/src/upstream/circuit-breaker.ts";
import { ClusterManager } from "../../runtime/src/upstream/cluster-manager.ts";
import { staticMembership } from "../../runtime/src/upstream/dns-resolver.ts";
import { envoyConfig, type FilterSetup } from "../configs.ts";
import { buildFilter } from "../filter/build.ts";
import { MemoryEngine, type MemoryIo } from "./memory-engine.ts";
import type { MicroBench } from "./runner.ts";

const REQUEST = "GET /s HTTP/1.1\r\nHost: 127.0.0.1:10000\r\n\r\n";
const RESPONSE =
  "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Sat, 21 Nov 2026 14:00:00 GMT\r\n" +
  "Content-Type: text/plain\r\nContent-Length: 100\r\nConnection: keep-alive\r\n\r\n" +
  "x".repeat(100);
const CONNECTIONS = 64;

const log = new ProcessLog({
  level: LogLevel.Error,
  componentLevels: new Map(),
  format: "",
  path: "",
});

function createContext(): { context: WorkerContext; engine: MemoryEngine } {
  const clock = new Clock();
  const engine = new MemoryEngine(clock);
  const timers = new TimerWheel(clock, (callback) => engine.runTurn(callback));
  const random = new SystemRandom();
  const stats = new StatsStore();
  const http1 = new Http1Shared();
  let id = 2 ** 40;
  const nextConnectionId = (): number => (id += 1);
  const clusterManager = new ClusterManager({
    engine,
    clock,
    timers,
    random,
    stats,
    breakers: openBreakerMemory(breakerMemory(2, 16), 16, 0),
    createCodec: (sink, callbacks, options) =>
      new Http1ClientConnection(sink, callbacks, options, http1),
    nextConnectionId,
    ownsClusterStats: false,
  });
  const context: WorkerContext = {
    index: 0,
    engine,
    clock,
    timers,
    random,
    stats,
    http1,
    log,
    clusterManager,
    nextConnectionId,
    sinks: new FileSinks({ flushIntervalMs: 10_000, stats: new FileStats(stats) }),
    wasmHost: null,
    drain: { inbound: new DrainSwitch(), other: new DrainSwitch() },
  };
  return { context, engine };
}

/** A proxy in memory with its connections on both sides; the answer is one request on the next. */
async function proxy(filters: FilterSetup, module: string): Promise<(times: number) => number> {
  const folder = mkdtempSync(join(tmpdir(), "headgate-micro-"));
  const path = join(folder, "envoy.yaml");
  writeFileSync(
    path,
    envoyConfig({ port: 10_000, adminPort: 9901, upstreamPort: 8000, folder, module }, filters),
  );
  const config = await loadConfig(
    {
      configPath: path,
      configYaml: "",
      concurrency: 1,
      allowUnknownStaticFields: false,
      ignoreUnsupported: false,
      serviceNode: "",
      serviceCluster: "",
      serviceZone: "",
      fileFlushIntervalMs: 10_000,
      drainTimeMs: 600_000,
      drainStrategy: "gradual",
      sigtermDrainMs: 0,
      adminAddressPath: "",
      baseId: 0,
      logLevel: LogLevel.Error,
      componentLevels: new Map(),
      logFormat: "",
      logPath: "",
      mode: "serve",
      workerEntry: pathToFileURL(path),
    },
    1,
  );
  rmSync(folder, { recursive: true });
  const modules = await new PluginModuleLoader(log.logger("wasm")).load(config.snapshot);
  const { context, engine } = createContext();
  const version = new WorkerVersion(
    context,
    {
      type: "prepare",
      version: 1,
      snapshot: modules.snapshot,
      modules: modules.modules,
      bound: [],
      memberships: config.snapshot.clusters.map((cluster) => staticMembership(cluster)),
    },
    null,
  );
  const problems = await new Promise<readonly string[]>((resolve) => version.prepare(resolve));
  if (problems.length > 0) throw new Error(problems.join("\n"));
  version.commit();
  const clients = Array.from({ length: CONNECTIONS }, () => engine.accept());
  const area = Buffer.allocUnsafeSlow(68 * 1024);
  const send = (io: MemoryIo, text: string): void => {
    area.write(text, 0, "latin1");
    engine.deliver(io, area, text.length);
  };
  // All at once, so that each has an upstream connection of its own.
  for (const client of clients) send(client, REQUEST);
  await new Promise((resolve) => setImmediate(resolve));
  for (const io of engine.connected) send(io, RESPONSE);
  // As under load: all requests are on their way before the first answer comes.
  const batch = (): number => {
    let bytes = 0;
    for (let i = 0; i < CONNECTIONS; i += 1) {
      send(clients[i] as MemoryIo, REQUEST);
      waiting[i] = engine.lastWritten;
    }
    for (let i = 0; i < CONNECTIONS; i += 1) {
      const client = clients[i] as MemoryIo;
      const before = client.sentBytes;
      send(waiting[i] as MemoryIo, RESPONSE);
      bytes += client.sentBytes - before;
    }
    return bytes;
  };
  const waiting: (MemoryIo | null)[] = clients.map(() => null);
  return (times) => {
    let bytes = 0;
    for (let i = 0; i < times; i += CONNECTIONS) bytes += batch();
    if (bytes < times * 100) throw new Error("a request was not answered");
    return bytes;
  };
}

const module = await buildFilter("sdk");

export const benches: readonly MicroBench[] = [
  { name: "router only", run: await proxy({ kind: "none" }, module) },
  { name: "one wasm filter", run: await proxy({ kind: "wasm", count: 1 }, module) },
  { name: "five wasm filters", run: await proxy({ kind: "wasm", count: 5 }, module) },
];
