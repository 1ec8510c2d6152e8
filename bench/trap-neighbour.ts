// What a neighbour route feels of plugins that trap on every request: pairs of requests are sent at
// once to one worker, one that is answered with 503 for this or that reason, one of another route whose
// time is taken. Usage: npx node bench/trap-neighbour.ts [--rounds 20] [--pairs 60] [--guest rust-faulty]
//
//   direct   503 by a direct response: no guest; twice, which says what is noise
//   one      as direct, but of every tenth pair 503 because one plugin's guest traps: as often as one
//            plugin can before its breaker opens, for a VM that lives for less than ten times the base
//            back-off (20 ms here, by default a second) is replaced later and later
//   trap     503 because a guest traps, in each pair: ten plugins take turns; the standby takes over
//   open     503 because the guest's breaker is open
//
// All processes run from the beginning to the end, and in each round each has its pairs. Quantiles are
// of four rounds together: of fewer pairs a p99 is the slowest. What follows, the time that the worker's
// thread spends on one such request, is measured without sockets. Some three minutes.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { median, quartiles } from "./arithmetic.ts";
import { freePort, start } from "./processes.ts";
import type { Started } from "./processes.ts";
import { createFilterHost } from "../runtime/test/harness.ts";
import { defaultWasmPolicy } from "../runtime/src/config/wasm-policy.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "20" },
    /** Of each kind in each round. */
    pairs: { type: "string", default: "60" },
    guest: { type: "string", default: "rust-faulty" },
  },
});
const KINDS = ["direct", "one", "trap", "open", "direct (again)"] as const;
type Kind = (typeof KINDS)[number];

const PLUGINS = 10;
/** Each plugin has its next request after 240 ms. A worker makes a standby every 20 ms at most. */
const PACE_MS = 24;
/** A VM that lives for ten times this is stable; a standby is made 200 ms after the one before. */
const BASE_MS = 20;
const CRASHES_TO_OPEN = 10;
const WARM_UP = 200;
const TURNS = 1000;
const ROUNDS_TOGETHER = 4;
const FAULTS: Readonly<Record<string, string>> = { "rust-faulty": "request-headers" };

const folder = mkdtempSync(join(tmpdir(), "headgate-neighbour-"));
const launcher = fileURLToPath(new URL("../runtime/bin/headgate", import.meta.url));
const module = fileURLToPath(
  new URL(`../conformance/guests/wasm/${values.guest}.wasm`, import.meta.url),
);
const fault = FAULTS[values.guest] ?? "trap";
const TYPES = "type.googleapis.com/envoy.extensions.filters";
const guests = Array.from({ length: PLUGINS }, (_, index) => `guest${index}`);

/** A route whose requests pass that guest alone, or none. */
function route(prefix: string, status: number, guest: string): object {
  const off = { "@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", disabled: true };
  const others = guests.filter((name) => name !== guest);
  return {
    match: { prefix },
    direct_response: { status, body: { inline_string: "ok" } },
    typed_per_filter_config: Object.fromEntries(others.map((name) => [name, off])),
  };
}

function wasmFilter(name: string, kind: Kind): object {
  // Once it is open, a breaker waits for six times the longest interval.
  const max_interval = kind === "open" ? "60s" : "1s";
  const backoff = { base_interval: `${BASE_MS / 1000}s`, max_interval };
  const vm_config = { runtime: "envoy.wasm.runtime.v8", code: { local: { filename: module } } };
  const config = { name, reload_config: { backoff }, vm_config };
  return { name, typed_config: { "@type": `${TYPES}.http.wasm.v3.Wasm`, config } };
}

function config(port: number, adminPort: number, kind: Kind): object {
  const isDirect = kind.startsWith("direct");
  const bad = guests.map((name) =>
    route(`/bad/${name}/`, isDirect ? 503 : 200, isDirect ? "" : name),
  );
  const routes = [route("/good", 200, ""), route("/refused", 503, ""), ...bad];
  const router = {
    name: "router",
    typed_config: { "@type": `${TYPES}.http.router.v3.Router` },
  };
  const hcm = {
    "@type": `${TYPES}.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: "main",
    route_config: { virtual_hosts: [{ name: "all", domains: ["*"], routes }] },
    http_filters: [...guests.map((name) => wasmFilter(name, kind)), router],
  };
  const at = (port_value: number): object => ({
    address: { socket_address: { address: "127.0.0.1", port_value } },
  });
  const filter_chains = [{ filters: [{ name: "hcm", typed_config: hcm }] }];
  return {
    admin: at(adminPort),
    static_resources: { listeners: [{ name: "main", ...at(port), filter_chains }] },
  };
}

/** One process, with a connection for each request of a pair. */
class Target {
  readonly #process: Started;
  readonly #port: number;
  readonly #adminPort: number;
  readonly #agent: http.Agent;
  readonly #kind: Kind;
  #pairs: number;

  private constructor(kind: Kind, process: Started, port: number, adminPort: number) {
    this.#kind = kind;
    this.#process = process;
    this.#port = port;
    this.#adminPort = adminPort;
    this.#agent = new http.Agent({ keepAlive: true, maxSockets: 2 });
    this.#pairs = 0;
  }

  static async start(kind: Kind): Promise<Target> {
    const [port, adminPort] = [await freePort(), await freePort()];
    const file = join(folder, `${KINDS.indexOf(kind)}.json`);
    writeFileSync(file, JSON.stringify(config(port, adminPort, kind)));
    const flags = ["--concurrency", "1", "--log-level", "off", "--disable-hot-restart"];
    const process = await start([launcher, "-c", file, ...flags], port);
    const target = new Target(kind, process, port, adminPort);
    for (let i = 0; i < WARM_UP; i += 1) await target.pair();
    while (kind === "open" && !(await target.#areAllOpen())) {
      for (let i = 0; i < PLUGINS; i += 1) await target.pair();
    }
    return target;
  }

  /** Milliseconds of the neighbour's request. */
  async pair(): Promise<number> {
    const guest = guests[this.#pairs % PLUGINS];
    const isSpared = this.#kind === "one" && guest !== guests[0];
    this.#pairs += 1;
    const bad = this.#ask(isSpared ? "/refused" : `/bad/${guest}/`, 503);
    const took = await this.#ask("/good", 200);
    await bad;
    return took;
  }

  async stop(): Promise<void> {
    this.#agent.destroy();
    await this.#process.stop();
  }

  /** Each has crashed ten times in a row. */
  async #areAllOpen(): Promise<boolean> {
    const url = `http://127.0.0.1:${this.#adminPort}/stats?filter=vm_crash_loop`;
    const text = await (await fetch(url)).text();
    return [...text.matchAll(/: [1-9]/g)].length === PLUGINS;
  }

  /** Milliseconds until the answer's end; throws when it is another one than expected. */
  #ask(path: string, status: number): Promise<number> {
    const from = performance.now();
    return new Promise((resolve, reject) => {
      const headers = { "x-fault": fault };
      const where = { port: this.#port, host: "127.0.0.1", path, headers, agent: this.#agent };
      const request = http.get(where, (response) => {
        response.resume();
        response.on("end", () => {
          if (response.statusCode === status) resolve(performance.now() - from);
          else reject(new Error(`${path}: found ${response.statusCode}, expected ${status}`));
        });
      });
      request.on("error", reject);
    });
  }
}

/** Pairs at a steady pace, whatever they take: what a worker has slept is felt, too. */
async function play(target: Target): Promise<readonly number[]> {
  const times: number[] = [];
  // What the process has not done for some time is not in the caches.
  for (let i = 0; i < PLUGINS; i += 1) await pacedPair(target);
  for (let i = 0; i < Number(values.pairs); i += 1) times.push(await pacedPair(target));
  return times;
}

async function pacedPair(target: Target): Promise<number> {
  const nextMs = performance.now() + PACE_MS;
  const took = await target.pair();
  await pause(Math.max(0, nextMs - performance.now()));
  return took;
}

async function measure(): Promise<void> {
  const targets = new Map<Kind, Target>();
  const times = new Map<Kind, (readonly number[])[]>(KINDS.map((kind) => [kind, []]));
  try {
    for (const kind of KINDS) targets.set(kind, await Target.start(kind));
    for (let round = 0; round < Number(values.rounds); round += 1) {
      for (let turn = 0; turn < KINDS.length; turn += 1) {
        const kind = KINDS[(round + turn) % KINDS.length] as Kind;
        times.get(kind)?.push(await play(targets.get(kind) as Target));
      }
    }
  } finally {
    for (const target of targets.values()) await target.stop();
    rmSync(folder, { recursive: true });
  }
  tell(new Map([...times].map(([kind, rounds]) => [kind, together(rounds)])));
}

interface Quantiles {
  readonly p50: number;
  readonly p99: number;
}

/** Of some rounds each. */
function together(rounds: readonly (readonly number[])[]): Quantiles[] {
  const found: Quantiles[] = [];
  for (let from = 0; from < rounds.length; from += ROUNDS_TOGETHER) {
    const times = rounds.slice(from, from + ROUNDS_TOGETHER).flat();
    const sorted = times.toSorted((a, b) => a - b);
    found.push({ p50: at(sorted, 0.5), p99: at(sorted, 0.99) });
  }
  return found;
}

function tell(found: ReadonlyMap<Kind, readonly Quantiles[]>): void {
  const load = loadavg()[0]?.toFixed(1) ?? "";
  console.log(`${values.guest}, ${values.rounds} rounds of ${values.pairs} pairs, load ${load}`);
  console.log("the neighbour's time in ms: medians, and what is added with quartiles\n");
  console.log("| the other request is answered by | p50 | p99 | p50 added | p99 added |");
  console.log("| --- | ---: | ---: | ---: | ---: |");
  const base = found.get("direct") ?? [];
  for (const [kind, own] of found) {
    const cells: string[] = [kind];
    for (const q of ["p50", "p99"] as const)
      cells.push(median(own.map((one) => one[q])).toFixed(2));
    for (const q of ["p50", "p99"] as const) cells.push(addedText(own, base, q));
    console.log(`| ${cells.join(" | ")} |`);
  }
}

/** To what the same rounds had with direct responses. */
function addedText(
  own: readonly Quantiles[],
  base: readonly Quantiles[],
  which: keyof Quantiles,
): string {
  const added = own.map((one, at) => one[which] - (base[at]?.[which] ?? Number.NaN));
  const [low, high] = quartiles(added);
  return `${median(added).toFixed(2)} (${low.toFixed(2)} to ${high.toFixed(2)})`;
}

/**
 * What other streams of the worker wait for one request, each after so long a time that a standby is
 * there: milliseconds, as quantiles, and the mean of the thread's CPU time. (That is counted in steps
 * of a millisecond or more; the median hardly sees who else runs.)
 */
async function turns(
  fault: string,
  standby: "on" | "off",
  isOpen: boolean = false,
): Promise<string> {
  const policy = { ...defaultWasmPolicy, standby };
  const host = await createFilterHost({ module, policy, failurePolicy: "fail_reload" });
  const times: number[] = [];
  let cpuUs = 0;
  // Each VM dies within ten seconds: after ten of them the breaker is open for a minute.
  for (let i = 0; isOpen && i <= CRASHES_TO_OPEN; i += 1) {
    host.request({ headers: { "x-fault": fault } });
    host.tick(15_000);
  }
  for (let i = 0; i < TURNS; i += 1) {
    if (!isOpen) host.tick(60_000);
    const cpu = process.threadCpuUsage();
    const from = performance.now();
    const { status } = host.request({ headers: { "x-fault": fault } });
    times.push(performance.now() - from);
    const { user, system } = process.threadCpuUsage(cpu);
    cpuUs += user + system;
    if (status !== (fault === "" ? 200 : 503)) throw new Error(`found ${status}`);
  }
  host.close();
  const sorted = times.toSorted((a, b) => a - b);
  const [p50, p90, p99] = [0.5, 0.9, 0.99].map((share) => at(sorted, share).toFixed(2));
  return `p50 ${p50}, p90 ${p90}, p99 ${p99}, CPU ${(cpuUs / TURNS / 1000).toFixed(2)}`;
}

function at(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

await measure();
console.log("\none request in the worker's thread, without sockets, ms");
console.log(`an answer                       ${await turns("", "on")}`);
console.log(`a trap, the standby takes over  ${await turns(fault, "on")}`);
console.log(`a trap, the next makes the VM   ${await turns(fault, "off")}`);
console.log(`the breaker is open             ${await turns(fault, "on", true)}`);
