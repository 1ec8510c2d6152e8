// A Headgate of its own for `headgate filter run`: this very program in a child process.
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { AdminClient } from "./admin-client.ts";
import { withPlaces } from "./config-places.ts";
import type { PositionIndex } from "../../config/position-index.ts";

const POLL_MS = 20;
const DRAIN_S = 1;

/** Should this process be killed, a shell sees its input end and stops the child. */
function stopWithUs(pid: number | undefined): ChildProcess | null {
  if (process.platform === "win32" || pid === undefined) return null;
  const script = 'read -r _; kill -TERM "$0" 2>/dev/null';
  const stdio = ["pipe", "ignore", "ignore"] as const;
  const shell = spawn("sh", ["-c", script, String(pid)], { stdio: [...stdio], detached: true });
  // What is not there cannot watch.
  shell.on("error", () => {});
  shell.unref();
  return shell;
}

export interface ServedConfig {
  readonly bootstrap: object;
  /** Of the text its author wrote; null = there is none. */
  readonly positions: PositionIndex | null;
}

export class LiveHeadgate {
  /** Resolves with the exit code when it has ended, whoever ended it. */
  readonly ended: Promise<number>;
  readonly #child: ChildProcess;
  readonly #folder: string;
  #positions: PositionIndex | null;
  #isEnded: boolean;

  /**
   * `trace`: the name of a plugin whose calls are logged; "" = none. `cwd`: where relative paths of
   * the configuration start.
   */
  constructor({ bootstrap, positions }: ServedConfig, trace: string, cwd: string) {
    this.#positions = positions;
    this.#folder = mkdtempSync(join(tmpdir(), "headgate-run-"));
    this.#write(bootstrap);
    const flags = [
      "-c",
      this.#configFile,
      "--admin-address-path",
      this.#addressFile,
      "--concurrency",
      "1",
    ];
    flags.push("--disable-hot-restart", "--sigterm-drain-s", String(DRAIN_S));
    flags.push("-l", "warning", "--component-log-level", "wasm:info");
    flags.push("--file-flush-interval-msec", "50");
    if (trace !== "") flags.push("--wasm-trace", trace);
    const stdio = ["ignore", "inherit", "pipe"] as const;
    // A process group of its own: a Ctrl-C reaches it through us, and once.
    const own = [process.argv[1] as string, ...flags];
    this.#child = spawn(process.execPath, own, { cwd, stdio: [...stdio], detached: true });
    this.#passErrors();
    const watch = stopWithUs(this.#child.pid);
    this.#isEnded = false;
    const kill = (): boolean => this.#child.kill("SIGKILL");
    process.once("exit", kill);
    this.ended = new Promise((resolve) => {
      const end = (code: number): void => {
        this.#isEnded = true;
        process.off("exit", kill);
        watch?.kill("SIGKILL");
        rmSync(this.#folder, { recursive: true, force: true });
        resolve(code);
      };
      this.#child.once("error", () => end(1));
      // Behind its last words.
      this.#child.once("close", (code) => end(code ?? 1));
    });
  }

  /** Problems tell places of it from now on: it is what its author sees, refused or not. */
  read({ positions }: ServedConfig): void {
    this.#positions = positions;
  }

  /** With places of the author's configuration, not of what was made of it. */
  shown(text: string): string {
    return withPlaces(text, this.#configFile, this.#positions);
  }

  /** What it says, line by line. */
  #passErrors(): void {
    let line = "";
    this.#child.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
      const lines = (line + chunk).split("\n");
      line = lines.pop() ?? "";
      for (const one of lines) process.stderr.write(`${this.shown(one)}\n`);
    });
    this.#child.stderr?.once("end", () => process.stderr.write(this.shown(line)));
  }

  get #configFile(): string {
    return join(this.#folder, "envoy.json");
  }

  #write(bootstrap: object): void {
    writeFileSync(this.#configFile, JSON.stringify(bootstrap));
  }

  get #addressFile(): string {
    return join(this.#folder, "admin");
  }

  /** Waits until it serves; null when it ended before. `address`: of the listener of that name. */
  async serving(
    listener: string,
  ): Promise<{ readonly admin: AdminClient; readonly address: string } | null> {
    for (; !this.#isEnded; await delay(POLL_MS)) {
      if (!existsSync(this.#addressFile)) continue;
      const url = readFileSync(this.#addressFile, "utf8");
      if (url === "") continue;
      const admin = new AdminClient(url, "");
      // Between its death and our knowledge of it nobody answers.
      const ready = await admin.send("GET", "/ready").catch(() => null);
      if (ready?.body !== "LIVE\n") continue;
      const listeners = await admin.send("GET", "/listeners");
      const line = listeners.body.split("\n").find((one) => one.startsWith(`${listener}::`));
      return { admin, address: line?.slice(listener.length + 2) ?? "" };
    }
    return null;
  }

  /** Gives it another configuration; false = refused, which it has told, or it has ended. */
  async reload({ bootstrap }: ServedConfig, admin: AdminClient): Promise<boolean> {
    const before = await reloadsOf(admin);
    this.#write(bootstrap);
    this.#child.kill("SIGHUP");
    for (; !this.#isEnded; await delay(POLL_MS)) {
      const now = await reloadsOf(admin).catch(() => before);
      if (now.success > before.success) return true;
      if (now.rejected > before.rejected) return false;
    }
    return false;
  }

  stop(): void {
    this.#child.kill("SIGTERM");
  }
}

async function reloadsOf(admin: AdminClient): Promise<{ success: number; rejected: number }> {
  const { body } = await admin.send("GET", "/stats?filter=^server.reload_");
  const count = (name: string): number =>
    Number(new RegExp(`^server\\.reload_${name}: (\\d+)$`, "m").exec(body)?.[1] ?? 0);
  return { success: count("success"), rejected: count("rejected") };
}
