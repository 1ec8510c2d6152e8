// A million requests through five plugins with callouts and shared data: none may fail, and memory must
// be flat. Usage: node bench/million/run.ts [--requests 1000000] [--connections 32]
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { arch, cpus, loadavg, tmpdir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import asc from "assemblyscript/asc";
import { median } from "../arithmetic.ts";
import { envoyConfig } from "../configs.ts";
import { freePort, start } from "../processes.ts";
import { readStats } from "../soak/samples.ts";
import { httpSetup, upstreamCommand } from "../target.ts";
import { Clients } from "./client.ts";
import {
  judgeHeaps,
  leastHeaps,
  type LiveHeap,
  liveHeaps,
  quartersText,
  readHeaps,
} from "./heaps.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const HEADGATE = process.env["HEADGATE_BIN"] ?? join(ROOT, "runtime/bin/headgate");
const HEAP_REPORT = new URL("heap-report.mjs", import.meta.url);
const ROLES = ["auth", "count", "queue", "body", "late"] as const;
const SAMPLE_MS = 250;
/** What is told of each tenth of the requests. */
const PARTS = 10;

const { values: args } = parseArgs({
  options: {
    requests: { type: "string", default: "1000000" },
    connections: { type: "string", default: "32" },
  },
});

/** One look at the process. */
interface Look {
  readonly answered: number;
  readonly rssMib: number;
  readonly anonymousMib: number;
}

/** Of the requests between two marks: medians. */
interface Part {
  readonly answered: number;
  readonly rssMib: number;
  readonly anonymousMib: number;
  /** By thread, 0 = main: the heap when it is small, which is what lives. */
  readonly heapMib: Readonly<Record<string, number>>;
}

async function buildModule(target: string): Promise<void> {
  const stderr = asc.createMemoryStream();
  const options = ["-O3", "--runtime", "incremental", "--use", "abort="];
  const files = [
    "bench/million/assembly/index.ts",
    "-o",
    relative(ROOT, target),
    "--baseDir",
    ROOT,
  ];
  const { error } = await asc.main([...files, ...options, "--exportStart", "_initialize"], {
    stderr,
  });
  if (error !== null) throw new Error(`asc: ${error.message}\n${stderr.toString()}`);
}

function memoryOf(pid: number): Omit<Look, "answered"> {
  const status = readFileSync(`/proc/${pid}/status`, "latin1");
  const kib = (field: string): number =>
    Number(new RegExp(`^${field}:\\s+(\\d+)`, "m").exec(status)?.[1] ?? 0);
  return { rssMib: kib("VmRSS") / 1024, anonymousMib: kib("RssAnon") / 1024 };
}

function config(setup: Parameters<typeof envoyConfig>[0]): string {
  const wanted = { kind: "wasm", count: ROLES.length, configurations: ROLES } as const;
  const text = envoyConfig(setup, wanted);
  const bootstrap = JSON.parse(text) as { static_resources: { clusters: { name: string }[] } };
  const { clusters } = bootstrap.static_resources;
  const side = JSON.parse(JSON.stringify(clusters[0])) as { name: string };
  clusters.push({ ...side, name: "side" });
  return JSON.stringify(bootstrap);
}

function isRight(answer: string): boolean {
  const end = answer.indexOf("\r\n\r\n");
  const head = answer.slice(0, end);
  return (
    head.startsWith("HTTP/1.1 200 OK\r\n") &&
    ROLES.every((role) => head.includes(`\r\nx-${role}: yes`)) &&
    answer.slice(end + 4) === `64\r\n${"X".repeat(100)}\r\n0\r\n\r\n`
  );
}

async function measure(folder: string): Promise<number> {
  const module = join(folder, "million.wasm");
  await buildModule(module);
  const [port, adminPort, upstreamPort] = [await freePort(), await freePort(), await freePort()];
  const upstream = await start(upstreamCommand(upstreamPort, folder), upstreamPort);
  const file = join(folder, "bootstrap.yaml");
  writeFileSync(file, config(httpSetup(port, { adminPort, upstreamPort, folder, module })));
  const heapFile = join(folder, "heaps");
  writeFileSync(heapFile, "");
  process.env["HEADGATE_HEAP_REPORT"] = heapFile;
  process.env["NODE_OPTIONS"] = `--import ${HEAP_REPORT.href}`;
  const flags = ["--concurrency", "2", "--disable-hot-restart", "--log-level", "warning"];
  const proxy = await start([HEADGATE, "-c", file, ...flags], port);
  const wanted = Number(args.requests);
  const clients = new Clients(port, wanted, isRight);
  const before = memoryOf(proxy.pid);
  const startedAt = new Date();
  const parts: Part[] = [];
  let looks: Look[] = [];
  let heapLooks = 0;
  const look = (): void => {
    looks.push({ answered: clients.answered, ...memoryOf(proxy.pid) });
    if (clients.answered < ((parts.length + 1) * wanted) / PARTS) return;
    const all = readHeaps(readFileSync(heapFile, "latin1"));
    const heapMib = leastHeaps(all.slice(heapLooks));
    heapLooks = all.length;
    const part = {
      answered: clients.answered,
      rssMib: median(looks.map((one) => one.rssMib)),
      anonymousMib: median(looks.map((one) => one.anonymousMib)),
      heapMib,
    };
    looks = [];
    parts.push(part);
    console.log(row(part));
  };
  console.log("| answered | RSS MiB | anonymous MiB | least heap of main and each worker, MiB |");
  console.log("| ---: | ---: | ---: | --- |");
  const timer = setInterval(look, SAMPLE_MS);
  await clients.run(Number(args.connections));
  clearInterval(timer);
  look();
  const seconds = (Date.now() - startedAt.getTime()) / 1000;
  const stats = await readStats(adminPort);
  await proxy.stop();
  await upstream.stop();
  const live = liveHeaps(readHeaps(readFileSync(heapFile, "latin1")));
  const problems = [...judge(clients, stats, parts), ...judgeHeaps(live)];
  for (const one of live) console.log(liveText(one));
  console.log(`\n${clients.answered} answered, ${clients.failed} failed, ${seconds.toFixed(0)} s`);
  for (const text of [...clients.shown, ...problems]) console.log(`FOUND ${text}`);
  save(startedAt, { seconds, before, parts, live, clients, stats, problems });
  return problems.length === 0 ? 0 : 1;
}

function liveText(heap: LiveHeap): string {
  const who = heap.thread === "0" ? "main" : `thread ${heap.thread}`;
  return `live heap of ${who}: ${quartersText(heap)} (${heap.looks} collections)`;
}

function row({ answered, rssMib, anonymousMib, heapMib }: Part): string {
  const heapsText = Object.entries(heapMib)
    .toSorted(([a], [b]) => Number(a) - Number(b))
    .map(([, size]) => size.toFixed(1));
  const sizes = [rssMib.toFixed(1), anonymousMib.toFixed(1), heapsText.join(", ")];
  return `| ${[answered, ...sizes].join(" | ")} |`;
}

/** What must be true of the guests' own figures. */
function judge(
  clients: Clients,
  stats: ReadonlyMap<string, number>,
  parts: readonly Part[],
): string[] {
  const found: string[] = [];
  const expect = (what: string, is: number, wanted: number): void => {
    if (is !== wanted) found.push(`${what}: ${is}, expected ${wanted}`);
  };
  expect("answered", clients.answered, Number(args.requests));
  expect("failed", clients.failed, 0);
  for (const role of ROLES) {
    expect(
      `requests that ${role} saw`,
      stats.get(`wasmcustom.million_${role}`) ?? 0,
      clients.asked,
    );
  }
  const sideCalls = stats.get("cluster.side.upstream_rq_2xx") ?? 0;
  if (sideCalls < clients.asked) {
    found.push(`answers to callouts: ${sideCalls}, expected at least ${clients.asked}`);
  }
  const trouble = /^wasm\..*(\.limit\.|vm_reload|stopped)/;
  for (const [name, value] of stats) if (trouble.test(name)) expect(name, value, 0);
  expect("VMs that live", stats.get("wasm.envoy.wasm.runtime.v8.active") ?? 0, 2 * ROLES.length);
  expect(
    "VMs that were made",
    stats.get("wasm.envoy.wasm.runtime.v8.created") ?? 0,
    2 * ROLES.length,
  );
  expect("requests under way", stats.get("cluster.side.upstream_rq_active") ?? 0, 0);
  const [early, late] = [parts[Math.floor(parts.length / 2)], parts.at(-1)];
  if (
    early !== undefined &&
    late !== undefined &&
    late.anonymousMib > early.anonymousMib * 1.1 + 4
  ) {
    found.push(`memory grows: ${early.anonymousMib} MiB half-way, ${late.anonymousMib} at the end`);
  }
  return found;
}

function save(
  startedAt: Date,
  all: {
    readonly seconds: number;
    readonly before: Omit<Look, "answered">;
    readonly parts: readonly Part[];
    readonly live: readonly LiveHeap[];
    readonly clients: Clients;
    readonly stats: ReadonlyMap<string, number>;
    readonly problems: readonly string[];
  },
): void {
  const { seconds, before, parts, live, clients, stats, problems } = all;
  const folder = join(ROOT, "bench/results");
  mkdirSync(folder, { recursive: true });
  const name = `million-${startedAt.toISOString().slice(0, 19).replaceAll(":", "-")}.json`;
  const guests = [...stats].filter(([key]) => /^(wasm|cluster\.side\.upstream_(cx|rq)_)/.test(key));
  const result = {
    startedAt,
    options: args,
    machine: { arch: arch(), cores: cpus().length, load: loadavg(), node: process.version },
    answered: clients.answered,
    failed: clients.failed,
    seconds,
    before,
    parts,
    live,
    stats: Object.fromEntries(guests),
    problems,
  };
  writeFileSync(join(folder, name), `${JSON.stringify(result, null, 1)}\n`);
  console.log(`written: bench/results/${name}`);
}

const folder = mkdtempSync(join(tmpdir(), "headgate-million-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
process.exit(await measure(folder));
