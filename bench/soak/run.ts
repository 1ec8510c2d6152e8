// Mixed load with faults for a long time: memory, gauges, and a cause for each failure.
// Usage: node bench/soak/run.ts --minutes 30 [--seed N] [--rate N] [--engine node]
import { execFileSync } from "node:child_process";
import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { arch, cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import asc from "assemblyscript/asc";
import { DnsServer } from "../../runtime/src/upstream/dns-server-for-test.ts";
import { freePort, spawnOwned } from "../processes.ts";
import type { OwnedProcess } from "../processes.ts";
import { assignment, bootstrap, discovery, DNS_NAME, routes } from "./config.ts";
import type { Places } from "./config.ts";
import { explain } from "./explain.ts";
import type { Explanation } from "./explain.ts";
import { Faults } from "./faults.ts";
import { Load } from "./load.ts";
import { activeGauges, readStats, slopePerHour, takeSample } from "./samples.ts";
import type { Sample } from "./samples.ts";
import { Stalls } from "./stalls.ts";
import { readThreadMemory } from "./thread-memory.ts";
import type { ThreadMemory } from "./thread-memory.ts";
import { Upstream } from "./upstreams.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const HEADGATE = process.env["HEADGATE_BIN"] ?? join(ROOT, "runtime/bin/headgate");
const PROBE = new URL("memory-probe.mjs", import.meta.url).href;
const SAMPLE_MS = 10_000;
const DRAIN_S = 10;
const STUCK_IN_GUEST = /stuck for .* in plugin soak/;
/** Longer than the drain time, the pools' idle time, and the lives of slow requests. */
const QUIET_MS_MAX = 60_000;

const { values: args } = parseArgs({
  options: {
    minutes: { type: "string", default: "30" },
    seed: { type: "string", default: "1" },
    /** Requests per second that clients aim at. */
    rate: { type: "string", default: "600" },
    /** More than 1: faults come that many times as often, to find what each of them leaves. */
    haste: { type: "string", default: "1" },
    /** Of --network-engine. */
    engine: { type: "string", default: "auto" },
    /**
     * Seconds until the watchdog ends a worker. On a machine with much else to do a worker waits for
     * a processor for a second now and then, which is not what this run is about.
     */
    stuck: { type: "string", default: "5" },
    /** Leaves the folder with the access log and Headgate's own log. */
    keep: { type: "boolean", default: false },
  },
});

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function buildModule(target: string): Promise<void> {
  const stderr = asc.createMemoryStream();
  const options = ["--config", "sdk-assemblyscript/asconfig.json", "--target", "release"];
  const files = ["bench/soak/assembly/index.ts", "-o", target, "--baseDir", ROOT];
  const { error } = await asc.main([...files, ...options], { stderr });
  if (error !== null) throw new Error(`asc: ${error.message}\n${stderr.toString()}`);
}

/** The process, what it said, and when its workers died. */
class Headgate {
  readonly child: OwnedProcess;
  readonly deaths: { readonly atMs: number; readonly line: string }[] = [];
  readonly reloadsAtMs: number[] = [];
  output = "";
  #line = "";

  constructor(folder: string) {
    const flags = ["--concurrency", "2", "--worker-stuck-kill-s", args.stuck, "--watch-modules"];
    // A guest that never returns shall meet the watchdog, which ends its worker.
    flags.push("--wasm-policy", `${folder}/policy.yaml`);
    // A line in memory is lost with its worker: few of them.
    flags.push("--file-flush-interval-msec", "500");
    flags.push("--network-engine", args.engine);
    const drain = ["--drain-time-s", String(DRAIN_S), "--disable-hot-restart"];
    const probe = [`NODE_OPTIONS=--import=${PROBE}`, `SOAK_MEMORY_FILE=${folder}/memory.jsonl`];
    const command = [HEADGATE, "-c", `${folder}/envoy.yaml`, ...flags, ...drain];
    this.child = spawnOwned(["env", ...probe, ...command]);
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => this.#take(text));
    }
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  #take(text: string): void {
    this.output += text;
    const lines = (this.#line + text).split("\n");
    this.#line = lines.pop() ?? "";
    for (const line of lines) {
      const atMs = timeOf(line);
      if (/reloaded: version \d+ is in force/.test(line)) this.reloadsAtMs.push(atMs);
      // Other lines repeat it: as why a change was refused.
      if (/\[critical\].* worker \d+ died/.test(line)) this.deaths.push({ atMs, line });
    }
  }

  async untilLive(adminPort: number): Promise<void> {
    for (let i = 0; i < 400; i += 1) {
      if (this.child.exitCode !== null) break;
      const ready = await fetch(`http://127.0.0.1:${adminPort}/ready`).catch(() => null);
      if (ready?.status === 200) return;
      await delay(50);
    }
    throw new Error(`Headgate did not start:\n${this.output}`);
  }
}

/** By the line itself: on a busy machine the script hears of it seconds later. */
function timeOf(line: string): number {
  const [, day = "", time = ""] = /^\[([^\s\]]+) ([^\s\]]+)\]/.exec(line) ?? [];
  return Date.parse(`${day}T${time}Z`);
}

/** Until all active gauges are zero. Gives those that are not. */
async function untilQuiet(adminPort: number): Promise<[string, number][]> {
  let left: [string, number][] = [];
  for (const until = Date.now() + QUIET_MS_MAX; Date.now() < until; await delay(500)) {
    left = activeGauges(await readStats(adminPort)).filter(([, value]) => value !== 0);
    if (left.length === 0) return left;
  }
  return left;
}

function table(rows: readonly (readonly [string, string | number])[]): void {
  console.log("| what | figure |\n| --- | ---: |");
  for (const [what, figure] of rows) console.log(`| ${what} | ${figure} |`);
  console.log("");
}

function counted(names: Iterable<string>): [string, number][] {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].toSorted((a, b) => b[1] - a[1]);
}

interface Parties {
  readonly load: Load;
  readonly faults: Faults;
  readonly headgate: Headgate;
  readonly threads: readonly ThreadMemory[];
}

interface Run {
  readonly base: Sample;
  readonly samples: readonly Sample[];
  readonly last: Sample;
  readonly gaugesLeft: readonly [string, number][];
  readonly finalStats: ReadonlyMap<string, number>;
  /** Before it was told to end: null = it lived on. */
  readonly exitCode: number | null;
}

async function runLoad(
  headgate: Headgate,
  places: Places,
  load: Load,
  faults: Faults,
): Promise<Run> {
  const startedAtMs = Date.now();
  const sample = (): Promise<Sample> => takeSample(headgate.pid, places.ports.admin, startedAtMs);
  const base = await sample();
  const samples: Sample[] = [];
  load.start();
  faults.start();
  const endAtMs = startedAtMs + Number(args.minutes) * 60_000;
  while (Date.now() < endAtMs && headgate.child.exitCode === null) {
    await delay(Math.min(SAMPLE_MS, Math.max(0, endAtMs - Date.now())));
    const one = await sample();
    samples.push(one);
    if (samples.length % 6 === 0) {
      const { atS, rssMib, files } = one;
      const failed = load.failures.length;
      console.log(
        `${atS} s: ${load.started} requests, ${failed} failed, ` +
          `${rssMib.toFixed(1)} MiB, ${files} files`,
      );
    }
  }
  await faults.stop();
  await load.stop();
  const gaugesLeft = await untilQuiet(places.ports.admin);
  const last = await sample();
  const finalStats = await readStats(places.ports.admin);
  return { base, samples, last, gaugesLeft, finalStats, exitCode: headgate.child.exitCode };
}

function findings(run: Run, headgate: Headgate, explanation: Explanation): string[] {
  const found = [...explanation.unexplained];
  for (const [name, value] of run.gaugesLeft) found.push(`${name} is ${value} when all is quiet`);
  for (const { line } of headgate.deaths) {
    if (!STUCK_IN_GUEST.test(line)) found.push(`not asked for: ${line}`);
  }
  if (run.exitCode !== null) found.push(`Headgate ended by itself with ${run.exitCode}`);
  const files = run.last.files - run.base.files;
  if (files > 2) found.push(`${files} files more than before the load`);
  return found;
}

function reportThreads(threads: readonly ThreadMemory[]): void {
  const rows: [string, string][] = [];
  for (const { name, heapUsed, heapPhysical, external, live } of threads) {
    rows.push([`${name}: V8's heap, medians of five minutes, MiB`, heapUsed.join(", ")]);
    rows.push([`${name}: pages of it`, heapPhysical.join(", ")]);
    rows.push([`${name}: beside it`, external.join(", ")]);
    rows.push([`${name}: after garbage was collected`, live.join(", ")]);
  }
  table(rows);
}

function report(run: Run, { load, faults, headgate, threads }: Parties, said: Explanation): void {
  const { base, samples, last, finalStats } = run;
  const late = samples.slice(Math.floor(samples.length / 3));
  const rss = samples.map((one) => one.rssMib);
  const stat = (name: string): number => finalStats.get(name) ?? 0;
  const mib = (value: number): string => `${value.toFixed(1)} MiB`;
  table([
    ["requests", load.started],
    ["answered 200 with the right bytes", load.outcomes.get("ok") ?? 0],
    ["left by the client", load.outcomes.get("aborted") ?? 0],
    ["failed", load.failures.length],
    ["unexplained", said.unexplained.length],
    [
      "p50, p99, p99.9 of answers 200",
      [0.5, 0.99, 0.999].map((p) => load.percentile(p)).join(", ") + " ms",
    ],
    ["RSS before the load", mib(base.rssMib)],
    [
      "RSS at a third, at the end, the most",
      [late[0]?.rssMib ?? 0, rss.at(-1) ?? 0, Math.max(...rss)].map(mib).join(", "),
    ],
    ["RSS slope, last two thirds", `${slopePerHour(late, (one) => one.rssMib).toFixed(1)} MiB/h`],
    ["anonymous memory slope", `${slopePerHour(late, (one) => one.anonymousMib).toFixed(1)} MiB/h`],
    ["malloc's share of it", `${slopePerHour(late, (one) => one.mallocMib).toFixed(1)} MiB/h`],
    ["main's heap slope", `${slopePerHour(late, (one) => one.mainHeapMib).toFixed(1)} MiB/h`],
    ["RSS after quiet", mib(last.rssMib)],
    [
      "open files before, most, after",
      `${base.files}, ${Math.max(...samples.map((s) => s.files))}, ${last.files}`,
    ],
    ["threads before, after", `${base.threads}, ${last.threads}`],
    ["active gauges that are not zero after quiet", run.gaugesLeft.length],
    ["workers that died", headgate.deaths.length],
    [
      "reloads, refused ones",
      `${stat("server.reload_success")}, ${stat("server.reload_rejected")}`,
    ],
    ["configurations in force", stat("server.config_version")],
    [
      "modules changed, refused",
      `${stat("wasm.module_update_success")}, ${stat("wasm.module_update_rejected")}`,
    ],
    [
      "VMs made, active at the end",
      `${stat("wasm.envoy.wasm.runtime.v8.created")}, ${stat("wasm.envoy.wasm.runtime.v8.active")}`,
    ],
    ["lines of the access log, lost with workers", `${said.lines}, ${said.linesLost}`],
    ["requests left by the client before they were logged", said.abortedWithoutLine],
  ]);
  table(counted(faults.events.map((event) => event.what)));
  reportThreads(threads);
  table([...said.causes].toSorted((a, b) => b[1] - a[1]));
  table(
    [...said.flags].toSorted((a, b) => b[1] - a[1]).map(([flags, n]) => [`lines with ${flags}`, n]),
  );
}

function places(folder: string, ports: readonly number[], dnsServer: string): Places {
  const [main = 0, second = 0, admin = 0, a = 0, b = 0, dnsUpstreamPort = 0] = ports;
  return {
    folder,
    ports: { main, second, admin },
    staticPorts: [a, b],
    dnsUpstreamPort,
    dnsServer,
  };
}

async function main(): Promise<number> {
  const seed = Number(args.seed);
  const folder = mkdtempSync(join(tmpdir(), "headgate-soak-"));
  const module = `${folder}/built.wasm`;
  await buildModule(module);
  const dns = await DnsServer.start();
  dns.ttlSeconds = 1;
  dns.reactions.set(DNS_NAME, ["127.0.0.2", "127.0.0.3"]);
  const ports: number[] = [];
  while (ports.length < 8) ports.push(await freePort());
  const where = places(folder, ports, dns.address);
  const edsPorts = ports.slice(6);
  const upstreams = [
    ...[...where.staticPorts, ...edsPorts].map((port) => new Upstream(port)),
    new Upstream(where.dnsUpstreamPort, "127.0.0.2"),
    new Upstream(where.dnsUpstreamPort, "127.0.0.3"),
  ];
  for (const upstream of upstreams) await upstream.start();
  writeFileSync(`${folder}/envoy.yaml`, JSON.stringify(bootstrap(where, 0)));
  writeFileSync(`${folder}/rds.yaml`, discovery("rds", 0, routes(0)));
  writeFileSync(`${folder}/policy.yaml`, "default: {fuel: off}\n");
  writeFileSync(`${folder}/eds.yaml`, discovery("eds", 0, assignment("service", edsPorts)));
  execFileSync("cp", [module, `${folder}/filter.wasm`]);

  const headgate = new Headgate(folder);
  await headgate.untilLive(where.ports.admin);
  console.log(`Headgate ${headgate.pid} in ${folder}, seed ${seed}`);
  const load = new Load([where.ports.main, where.ports.second], Number(args.rate), seed);
  const world = { places: where, upstreams, edsPorts, dns, load, module, headgate: headgate.pid };
  const faults = new Faults(world, seed, Number(args.haste));
  const startedAt = new Date();
  const stalls = new Stalls();
  const run = await runLoad(headgate, where, load, faults);
  const exited = new Promise((resolve) => headgate.child.once("exit", resolve));
  headgate.child.kill("SIGTERM");
  await exited;
  const stuckMs = Number(args.stuck) * 1000;
  const deaths = headgate.deaths.map(({ atMs, line }) => {
    // Others were ended for want of a processor: a finding, whose lines are as many as they are.
    const stuckAtMs = STUCK_IN_GUEST.test(line) ? faults.stuckAtMs(atMs) : null;
    return { atMs, stuckAtMs: stuckAtMs ?? atMs - stuckMs };
  });
  const drainEnds = headgate.reloadsAtMs.map((at) => at + DRAIN_S * 1000);
  stalls.stop();
  const seenSince = (atMs: number): number => stalls.seenSince(atMs);
  const moments = { deaths, drainEnds, seenSince };
  const explanation = await explain(load, moments, `${folder}/access.log`);
  const threads = readThreadMemory(`${folder}/memory.jsonl`);
  const parties = { load, faults, headgate, threads };
  report(run, parties, explanation);
  console.log(`the script itself stood still for ${stalls.longestMs} ms at most\n`);
  const found = findings(run, headgate, explanation);
  for (const line of found.slice(0, 50)) console.log(`FOUND ${line}`);
  if (found.length > 50) console.log(`... and ${found.length - 50} more`);
  save(startedAt, parties, { run, explanation, found });
  writeFileSync(`${folder}/headgate.log`, headgate.output);
  writeFileSync(`${folder}/found.log`, found.map((line) => `${line}\n`).join(""));
  if (found.length === 0 && !args.keep) rmSync(folder, { recursive: true, force: true });
  else console.log(`logs are in ${folder}`);
  return found.length === 0 ? 0 : 1;
}

function save(
  startedAt: Date,
  { load, faults, headgate, threads }: Parties,
  { run, explanation, found }: { run: Run; explanation: Explanation; found: string[] },
): void {
  const folder = join(ROOT, "bench/results");
  mkdirSync(folder, { recursive: true });
  const name = `soak-${startedAt.toISOString().slice(0, 19).replaceAll(":", "-")}.json`;
  const result = {
    startedAt,
    options: args,
    machine: { arch: arch(), cores: cpus().length, load: loadavg(), node: process.version },
    requests: load.started,
    outcomes: Object.fromEntries(load.outcomes),
    causes: Object.fromEntries(explanation.causes),
    flags: Object.fromEntries(explanation.flags),
    found: found.slice(0, 200),
    gaugesLeft: run.gaugesLeft,
    deaths: headgate.deaths,
    events: faults.events,
    base: run.base,
    last: run.last,
    threads,
    samples: run.samples,
    finalStats: Object.fromEntries(run.finalStats),
  };
  writeFileSync(join(folder, name), `${JSON.stringify(result)}\n`);
  console.log(`written: bench/results/${name}`);
}

process.exit(await main());
