// Whole requests through all rooms, from the client's bytes to those of the answer, on an engine in
// memory: what a request costs beyond the kernel and Node. For request.bench.ts and bodies.bench.ts.
import type { Clock } from "../../runtime/src/core/clock.ts";
import { silentLogger } from "../../runtime/src/core/logger.ts";
import { PluginModuleLoader } from "../../runtime/src/server/plugin-modules.ts";
import type { FromWorker } from "../../runtime/src/server/protocol.ts";
import { systemSurroundings } from "../../runtime/src/server/surroundings.ts";
import { WorkerServer } from "../../runtime/src/server/worker.ts";
import { staticMembership } from "../../runtime/src/upstream/dns-resolver.ts";
import { loadWorkerConfig, newBirth } from "../../runtime/test/worker-for-test.ts";
import { envoyConfig, type FilterSetup, NATIVE_HEADERS } from "../configs.ts";
import { httpSetup } from "../target.ts";
import { MemoryEngine, type MemoryIo } from "./memory-engine.ts";

const HEADERS = [
  "Host: 127.0.0.1:10000",
  "User-Agent: benchmark/1.0 (linux; x86_64; a)",
  ...NATIVE_HEADERS,
];
const CONNECTIONS = 64;
/** What one read of the engine brings. */
const READ_BYTES = 68 * 1024;

/** How many bytes the bodies have; a request without any is a GET. */
export interface BodySizes {
  readonly request: number;
  readonly response: number;
}

function requestOf(size: number): Buffer {
  const [method, lines] =
    size === 0 ? ["GET", HEADERS] : ["POST", [...HEADERS, `Content-Length: ${size}`]];
  const head = `${method} /s HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`;
  return Buffer.from(head + "x".repeat(size), "latin1");
}

function responseOf(size: number): Buffer {
  const head =
    "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Sat, 21 Nov 2026 14:00:00 GMT\r\n" +
    `Content-Type: text/plain\r\nContent-Length: ${size}\r\nConnection: keep-alive\r\n\r\n`;
  return Buffer.from(head + "x".repeat(size), "latin1");
}

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
export async function wholeRequests(
  filters: FilterSetup,
  module: string,
  sizes: BodySizes = { request: 0, response: 100 },
): Promise<(times: number) => number> {
  const engine = await startWorker(filters, module);
  const request = requestOf(sizes.request);
  const response = responseOf(sizes.response);
  const clients = Array.from({ length: CONNECTIONS }, () => engine.accept());
  const upstreams: (MemoryIo | null)[] = clients.map(() => null);
  const area = Buffer.allocUnsafeSlow(READ_BYTES);
  const send = (io: MemoryIo, message: Buffer): void => {
    for (let at = 0; at < message.length; at += READ_BYTES) {
      engine.deliver(io, area, message.copy(area, 0, at, at + READ_BYTES));
    }
  };
  // All at once, so that each has an upstream connection of its own.
  for (const client of clients) send(client, request);
  await new Promise((resolve) => setImmediate(resolve));
  for (const io of engine.connected) send(io, response);
  const batch = (count: number): number => {
    let bytes = 0;
    for (let i = 0; i < count; i += 1) {
      send(clients[i] as MemoryIo, request);
      upstreams[i] = engine.lastWritten;
    }
    for (let i = 0; i < count; i += 1) {
      const client = clients[i] as MemoryIo;
      const before = client.sentBytes;
      send(upstreams[i] as MemoryIo, response);
      bytes += client.sentBytes - before;
    }
    return bytes;
  };
  return (times) => {
    let bytes = 0;
    for (let left = times; left > 0; left -= CONNECTIONS) {
      bytes += batch(Math.min(left, CONNECTIONS));
    }
    if (bytes < times * sizes.response) throw new Error("a request was not answered");
    return bytes;
  };
}
