// Starts a real Headgate process for tests of its life: finds its ports through the admin interface,
// collects what it says, and leaves nothing running.
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { launcher, root } from "./launcher.ts";

/** As the launcher, with workers that can be made to die. */
export const crashableMain: readonly string[] = [
  process.execPath,
  fileURLToPath(new URL("crashable-main.ts", import.meta.url)),
];

const POLL_MS = 10;
/** For what never comes; machines with a lot to do are slow. Below the limit of a test, so that this one says why. */
const WAIT_MAX_MS = 90_000;

export interface StartOptions {
  /** Default: the launcher. */
  readonly command?: readonly string[];
  readonly cwd?: string;
  /** Default: the test's own. */
  readonly env?: NodeJS.ProcessEnv;
  /** Beside -c, --concurrency and --admin-address-path. */
  readonly flags?: readonly string[];
  /** Default 1. */
  readonly concurrency?: number;
  /** For several processes at a time; default admin-address. */
  readonly adminFile?: string;
}

/** What a process that ended by itself has left. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A folder of its own for each test, removed by `remove`. */
export class Scratch {
  readonly folder: string;

  constructor() {
    this.folder = mkdtempSync(join(tmpdir(), "headgate-life-"));
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  /** Writes a file; objects become JSON, which is YAML too. */
  write(name: string, content: string | object): string {
    const path = this.path(name);
    writeFileSync(path, textOf(content));
    return path;
  }

  /** As `write`, but what is there already is left alone: somebody may be reading it. */
  keep(name: string, content: string | object): string {
    const path = this.path(name);
    const isThere = existsSync(path) && readFileSync(path, "utf8") === textOf(content);
    return isThere ? path : this.write(name, content);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function textOf(content: string | object): string {
  return typeof content === "string" ? content : JSON.stringify(content, null, 1);
}

export class HeadgateProcess {
  readonly child: ChildProcess;
  readonly exited: Promise<Ended>;
  /** Standard output and error, mixed. */
  output: string;
  readonly #adminPath: string;

  /** Runs the command line to its end, or until a test stops it. */
  constructor(args: readonly string[], options: StartOptions = {}) {
    const [file, ...before] = options.command ?? [launcher];
    const cwd = options.cwd ?? root;
    const child = spawn(file as string, [...before, ...args], {
      cwd,
      env: options.env ?? process.env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.child = child;
    this.output = "";
    this.#adminPath = args[args.indexOf("--admin-address-path") + 1] ?? "";
    const collect = (chunk: string): void => {
      this.output += chunk;
    };
    child.stdout.setEncoding("utf8").on("data", collect);
    child.stderr.setEncoding("utf8").on("data", collect);
    this.exited = new Promise((resolve) => {
      child.once("close", (code, signal) => resolve({ code, signal }));
    });
  }

  /** Starts and waits until it is live. */
  static async start(
    scratch: Scratch,
    config: string | object,
    options: StartOptions = {},
  ): Promise<HeadgateProcess> {
    const headgate = HeadgateProcess.launch(scratch, config, options);
    try {
      await headgate.isLive();
    } catch (error) {
      await headgate.end();
      throw error;
    }
    return headgate;
  }

  /** Starts with the configuration in envoy.yaml. */
  static launch(
    scratch: Scratch,
    config: string | object,
    options: StartOptions = {},
  ): HeadgateProcess {
    const path = scratch.keep("envoy.yaml", config);
    const flags = ["--concurrency", String(options.concurrency ?? 1), ...(options.flags ?? [])];
    const admin = scratch.path(options.adminFile ?? "admin-address");
    return new HeadgateProcess(["-c", path, "--admin-address-path", admin, ...flags], options);
  }

  get pid(): number {
    return this.child.pid as number;
  }

  /** "127.0.0.1:1234" */
  get adminAddress(): string {
    return existsSync(this.#adminPath) ? readFileSync(this.#adminPath, "utf8") : "";
  }

  async admin(path: string, method = "GET"): Promise<string> {
    const address = this.adminAddress;
    if (address === "") throw new Error("the admin interface does not listen yet");
    return await (await fetch(`http://${address}${path}`, { method })).text();
  }

  /** "host:port" of a listener, or the path of its socket. */
  async listener(name = "main"): Promise<string> {
    const line = (await this.admin("/listeners"))
      .split("\n")
      .find((l) => l.startsWith(`${name}::`));
    if (line === undefined) throw new Error(`no listener ${name}`);
    return line.slice(name.length + 2);
  }

  /** A counter or gauge; 0 when it is not there. */
  async stat(name: string): Promise<number> {
    const filter = encodeURIComponent(`^${name}$`);
    const text = await this.admin(`/stats?filter=${filter}`);
    const line = text.split("\n").find((l) => l.startsWith(`${name}: `));
    return line === undefined ? 0 : Number(line.slice(name.length + 2));
  }

  /** Asks until the answer is not false or undefined; fails when the process ends before. */
  async waitFor<T>(
    ask: () => T | false | undefined | Promise<T | false | undefined>,
    what = "",
  ): Promise<T> {
    const deadline = Date.now() + WAIT_MAX_MS;
    while (Date.now() < deadline) {
      // Until something listens, asking fails; the deadline is the judge.
      const answer = await Promise.resolve()
        .then(ask)
        .catch(() => undefined);
      if (answer !== undefined && answer !== false) return answer;
      if (this.child.exitCode !== null || this.child.signalCode !== null) break;
      await new Promise((resolve) => {
        setTimeout(resolve, POLL_MS);
      });
    }
    throw new Error(`${what} did not happen (exit ${this.child.exitCode}):\n${this.output}`);
  }

  async isLive(): Promise<void> {
    await this.waitFor(async () => (await this.admin("/ready")) === "LIVE\n", "the start");
  }

  /** Waits for something in the output behind `from`: what is said comes after what is done. */
  async says(what: string | RegExp, from = 0): Promise<void> {
    const isSaid = (): boolean => {
      const text = this.output.slice(from);
      return typeof what === "string" ? text.includes(what) : what.test(text);
    };
    if (!isSaid()) await this.waitFor(isSaid, `a line like ${String(what)}`);
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** For the end of a test, however it went. */
  async end(): Promise<void> {
    this.child.kill("SIGKILL");
    await this.exited;
  }
}
