// How long a guest that means harm can hold up the streams beside its own: a client asks a neighbour
// route of the same worker each 5 ms. Usage: npx node bench/hostile/run.ts [PATTERN] [--rounds 5]
//
// One process for each guest, with one worker and the default policy. Each round is a quiet second
// and then one callback of the guest. Told is the longest wait of each round, by the clock and in CPU
// time of the worker's thread, which other processes of the machine do not add to; and what the
// callback computed, as the host's report of the trap has it.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { median } from "../arithmetic.ts";
import { freePort, start } from "../processes.ts";
import { type HostileGuest, hostileGuests, hostileModule, LATE_MS } from "./loops.ts";

const { values, positionals } = parseArgs({
  options: { rounds: { type: "string", default: "5" } },
  allowPositionals: true,
});

const PACE_MS = 5;
const QUIET_MS = 1000;
/** A tick, a start, or what comes behind the answer, is waited for so long. */
const BEHIND_MS = 700;
/** In which the next VM starts. */
const LATE_START_MS = 3000;
/** In which a new VM ticks, and for the first time. */
const TICK_MS = 2000;
const ANSWER_MS = 3000;
const WARM_UP = 300;
const TYPES = "type.googleapis.com/envoy.extensions.filters";
const launcher = fileURLToPath(new URL("../../runtime/bin/headgate", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "headgate-hostile-"));

function at(port_value: number): object {
  return { address: { socket_address: { address: "127.0.0.1", port_value } } };
}

function config(port: number, adminPort: number, module: string): object {
  const off = { "@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", disabled: true };
  const direct_response = { status: 200, body: { inline_string: "ok" } };
  const routes = [
    { match: { prefix: "/good" }, direct_response, typed_per_filter_config: { hostile: off } },
    { match: { prefix: "/up" }, route: { cluster: "self", prefix_rewrite: "/good" } },
    { match: { prefix: "/" }, direct_response },
  ];
  const vm_config = { runtime: "envoy.wasm.runtime.v8", code: { local: { filename: module } } };
  const wasm = { name: "hostile", failure_policy: "FAIL_RELOAD", vm_config };
  const hcm = {
    "@type": `${TYPES}.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: "main",
    route_config: { virtual_hosts: [{ name: "all", domains: ["*"], routes }] },
    http_filters: [
      { name: "hostile", typed_config: { "@type": `${TYPES}.http.wasm.v3.Wasm`, config: wasm } },
      { name: "router", typed_config: { "@type": `${TYPES}.http.router.v3.Router` } },
    ],
  };
  const filter_chains = [{ filters: [{ name: "hcm", typed_config: hcm }] }];
  const endpoints = [{ lb_endpoints: [{ endpoint: at(port) }] }];
  const self = {
    name: "self",
    type: "STATIC",
    load_assignment: { cluster_name: "self", endpoints },
  };
  return {
    admin: at(adminPort),
    static_resources: {
      listeners: [{ name: "main", ...at(port), filter_chains }],
      clusters: [self],
    },
  };
}

interface Report {
  readonly kind: string;
  readonly callback: string;
  readonly cpu_ms: number;
}

interface Wait {
  readonly wallMs: number;
  readonly cpuMs: number;
}

/** Asks the neighbour route, each request 5 ms after the last one or when that was answered. */
class Prober {
  readonly #port: number;
  readonly #agent: http.Agent;
  /** The worker's CPU time so far, in milliseconds. */
  readonly #cpuMs: () => number;
  #isOver: boolean;
  #longest: Wait;
  #loop: Promise<void> | null;

  constructor(port: number, cpuMs: () => number) {
    this.#port = port;
    this.#agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    this.#cpuMs = cpuMs;
    this.#isOver = false;
    this.#longest = { wallMs: 0, cpuMs: 0 };
    this.#loop = null;
  }

  start(): void {
    this.#isOver = false;
    this.#longest = { wallMs: 0, cpuMs: 0 };
    this.#loop = this.#ask();
  }

  /** The longest waits since the start. */
  async stop(): Promise<Wait> {
    this.#isOver = true;
    await this.#loop;
    return this.#longest;
  }

  async #ask(): Promise<void> {
    while (!this.#isOver) {
      const before = this.#cpuMs();
      const ms = await ask(this.#port, "/good", "GET", this.#agent);
      const cpuMs = this.#cpuMs() - before;
      const longest = this.#longest;
      this.#longest = {
        wallMs: Math.max(longest.wallMs, ms),
        cpuMs: Math.max(longest.cpuMs, cpuMs),
      };
      await pause(Math.max(0, PACE_MS - ms));
    }
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** Milliseconds until the answer's end, whatever it is. */
function ask(port: number, path: string, method: string, agent: http.Agent): Promise<number> {
  const from = performance.now();
  return new Promise((resolve, reject) => {
    const request = http.request({ port, host: "127.0.0.1", path, method, agent }, (response) => {
      response.resume();
      response.on("close", () => resolve(performance.now() - from));
    });
    // A stream that waits for a dead guest ends with its connection.
    request.on("error", (error) => {
      if (path === "/good") reject(error);
      else resolve(performance.now() - from);
    });
    request.end(method === "POST" ? "body" : undefined);
  });
}

async function reports(adminPort: number): Promise<readonly Report[]> {
  const url = `http://127.0.0.1:${adminPort}/wasm/plugins/hostile/traps`;
  const page = (await (await fetch(url)).json()) as { reports?: readonly Report[] };
  return page.reports ?? [];
}

/** By thread of a process: milliseconds that it was on a processor. */
function threadsMs(pid: number): Map<string, number> {
  const folder = `/proc/${pid}/task`;
  return new Map(readdirSync(folder).map((thread) => [thread, cpuMsOf(`${folder}/${thread}`)]));
}

function cpuMsOf(task: string): number {
  return Number(readFileSync(`${task}/schedstat`, "latin1").split(" ")[0]) / 1e6;
}

/** Warms up, and tells which thread did the work: a file of /proc. */
async function findWorker(pid: number, port: number, agent: http.Agent): Promise<string> {
  const before = threadsMs(pid);
  for (let i = 0; i < WARM_UP; i += 1) await ask(port, "/good", "GET", agent);
  const used = [...threadsMs(pid)].map(([id, ms]) => [id, ms - (before.get(id) ?? ms)] as const);
  const [thread] = used.toSorted(([, a], [, b]) => b - a)[0] as readonly [string, number];
  return `/proc/${pid}/task/${thread}`;
}

interface Found {
  readonly quiet: Wait[];
  readonly waits: Wait[];
}

async function rounds(guest: HostileGuest, port: number, pid: number): Promise<Found> {
  const agent = new http.Agent({ keepAlive: true });
  const worker = await findWorker(pid, port, agent);
  const prober = new Prober(port, () => cpuMsOf(worker));
  const found: Found = { quiet: [], waits: [] };
  try {
    for (let round = 0; round < Number(values.rounds); round += 1) {
      if (guest.ticks !== true) {
        prober.start();
        await pause(QUIET_MS);
        found.quiet.push(await prober.stop());
      }
      prober.start();
      // A direct response comes before the body is looked at.
      const [method, path] = guest.callback.endsWith("body") ? ["POST", "/up"] : ["GET", "/"];
      // One that waits for a guest that is dead gets no answer, as in Envoy.
      const bad = guest.ticks === true ? pause(0) : ask(port, path, method, agent);
      await Promise.race([bad, pause(ANSWER_MS)]);
      await pause(behindMs(guest));
      found.waits.push(await prober.stop());
    }
  } finally {
    await prober.stop();
    prober.close();
    agent.destroy();
  }
  return found;
}

function behindMs({ isLate, ticks }: HostileGuest): number {
  if (isLate === true) return LATE_START_MS;
  return ticks === true ? TICK_MS : BEHIND_MS;
}

async function measure(guest: HostileGuest): Promise<string> {
  const [port, adminPort] = [await freePort(), await freePort()];
  const [module, file] = [join(folder, "guest.wasm"), join(folder, "bootstrap.json")];
  const until = performance.now() + LATE_MS;
  writeFileSync(module, hostileModule(guest));
  writeFileSync(file, JSON.stringify(config(port, adminPort, module)));
  const log = ["--log-path", join(folder, "log"), "--log-level", "info"];
  const flags = ["--concurrency", "1", "--disable-hot-restart", ...log];
  const proxy = await start([launcher, "-c", file, ...flags], port);
  try {
    if (guest.isLate === true) await pause(Math.max(0, until - performance.now()));
    const { quiet, waits } = await rounds(guest, port, proxy.pid);
    const own = (await reports(adminPort)).filter((one) => one.callback === guest.callback);
    const kinds = [...new Set(own.map((one) => one.kind))].join(", ");
    const cells = [
      guest.name,
      both(quiet.map(({ cpuMs }) => cpuMs)),
      both(waits.map(({ cpuMs }) => cpuMs)),
      both(own.map((one) => one.cpu_ms)),
      both(waits.map(({ wallMs }) => wallMs)),
      kinds,
      String(own.length),
    ];
    return `| ${cells.join(" | ")} |`;
  } finally {
    await proxy.stop();
  }
}

/** The median and the most. */
function both(values: readonly number[]): string {
  if (values.length === 0) return "";
  return `${median(values).toFixed(0)}, ${Math.max(...values).toFixed(0)}`;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

console.log(`load ${loadavg()[0]?.toFixed(1) ?? ""}, ${values.rounds} rounds, milliseconds\n`);
console.log("| the guest | quiet | the neighbour waits | computed | by the clock | kind | stops |");
console.log("| --- | ---: | ---: | ---: | ---: | --- | ---: |");
const pattern = new RegExp(positionals[0] ?? "");
try {
  for (const guest of hostileGuests) {
    if (pattern.test(guest.name)) console.log(await measure(guest));
  }
} finally {
  rmSync(folder, { recursive: true });
}
