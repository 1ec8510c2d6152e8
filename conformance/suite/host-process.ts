// The process of a host: started with a configuration, its log read line by line.
import { type ChildProcess, spawn } from "node:child_process";
import http from "node:http";
import type { Launch, NetworkTarget } from "./targets.ts";

/** Limits for hangs. */
const START_MS_MAX = 60_000;
const STOP_MS_MAX = 2_000;
const ASK_MS_MAX = 5_000;
/** Of the output that a failure is explained with. */
const TAIL_LINES = 15;

const running = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Body of a page; undefined unless it is 200. */
export function page(port: number, path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const options = { host: "127.0.0.1", port, path, agent: false, timeout: ASK_MS_MAX };
    const request = http.get(options, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (part: string) => {
        text += part;
      });
      response.on("end", () => resolve(response.statusCode === 200 ? text : undefined));
      response.on("error", () => resolve(undefined));
    });
    request.on("timeout", () => request.destroy());
    request.on("error", () => resolve(undefined));
  });
}

export class HostProcess {
  readonly #child: ChildProcess;
  readonly #onLine: (line: string) => void;
  readonly #tail: string[];
  #rest: { out: string; err: string };
  #exit: string | null;

  private constructor(child: ChildProcess, onLine: (line: string) => void) {
    this.#child = child;
    this.#onLine = onLine;
    this.#tail = [];
    this.#rest = { out: "", err: "" };
    this.#exit = null;
    running.add(child);
    child.stdout?.on("data", (part: Buffer) => this.#read("out", part));
    child.stderr?.on("data", (part: Buffer) => this.#read("err", part));
    child.on("error", (error) => this.#ended(error.message));
    child.on("close", (code, signal) => this.#ended(`ended with ${signal ?? `code ${code}`}`));
  }

  /** Starts a host and waits until its probe answers; null: it refused, and the text says why. */
  static async start(
    target: NetworkTarget,
    launch: Launch & { readonly probePort: number },
    onLine: (line: string) => void,
  ): Promise<HostProcess | string> {
    const command = target.command(launch);
    const [file = "", ...args] = typeof command === "string" ? ["sh", "-c", command] : command;
    const child = spawn(file, args, { stdio: ["ignore", "pipe", "pipe"], detached: true });
    const host = new HostProcess(child, onLine);
    const until = Date.now() + START_MS_MAX;
    while (host.#exit === null && Date.now() < until) {
      if ((await page(launch.probePort, "/")) !== undefined) return host;
      await delay(15);
    }
    const why = host.#exit ?? `did not answer in ${START_MS_MAX / 1000} s`;
    await host.stop();
    return `${why}\n${host.tail}`;
  }

  /** How it ended; null while it runs. */
  get exit(): string | null {
    return this.#exit;
  }

  /** The last lines of its output that are no reports. */
  get tail(): string {
    return this.#tail.join("\n");
  }

  async stop(): Promise<void> {
    this.#kill("SIGTERM");
    const until = Date.now() + STOP_MS_MAX;
    while (this.#exit === null && Date.now() < until) await delay(5);
    this.#kill("SIGKILL");
    while (this.#exit === null) await delay(5);
  }

  /** A command of a shell is a group of processes. */
  #kill(signal: NodeJS.Signals): void {
    const { pid } = this.#child;
    if (this.#exit !== null || pid === undefined) return;
    try {
      process.kill(-pid, signal);
    } catch {
      this.#child.kill(signal);
    }
  }

  #read(from: "out" | "err", part: Buffer): void {
    const lines = (this.#rest[from] + part.toString("latin1")).split("\n");
    this.#rest[from] = lines.pop() ?? "";
    for (const line of lines) {
      if (line.length < 1000) this.#tail.push(line);
      if (this.#tail.length > TAIL_LINES) this.#tail.shift();
      this.#onLine(line);
    }
  }

  #ended(why: string): void {
    this.#exit ??= why;
    running.delete(this.#child);
  }
}
