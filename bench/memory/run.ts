// What Headgate keeps in memory: idle, after load, per idle connection, and while readers are slow.
// Usage: node bench/memory/run.ts [--only resident|connections|slow-reader] [--gib 1]
// [--connections 10000] [--engine node|io_uring]
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { download, TransferUpstream, upload } from "../../runtime/test/slow-transfer.ts";
import type { Pace } from "../../runtime/test/slow-transfer.ts";
import { envoyConfig } from "../configs.ts";
import { freePort, start } from "../processes.ts";
import type { Started } from "../processes.ts";
import { httpSetup } from "../target.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;
/** Through the same process, each as long as the one before. */
const PASSES = 6;
const PACES: Readonly<Record<"fast" | "slow", Pace>> = {
  fast: { burstBytes: Infinity, pauseMs: 0 },
  slow: { burstBytes: 4 * MIB, pauseMs: 10 },
};
const HEADGATE: string = fileURLToPath(new URL("../../runtime/bin/headgate", import.meta.url));
const UPSTREAM: string = fileURLToPath(new URL("../upstream.mjs", import.meta.url));

const { values: args } = parseArgs({
  options: {
    only: { type: "string", default: "" },
    gib: { type: "string", default: "1" },
    connections: { type: "string", default: "10000" },
    /** Of --network-engine; default: the proxy's own. */
    engine: { type: "string" },
    /** Set for the process that runs with the raised limit. */
    raised: { type: "boolean", default: false },
  },
});

/** All pages in RAM, those of the binary included. */
function residentBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "latin1");
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * KIB;
}

/** By then what the start took is given back. */
const SETTLED_MS = 13_000;

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function mib(bytes: number): string {
  return `${(bytes / MIB).toFixed(1)} MiB`;
}

let baseId = (process.pid % 100_000) * 64;

interface Proxy {
  readonly port: number;
  readonly process: Started;
  stop(): Promise<void>;
}

async function startProxy(upstreamPort: number, workers: number): Promise<Proxy> {
  const folder = mkdtempSync(join(tmpdir(), "headgate-memory-"));
  const port = await freePort();
  const adminPort = await freePort();
  const file = join(folder, "bootstrap.yaml");
  const setup = httpSetup(port, { adminPort, upstreamPort, folder, module: "" });
  writeFileSync(file, withoutHurry(envoyConfig(setup, { kind: "none" })));
  const binary = process.env["HEADGATE_BIN"] ?? HEADGATE;
  // None takes over from another.
  baseId += 1;
  const engine = args.engine === undefined ? [] : ["--network-engine", args.engine];
  const flags = ["--concurrency", workers, "--base-id", baseId, "--log-level", "error"].map(String);
  const started = await start([binary, "-c", file, ...flags, ...engine], port);
  const stop = async (): Promise<void> => {
    await started.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  return { port, process: started, stop };
}

/** A busy machine takes longer for a gibibyte than a route's default timeout of 15 s. */
function withoutHurry(config: string): string {
  const route = /"route": \{\s+"cluster": "up"/;
  if (!route.test(config)) throw new Error(`no ${route} in ${config}`);
  return config.replace(route, '$&, "timeout": "3600s"');
}

async function measureResident(): Promise<void> {
  const upstreamPort = await freePort();
  const upstream = await start([process.execPath, UPSTREAM, String(upstreamPort)], upstreamPort);
  const proxy = await startProxy(upstreamPort, 2);
  await delay(SETTLED_MS);
  const idle = residentBytes(proxy.process.pid);
  let peak = idle;
  for (const path of ["s", "b"]) {
    for (const connections of [64, 1000]) {
      const url = `http://127.0.0.1:${proxy.port}/${path}`;
      spawnSync("wrk", ["-t", "1", "-c", String(connections), "-d", "3", url]);
      peak = Math.max(peak, residentBytes(proxy.process.pid));
    }
  }
  console.log(`main and 2 workers: ${mib(idle)} idle, ${mib(peak)} after load`);
  await proxy.stop();
  await upstream.stop();
}

/** One request on each of many connections, which stay. */
async function open(port: number, count: number): Promise<Socket[]> {
  const sockets: Socket[] = [];
  const atOnce = 200;
  while (sockets.length < count) {
    const size = Math.min(atOnce, count - sockets.length);
    sockets.push(...(await Promise.all(Array.from({ length: size }, () => openOne(port)))));
  }
  return sockets;
}

function openOne(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("error", reject);
    socket.once("data", () => resolve(socket));
    socket.write("GET /s HTTP/1.1\r\nHost: a\r\n\r\n");
  });
}

async function measureConnections(count: number): Promise<void> {
  const upstreamPort = await freePort();
  const upstream = await start([process.execPath, UPSTREAM, String(upstreamPort)], upstreamPort);
  const proxy = await startProxy(upstreamPort, 1);
  // Code is compiled, and upstream connections are there, before the first look.
  for (const socket of await open(proxy.port, 1000)) socket.destroy();
  await delay(SETTLED_MS);
  const before = residentBytes(proxy.process.pid);
  const sockets = await open(proxy.port, count);
  await delay(3000);
  const after = residentBytes(proxy.process.pid);
  const each = Math.round((after - before) / count);
  console.log(`${count} idle connections: ${each} bytes each (${mib(before)} to ${mib(after)})`);
  for (const socket of sockets) socket.destroy();
  await proxy.stop();
  await upstream.stop();
}

type Direction = "download" | "upload";

/**
 * How far memory grows in each of some transfers, one after the other, through a new process. A
 * fast reader leaves nothing to queue: what a slow one adds to its figures is queues, the rest is
 * V8's heap and what its compiler takes on their way to their usual sizes.
 */
async function growthOf(direction: Direction, pace: Pace, total: number): Promise<number[]> {
  const upstream = new TransferUpstream(pace);
  const proxy = await startProxy(await upstream.listen(), 1);
  const { pid } = proxy.process;
  const growth: number[] = [];
  while (growth.length < PASSES) {
    const before = residentBytes(pid);
    let peak = before;
    const timer = setInterval(() => {
      peak = Math.max(peak, residentBytes(pid));
    }, 20);
    const { sentDigest, receivedDigest, receivedBytes } =
      direction === "download"
        ? await download(proxy.port, upstream, total, pace)
        : await upload(proxy.port, total);
    clearInterval(timer);
    if (sentDigest !== receivedDigest || receivedBytes !== total) {
      throw new Error(`${direction} of ${mib(total)}: what was read is not what was sent`);
    }
    growth.push(peak - before);
  }
  upstream.close();
  await proxy.stop();
  return growth;
}

async function measureSlowReader(total: number): Promise<void> {
  for (const direction of ["download", "upload"] as const) {
    for (const reader of ["fast", "slow"] as const) {
      const growth = await growthOf(direction, PACES[reader], total);
      const figures = growth.map((bytes) => (bytes / MIB).toFixed(1)).join(", ");
      const what = `${direction} of ${mib(total)}, ${reader} reader`;
      console.log(`${what}: checksums equal, memory grew by ${figures} MiB in ${PASSES} passes`);
    }
  }
}

/** The same program again, with as many files as there may be: one a connection, here and there. */
function runRaised(): number {
  const command = `ulimit -n $(ulimit -Hn) && exec "$0" "$@"`;
  const own = [process.execPath, fileURLToPath(import.meta.url), ...process.argv.slice(2)];
  const child = spawnSync("sh", ["-c", command, ...own, "--raised"], { stdio: "inherit" });
  return child.status ?? 1;
}

if (!args.raised) {
  process.exit(runRaised());
}
if (args.only === "" || args.only === "resident") await measureResident();
if (args.only === "" || args.only === "connections") {
  await measureConnections(Number(args.connections));
}
if (args.only === "" || args.only === "slow-reader") {
  await measureSlowReader(Number(args.gib) * GIB);
}
process.exit();
