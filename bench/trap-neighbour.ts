// What a neighbour route feels of a plugin that traps on every request: pairs of requests are sent at
// once to one worker, one that is answered with 503 for this or that reason, one of another route whose
// time is taken. Usage: npx node bench/trap-neighbour.ts [--rounds 6] [--pairs 200] [--guest rust-faulty]
//
//   direct   503 by a direct response: no guest
//   trap     503 because the guest traps; its VM lived for ten times the base back-off, so that each is a
//            first crash, and the standby takes over
//   open     503 because the guest's breaker is open
//
// The reasons take turns; each round has all three in processes of their own. On a machine with other
// work that says little: so the time that the worker's thread spends on one such request, which is what its other
// streams wait for, is measured as well, without sockets.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { median } from "./arithmetic.ts";
import { freePort, start } from "./processes.ts";
import { createFilterHost } from "../runtime/test/harness.ts";
import { defaultWasmPolicy } from "../runtime/src/config/wasm-policy.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "6" },
    pairs: { type: "string", default: "200" },
    guest: { type: "string", default: "rust-faulty" },
  },
});
const KINDS = ["direct", "trap", "open"] as const;
type Kind = (typeof KINDS)[number];

/** A VM that lives for ten times this is stable; a standby is made 200 ms after the one before. */
const BASE_MS = 20;
const STANDBY_MS = 230;
const CRASHES_TO_OPEN = 10;
const WARM_UP = 20;
const TURNS = 1000;
const FAULTS: Readonly<Record<string, string>> = { "rust-faulty": "request-headers" };

const folder = mkdtempSync(join(tmpdir(), "headgate-neighbour-"));
const launcher = fileURLToPath(new URL("../runtime/bin/headgate", import.meta.url));
const module = fileURLToPath(
  new URL(`../conformance/guests/wasm/${values.guest}.wasm`, import.meta.url),
);
const fault = FAULTS[values.guest] ?? "trap";
const TYPES = "type.googleapis.com/envoy.extensions.filters";

function config(port: number, adminPort: number, kind: Kind): object {
  const off = { "@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", disabled: true };
  const typed_per_filter_config = { guest: off };
  const answer = { status: 200, body: { inline_string: "ok" } };
  const bad =
    kind === "direct" ? { direct_response: { status: 503 }, typed_per_filter_config } : undefined;
  const routes = [
    { match: { prefix: "/good" }, direct_response: answer, typed_per_filter_config },
    { match: { prefix: "/" }, ...(bad ?? { direct_response: answer }) },
  ];
  // Once it is open, a breaker waits for six times the longest interval.
  const backoff =
    kind === "open"
      ? { base_interval: "0.1s", max_interval: "3s" }
      : { base_interval: `${BASE_MS / 1000}s` };
  const code = { local: { filename: module } };
  const wasm = {
    "@type": `${TYPES}.http.wasm.v3.Wasm`,
    config: {
      name: "guest",
      reload_config: { backoff },
      vm_config: { runtime: "envoy.wasm.runtime.v8", code },
    },
  };
  const hcm = {
    "@type": `${TYPES}.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: "main",
    route_config: { virtual_hosts: [{ name: "all", domains: ["*"], routes }] },
    http_filters: [
      { name: "guest", typed_config: wasm },
      { name: "router", typed_config: { "@type": `${TYPES}.http.router.v3.Router` } },
    ],
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
  return `${quantiles(times)}, CPU ${(cpuUs / TURNS / 1000).toFixed(2)}`;
}

function quantiles(times: readonly number[]): string {
  const sorted = times.toSorted((a, b) => a - b);
  const [p50, p90, p99] = [0.5, 0.9, 0.99].map((share) => at(sorted, share).toFixed(2));
  return `p50 ${p50}, p90 ${p90}, p99 ${p99}`;
}

const agent = new http.Agent({ keepAlive: true, maxSockets: 2 });

/** Milliseconds until the answer's end; throws when it is another one than expected. */
function ask(port: number, path: string, status: number): Promise<number> {
  const from = performance.now();
  return new Promise((resolve, reject) => {
    const headers = { "x-fault": fault };
    const request = http.get({ port, host: "127.0.0.1", path, headers, agent }, (response) => {
      response.resume();
      response.on("end", () => {
        if (response.statusCode === status) resolve(performance.now() - from);
        else reject(new Error(`${path}: found ${response.statusCode}, expected ${status}`));
      });
    });
    request.on("error", reject);
  });
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Ten crashes in a row. */
async function isOpen(adminPort: number): Promise<boolean> {
  const answer = await fetch(`http://127.0.0.1:${adminPort}/stats?filter=vm_crash_loop`);
  return /: [1-9]/.test(await answer.text());
}

/** Times of the neighbour's requests. */
async function round(kind: Kind, pairs: number): Promise<number[]> {
  const port = await freePort();
  const adminPort = await freePort();
  const file = join(folder, `${kind}.json`);
  writeFileSync(file, JSON.stringify(config(port, adminPort, kind)));
  const flags = ["--concurrency", "1", "--log-level", "off", "--disable-hot-restart"];
  const headgate = await start([launcher, "-c", file, ...flags], port);
  try {
    const isReady = kind === "open" ? (): Promise<boolean> => isOpen(adminPort) : undefined;
    for (let i = 0; i < WARM_UP || (isReady !== undefined && !(await isReady())); i += 1) {
      await Promise.all([ask(port, "/bad", 503), ask(port, "/good", 200)]);
      await pause(STANDBY_MS / 10);
    }
    const times: number[] = [];
    for (let i = 0; i < pairs; i += 1) {
      const bad = ask(port, "/bad", 503);
      times.push(await ask(port, "/good", 200));
      await bad;
      // As long for all kinds: what a worker has slept is felt, too.
      await pause(STANDBY_MS);
    }
    return times;
  } finally {
    await headgate.stop();
  }
}

function at(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

const all: Record<Kind, number[]> = { direct: [], trap: [], open: [] };
const medians: Record<Kind, number[]> = { direct: [], trap: [], open: [] };
try {
  for (let i = 0; i < Number(values.rounds); i += 1) {
    for (const offset of [0, 1, 2]) {
      const kind = KINDS[(i + offset) % KINDS.length] as Kind;
      const times = await round(kind, Math.ceil(Number(values.pairs) / Number(values.rounds)));
      all[kind].push(...times);
      medians[kind].push(median(times));
    }
  }
} finally {
  agent.destroy();
  rmSync(folder, { recursive: true });
}
console.log(`${values.guest}, load ${loadavg()[0]?.toFixed(1) ?? ""}; the neighbour's time in ms`);
for (const kind of KINDS) {
  const spread = `${Math.min(...medians[kind]).toFixed(2)}..${Math.max(...medians[kind]).toFixed(2)}`;
  console.log(
    `${kind.padEnd(7)} ${all[kind].length} pairs: ${quantiles(all[kind])}; rounds ${spread}`,
  );
}
console.log("one request in the worker's thread, without sockets, ms");
console.log(`an answer                       ${await turns("", "on")}`);
console.log(`a trap, the standby takes over  ${await turns(fault, "on")}`);
console.log(`a trap, the next makes the VM   ${await turns(fault, "off")}`);
console.log(`the breaker is open             ${await turns(fault, "on", true)}`);
