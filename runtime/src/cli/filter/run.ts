// `headgate filter run`: the filter in a live proxy, compiled and swapped with each save.
import { readFileSync, watch } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { UsageError } from "../args.ts";
import { profileModule } from "../../module/module-profile.ts";
import { type AdminClient, ExitCode, parseFlags, pluginPath, readInput } from "./admin-client.ts";
import { isFree, startEcho } from "./echo-upstream.ts";
import type { FilterCommand } from "./index.ts";
import { LiveHeadgate } from "./live-headgate.ts";
import { oneFolder, Project, type SdkBuild } from "./project.ts";
import { isNetworkFilter, runBootstrap, type RunPlan } from "./run-bootstrap.ts";

const PORT = 10_000;
/** An editor may write a file in several steps. */
const SETTLE_MS = 20;

const flags = {
  upstream: { type: "string" },
  port: { type: "string" },
  config: { type: "string" },
  trace: { type: "boolean" },
} as const;

export const command: FilterCommand = {
  help: `usage: headgate filter run [FOLDER] [flags]

Starts a Headgate with the filter of FOLDER (default: this one), compiles it with each save and
swaps it: connections stay. What does not compile is told, and the last good one serves on. Ctrl-C
ends all.

  --upstream URL       http://HOST:PORT or https://HOST; default: an echo that answers as JSON with
                       the method, path, headers and body that came
  --port N             to listen on, at 127.0.0.1; default ${PORT}; 0: one that is free
  --config FILE        bytes for the plugin's configuration, read again with each save, too
  --trace              shows what each stream calls, with arguments
exit codes: 0 ended by Ctrl-C; 1 Headgate did not start, or ended; 2 wrong use

examples:
  headgate filter run
  headgate filter run filters/auth --config auth.json --trace
  headgate filter run --upstream http://127.0.0.1:8080 --port 0
`,
  async run(argv) {
    const { values, positionals } = parseFlags(argv, flags);
    const project = new Project(oneFolder(positionals));
    const port = Number(values.port ?? PORT);
    if (!/^\d{1,5}$/.test(values.port ?? "0") || port > 65_535) {
      throw new UsageError(`--port: found ${values.port}, expected a number from 0 to 65535`);
    }
    const upstream = values.upstream === undefined ? null : upstreamOf(values.upstream);
    const config = values.config === undefined ? null : resolve(values.config);
    if (config !== null) readInput(config, "--config");
    const sdk = await project.sdk();
    if (!(await isFree(port))) {
      process.stderr.write(`headgate: port ${port} is in use: --port 0 takes one that is free\n`);
      return ExitCode.Refused;
    }
    const session = new RunSession(sdk, project.folder, config, values.trace === true);
    return await session.run(port, upstream);
  },
};

function upstreamOf(text: string): RunPlan["upstream"] {
  const url = URL.parse(text);
  const isTls = url?.protocol === "https:";
  if (url === null || (!isTls && url.protocol !== "http:") || url.pathname !== "/") {
    throw new UsageError(`--upstream: found ${text}, expected http://HOST:PORT or https://HOST`);
  }
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  return { host, port: Number(url.port || (isTls ? 443 : 80)), isTls };
}

class RunSession {
  readonly #sdk: SdkBuild;
  readonly #folder: string;
  readonly #plugin: string;
  readonly #config: string | null;
  readonly #trace: boolean;
  #savedMs: number;
  #isSaved: boolean;
  #isStopped: boolean;
  #wake: () => void;

  constructor(sdk: SdkBuild, folder: string, config: string | null, trace: boolean) {
    this.#sdk = sdk;
    this.#folder = folder;
    this.#plugin = sdk.filterName(folder);
    this.#config = config;
    this.#trace = trace;
    this.#savedMs = performance.now();
    this.#isSaved = false;
    this.#isStopped = false;
    this.#wake = () => {};
  }

  /** Until somebody ends it, or Headgate ends. */
  async run(port: number, upstream: RunPlan["upstream"] | null): Promise<number> {
    const stop = (): void => {
      this.#isStopped = true;
      this.#wake();
    };
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, stop);
    const unwatch = this.#watch();
    const echo = upstream === null ? await startEcho() : null;
    const told = echo?.address();
    const echoPort = typeof told === "object" ? (told?.port ?? 0) : 0;
    try {
      let module = await this.#build();
      while (module === null && (await this.#saved())) module = await this.#build();
      if (module === null) return ExitCode.Done;
      return await this.#serve({
        plugin: this.#plugin,
        module,
        isNetwork: isNetworkFilter(profileModule(readFileSync(module), module)),
        configuration: this.#configuration(),
        port,
        upstream: upstream ?? { host: "127.0.0.1", port: echoPort, isTls: false },
        rewritesHost: upstream !== null,
      });
    } finally {
      unwatch();
      echo?.closeAllConnections();
      echo?.close();
    }
  }

  async #serve(plan: RunPlan): Promise<number> {
    const headgate = new LiveHeadgate(runBootstrap(plan), this.#trace ? this.#plugin : "");
    const ended = headgate.ended.then(() => this.#wake());
    const live = await headgate.serving();
    if (live === null) return ExitCode.Refused;
    const scheme = plan.isNetwork ? "tcp" : "http";
    say(`${this.#plugin} serves on ${scheme}://${live.address}; Ctrl-C ends`);
    let isEnded = false;
    void headgate.ended.then(() => {
      isEnded = true;
    });
    while ((await this.#saved(ended)) && !isEnded) await this.#swap(live.admin);
    if (isEnded) return ExitCode.Refused;
    headgate.stop();
    await headgate.ended;
    return ExitCode.Done;
  }

  /** A module's path; null when it does not compile, which was told. */
  async #build(): Promise<string | null> {
    try {
      return (await this.#sdk.buildFilter(this.#folder, { mode: "debug" })).wasm;
    } catch (error) {
      // The SDK's own class, which no room knows.
      if (!(error instanceof Error) || !/^(Build|Asc)Error$/.test(error.name)) throw error;
      // A terminal's Ctrl-C has ended the compiler, too.
      if (this.#isStopped) return null;
      process.stderr.write(`${error.message}\n`);
      return null;
    }
  }

  async #swap(admin: AdminClient): Promise<void> {
    const savedMs = this.#savedMs;
    const module = await this.#build();
    if (module === null && this.#isStopped) return;
    if (module === null) {
      process.stderr.write("headgate: it does not compile: the version before serves on\n");
      return;
    }
    const before = this.#config === null ? null : this.#configuration();
    if (before !== null) await this.#push(admin, "configuration", Buffer.from(before), savedMs);
    await this.#push(admin, "module", readFileSync(module), savedMs);
  }

  async #push(admin: AdminClient, what: string, body: Buffer, savedMs: number): Promise<void> {
    const path = pluginPath(this.#plugin, what, new URLSearchParams());
    const { status, body: text, json } = await admin.send("POST", path, body);
    const ms = Math.round(performance.now() - savedMs);
    if (status === 200) {
      if (json?.["state"] === "same") return;
      say(`${what} swapped ${ms} ms after the save: version ${String(json?.["version"])}`);
      return;
    }
    const problems = Array.isArray(json?.["problems"]) ? json["problems"].map(String) : [text];
    const lines = problems.map((one) => `  ${one}\n`).join("");
    process.stderr.write(`headgate: ${what} refused, the version before serves on:\n${lines}`);
  }

  #configuration(): string {
    return this.#config === null ? "" : readInput(this.#config, "--config").toString("utf8");
  }

  /** Waits for a save; false when it is over. */
  async #saved(ended: Promise<void> = new Promise(() => {})): Promise<boolean> {
    if (!this.#isSaved && !this.#isStopped) {
      const woken = new Promise<void>((wake) => {
        this.#wake = wake;
      });
      await Promise.race([woken, ended]);
    }
    this.#isSaved = false;
    return !this.#isStopped;
  }

  /** Wakes the loop after each save; the result ends it. */
  #watch(): () => void {
    let timer: NodeJS.Timeout | undefined;
    const changed = (): void => {
      clearTimeout(timer);
      this.#savedMs = performance.now();
      timer = setTimeout(() => {
        this.#isSaved = true;
        this.#wake();
      }, SETTLE_MS);
    };
    const watchers = [watch(join(this.#folder, "assembly"), { recursive: true }, changed)];
    const config = this.#config;
    if (config !== null) {
      // Its folder: editors put another file in its place.
      const one = watch(dirname(config), (_, name) => {
        if (name === basename(config)) changed();
      });
      watchers.push(one);
    }
    return () => {
      clearTimeout(timer);
      for (const one of watchers) one.close();
    };
  }
}

function say(text: string): void {
  process.stdout.write(`headgate: ${text}\n`);
}
