// The upstreams' processes: started, killed, stopped for a while, and well again.
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { spawnOwned } from "../processes.ts";
import type { OwnedProcess } from "../processes.ts";

const PROGRAM = fileURLToPath(new URL("upstream.ts", import.meta.url));

export class Upstream {
  readonly address: string;
  readonly port: number;
  #child: OwnedProcess | null = null;
  #timer: NodeJS.Timeout | undefined = undefined;
  #fault: "none" | "killed" | "stopped" = "none";

  constructor(port: number, address = "127.0.0.1") {
    this.port = port;
    this.address = address;
  }

  async start(): Promise<void> {
    const child = spawnOwned([process.execPath, PROGRAM, this.address, String(this.port)]);
    this.#child = child;
    let errors = "";
    child.stderr.on("data", (part: Buffer) => {
      errors += part.toString("latin1");
    });
    child.once("exit", (code) => {
      // Killed ones have no code.
      if (code !== null) console.log(`an upstream ended by itself:\n${errors}`);
    });
    await Promise.race([once(child.stdout, "data"), once(child, "exit")]);
  }

  /** Does nothing while another fault is on. */
  killFor(ms: number): void {
    if (this.#fault !== "none") return;
    this.#fault = "killed";
    this.#child?.kill("SIGKILL");
    this.#timer = setTimeout(() => void this.heal(), ms);
  }

  /** Connections are taken by the kernel, and nothing is answered. */
  stopFor(ms: number): void {
    if (this.#fault !== "none") return;
    this.#fault = "stopped";
    this.#child?.kill("SIGSTOP");
    this.#timer = setTimeout(() => void this.heal(), ms);
  }

  async heal(): Promise<void> {
    clearTimeout(this.#timer);
    const fault = this.#fault;
    this.#fault = "none";
    if (fault === "stopped") this.#child?.kill("SIGCONT");
    if (fault === "killed") await this.start();
  }
}
