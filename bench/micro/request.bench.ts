// A whole request through all rooms, from the client's bytes to those of the answer, on an engine in
// memory: what a request costs beyond the kernel and Node.
import type { Clock } from "../../runtime/src/core/clock.ts";
import { silentLogger } from "../../runtime/src/core/logger.ts";
import { PluginModuleLoader } from "../../runtime/src/server/plugin-modules.ts";
import type { FromWorker } from "../../runtime/src/server/protocol.ts";
import { systemSurroundings } from "../../runtime/src/server/surroundings.ts";
import { WorkerServer } from "../../runtime/src/server/worker.ts";
import { staticMembership } from "../../runtime/src/upstream/dns-resolver.ts";
import { loadWorkerConfig, newBirth } from "../../runtime/test/worker-for-test.ts";
import { envoyConfig, type FilterSetup, NATIVE_FILTERS, NATIVE_HEADERS } from "../configs.ts";
import { httpSetup } from "../target.ts";
import { buildFilter, buildNativeFilters } from "../filter/build.ts";
import { MemoryEngine, type MemoryIo } from "./memory-engine.ts";
import type { MicroBench } from "./runner.ts";

const HEADERS = [
  "Host: 127.0.0.1:10000",
  "User-Agent: benchmark/1.0 (linux; x86_64; a)",
  ...NATIVE_HEADERS,
];
const REQUEST = `GET /s HTTP/1.1\r\n${HEADERS.join("\r\n")}\r\n\r\n`;
const RESPONSE =
  "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Sat, 21 Nov 2026 14:00:00 GMT\r\n" +
  `Content-Type: text/plain\r\nContent-Length: 100\r\nConnection: keep-alive\r\n\r\n${"x".repeat(100)}`;
const CONNECTIONS = 64;

/** A worker on `engine` that serves the bench's configuration. */
async function startWorker(filters: FilterSetup, module: string): Promise<MemoryEngine> {
  const setup = httpSetup(10_000, { adminPort: 9901, upstreamPort: 8000, folder: "", module });
  const loader = new PluginModuleLoader(silentLogger);
  const { snapshot, modules } = await loadWorkerConfig(envoyConfig(setup, filters), loader);
  const engines: MemoryEngine[] = [];
  const createEngine = (clock: Clock): MemoryEngine => {
    const engine = new MemoryEngine(clock);
    engines.push(engine);
    return engine;
  };
  let answered = (_message: FromWorker): void => {};
  const worker = new WorkerServer(newBirth(), (message) => answered(message), {
    ...systemSurroundings(),
    createEngine,
  });
  const memberships = snapshot.clusters.map((cluster) => staticMembership(cluster));
  await new Promise<void>((resolve, reject) => {
    answered = (message): void => {
      if (message.type === "refused") reject(new Error(message.problems.join("\n")));
      else if (message.type === "prepared") worker.onMessage({ type: "commit", version: 1 });
      else if (message.type === "committed") resolve();
    };
    const version = { version: 1, snapshot, memberships, modules, bound: [] };
    worker.onMessage({ type: "prepare", ...version });
  });
  return engines[0] as MemoryEngine;
}

/** Requests in rounds of one for each connection, as under load: all are on their way at once. */
async function proxy(filters: FilterSetup, module: string): Promise<(times: number) => number> {
  const engine = await startWorker(filters, module);
  const clients = Array.from({ length: CONNECTIONS }, () => engine.accept());
  const upstreams: (MemoryIo | null)[] = clients.map(() => null);
  const area = Buffer.allocUnsafeSlow(68 * 1024);
  const send = (io: MemoryIo, text: string): void => {
    area.write(text, 0, "latin1");
    engine.deliver(io, area, text.length);
  };
  // All at once, so that each has an upstream connection of its own.
  for (const client of clients) send(client, REQUEST);
  await new Promise((resolve) => setImmediate(resolve));
  for (const io of engine.connected) send(io, RESPONSE);
  const batch = (): number => {
    let bytes = 0;
    for (let i = 0; i < CONNECTIONS; i += 1) {
      send(clients[i] as MemoryIo, REQUEST);
      upstreams[i] = engine.lastWritten;
    }
    for (let i = 0; i < CONNECTIONS; i += 1) {
      const client = clients[i] as MemoryIo;
      const before = client.sentBytes;
      send(upstreams[i] as MemoryIo, RESPONSE);
      bytes += client.sentBytes - before;
    }
    return bytes;
  };
  return (times) => {
    let bytes = 0;
    for (let i = 0; i < times; i += CONNECTIONS) bytes += batch();
    if (bytes < times * 100) throw new Error("a request was not answered");
    return bytes;
  };
}

const module = await buildFilter("sdk");
await buildNativeFilters();

async function ownFilter(filter: (typeof NATIVE_FILTERS)[number]): Promise<MicroBench> {
  return { name: `our ${filter}`, run: await proxy({ kind: "native", count: 1, filter }, module) };
}

export const benches: readonly MicroBench[] = [
  { name: "router only", run: await proxy({ kind: "none" }, module) },
  { name: "access log", run: await proxy({ kind: "log" }, module) },
  { name: "one wasm filter", run: await proxy({ kind: "wasm", count: 1 }, module) },
  { name: "five wasm filters", run: await proxy({ kind: "wasm", count: 5 }, module) },
  ...(await Promise.all(NATIVE_FILTERS.map(ownFilter))),
];
