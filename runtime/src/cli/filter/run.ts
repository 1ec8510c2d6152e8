// `headgate filter run`: the filter in a live proxy, compiled and swapped with each save.
import { existsSync, readFileSync, watch } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { UsageError } from "../args.ts";
import { profileModule } from "../../module/module-profile.ts";
import { EchoUpstream, isFree } from "../../server/echo-upstream.ts";
import {
  type AdminClient,
  ExitCode,
  parseFlags,
  pluginPath,
  pushBody,
  readInput,
} from "./admin-client.ts";
import type { FilterCommand } from "./index.ts";
import { LiveHeadgate } from "./live-headgate.ts";
import { mapBeside } from "./push.ts";
import { type Compiler, oneFolder, Project, type SdkBuild, shownPath, told } from "./project.ts";
import { isNetworkFilter, runBootstrap, type UpstreamAddress } from "./run-bootstrap.ts";
import { readRunConfig, type RunChanges, type RunConfig, runConfigOf } from "./run-config.ts";

const PORT = 10_000;
/** An editor may write a file in several steps. */
const SETTLE_MS = 20;

const flags = {
  upstream: { type: "string", multiple: true },
  port: { type: "string" },
  config: { type: "string" },
  trace: { type: "boolean" },
} as const;

export const command: FilterCommand = {
  help: `usage: headgate filter run [FOLDER] [flags]

Starts a Headgate with the filter of FOLDER (default: this one), compiles it with each save and
swaps it: connections stay. What does not compile is told, and the last good one serves on. Ctrl-C
ends all.

It is the proxy of the project's envoy.yaml, which is read again with each save, too: at an address
of this machine, and with an echo in place of the clusters that routes name. The echo answers as
JSON with the method, path, headers and body that came; connections get back what they send. Without
an envoy.yaml about the filter's module there is the filter, and the echo.

  --upstream [CLUSTER=]URL
                       http://HOST:PORT, https://HOST or echo in place of a cluster, or of all that
                       routes name; more than once
  --port N             to listen on, at 127.0.0.1; default that of envoy.yaml, else ${PORT}; 0: one
                       that is free
  --config FILE        bytes for the plugin's configuration, in place of envoy.yaml's
  --trace              shows what each stream calls, with arguments
exit codes: 0 ended by Ctrl-C; 1 Headgate did not start, or ended; 2 wrong use

examples:
  headgate filter run
  headgate filter run filters/auth --config auth.json --trace
  headgate filter run --upstream http://127.0.0.1:8080 --upstream auth=echo --port 0
`,
  async run(argv) {
    const { values, positionals } = parseFlags(argv, flags);
    const project = new Project(oneFolder(positionals));
    const port = values.port === undefined ? null : Number(values.port);
    if (!/^\d{1,5}$/.test(values.port ?? "0") || (port ?? 0) > 65_535) {
      throw new UsageError(`--port: found ${values.port}, expected a number from 0 to 65535`);
    }
    const upstreams = new Map((values.upstream ?? []).map(upstreamOf));
    const config = values.config === undefined ? null : resolve(values.config);
    if (config !== null) readInput(config, "--config");
    const wishes = { port, upstreams, config, trace: values.trace === true };
    return await new RunSession(await project.sdk(), project.folder, wishes).run();
  },
};

function upstreamOf(text: string): [string, UpstreamAddress | "echo"] {
  const [, cluster = "", target = ""] = /^(?:([^=/]+)=)?(.*)$/s.exec(text) ?? [];
  if (target === "echo") return [cluster, "echo"];
  const url = URL.parse(target);
  const isTls = url?.protocol === "https:";
  if (url === null || (!isTls && url.protocol !== "http:") || url.pathname !== "/") {
    const expected = "expected http://HOST:PORT, https://HOST or echo, after CLUSTER= or alone";
    throw new UsageError(`--upstream: found ${text}, ${expected}`);
  }
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  return [cluster, { host, port: Number(url.port || (isTls ? 443 : 80)), isTls }];
}

interface Wishes {
  readonly port: number | null;
  readonly upstreams: ReadonlyMap<string, UpstreamAddress | "echo">;
  /** A file; null = none. */
  readonly config: string | null;
  readonly trace: boolean;
}

/** To see what a save has changed. */
interface Served {
  readonly module: Buffer;
  readonly config: RunConfig;
}

interface Live {
  readonly headgate: LiveHeadgate;
  readonly admin: AdminClient;
  readonly echo: EchoUpstream;
}

class RunSession {
  readonly #sdk: SdkBuild;
  readonly #compiler: Compiler;
  readonly #folder: string;
  readonly #name: string;
  readonly #wishes: Wishes;
  readonly #envoyFile: string;
  #savedMs: number;
  #isServing: boolean;
  #isSaved: boolean;
  #isStopped: boolean;
  #wake: () => void;

  constructor(sdk: SdkBuild, folder: string, wishes: Wishes) {
    this.#sdk = sdk;
    this.#compiler = new sdk.ResidentAsc();
    this.#folder = folder;
    this.#name = sdk.filterName(folder);
    this.#wishes = wishes;
    this.#envoyFile = join(folder, "envoy.yaml");
    this.#savedMs = performance.now();
    this.#isServing = false;
    this.#isSaved = false;
    this.#isStopped = false;
    this.#wake = () => {};
  }

  /** Until somebody ends it, or Headgate ends. */
  async run(): Promise<number> {
    const stop = (): void => {
      this.#isStopped = true;
      this.#wake();
    };
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, stop);
    const unwatch = this.#watch();
    const echo = await EchoUpstream.start();
    try {
      let config: RunConfig | null = null;
      do {
        const module = await this.#build();
        config = module === null ? null : await this.#configOf(module, echo);
      } while (config === null && (await this.#saved()));
      if (config === null) return ExitCode.Done;
      if (!(await isFree(config.port))) {
        const why = `port ${config.port} is in use: --port 0 takes one that is free`;
        process.stderr.write(`headgate: ${why}\n`);
        return ExitCode.Refused;
      }
      return await this.#serve(config, echo);
    } finally {
      unwatch();
      echo.close();
      this.#compiler.stop();
    }
  }

  async #serve(config: RunConfig, echo: EchoUpstream): Promise<number> {
    const trace = this.#wishes.trace ? config.plugin : "";
    const headgate = new LiveHeadgate(config, trace, this.#folder);
    this.#isServing = true;
    // Meanwhile, so that the first save need not warm the compiler up.
    const options = { resident: this.#compiler };
    this.#sdk.checkFilter(this.#folder, options).catch(() => {});
    let served: Served = { module: this.#module(), config };
    const ended = headgate.ended.then(() => this.#wake());
    const live = await headgate.serving(config.listener);
    if (live === null) return ExitCode.Refused;
    for (const line of config.replaced) say(`cluster ${line}`);
    for (const name of config.kept) say(`cluster ${name}: as envoy.yaml says`);
    say(`${this.#name} serves on ${config.scheme}://${live.address}; Ctrl-C ends`);
    let isEnded = false;
    void headgate.ended.then(() => {
      isEnded = true;
    });
    while ((await this.#saved(ended)) && !isEnded) {
      served = await this.#swap({ headgate, admin: live.admin, echo }, served);
    }
    if (isEnded) return ExitCode.Refused;
    headgate.stop();
    await headgate.ended;
    return ExitCode.Done;
  }

  /** A module's path; null when it does not compile, which was told. */
  async #build(): Promise<string | null> {
    try {
      const options = { mode: "debug", resident: this.#compiler } as const;
      const work = this.#sdk.buildFilter(this.#folder, options);
      // Later a line of its own would stand in the way of the proxy's.
      const built = this.#isServing ? work : told(`compiling ${this.#name}`, work);
      return (await built).wasm;
    } catch (error) {
      // The SDK's own class, which no room knows.
      if (!(error instanceof Error) || !/^(Build|Asc)Error$/.test(error.name)) throw error;
      // A terminal's Ctrl-C has ended the compiler, too.
      if (this.#isStopped) return null;
      process.stderr.write(`${error.message}\n`);
      return null;
    }
  }

  /** What Headgate is to serve; null when envoy.yaml is wrong, which was told. */
  async #configOf(module: string, echo: EchoUpstream): Promise<RunConfig | null> {
    const { port, upstreams } = this.#wishes;
    const { httpPort, tcpPort } = echo;
    const ports = { httpPort, tcpPort };
    const name = this.#name;
    try {
      const configuration = this.#configuration();
      const changes = { name, module, configuration, port, upstreams, echo: ports };
      if (!existsSync(this.#envoyFile)) return this.#configWithout(changes);
      const found = await runConfigOf(await readRunConfig(shownPath(this.#envoyFile)), changes);
      if (found !== null) return found;
      say(`envoy.yaml has no filter of ${name}.wasm: there is the filter, and one upstream`);
      return this.#configWithout(changes);
    } catch (error) {
      // At the start it is the end; later it is told as what is wrong with envoy.yaml.
      if (error instanceof UsageError && !this.#isServing) throw error;
      process.stderr.write(`${(error as Error).message}\n`);
      return null;
    }
  }

  #configWithout({ name, module, configuration, port, upstreams, echo }: RunChanges): RunConfig {
    const other = upstreams.get("upstream") ?? upstreams.get("") ?? "echo";
    const isEcho = other === "echo";
    const isNetwork = isNetworkFilter(profileModule(readFileSync(module), module));
    const echoPort = isNetwork ? echo.tcpPort : echo.httpPort;
    const plan = {
      plugin: name,
      module,
      isNetwork,
      configuration: configuration ?? "",
      port: port ?? PORT,
      upstream: isEcho ? { host: "127.0.0.1", port: echoPort, isTls: false } : other,
      rewritesHost: !isEcho,
    };
    const scheme = isNetwork ? "tcp" : "http";
    const bootstrap = runBootstrap(plan);
    const told = {
      rest: "",
      configuration: Buffer.from(plan.configuration),
      replaced: [],
      kept: [],
    };
    const listener = "main";
    return { bootstrap, positions: null, plugin: name, listener, port: plan.port, scheme, ...told };
  }

  /** Sends what is new, all at once; what is served then. */
  async #swap({ headgate, admin, echo }: Live, served: Served): Promise<Served> {
    const savedMs = this.#savedMs;
    const took = (): string => `${Math.round(performance.now() - savedMs)} ms after the save`;
    const path = await this.#build();
    if (path === null && this.#isStopped) return served;
    if (path === null) {
      process.stderr.write("headgate: it does not compile: the version before serves on\n");
      return served;
    }
    const config = await this.#configOf(path, echo);
    if (config === null) say("the configuration before serves on");
    else headgate.read(config);
    const now = { module: this.#module(), config: config ?? served.config };
    if (now.config.rest !== served.config.rest) {
      const isDone = await headgate.reload(now.config, admin);
      if (isDone) say(`envoy.yaml read again ${took()}`);
      else process.stderr.write("headgate: refused, the configuration before serves on\n");
      return isDone ? now : served;
    }
    return (await this.#push({ headgate, admin }, served, now, took)) ? now : served;
  }

  async #push(
    { headgate, admin }: Pick<Live, "headgate" | "admin">,
    before: Served,
    { module, config }: Served,
    took: () => string,
  ): Promise<boolean> {
    const newModule = module.equals(before.module) ? null : module;
    const isTold = config.configuration.equals(before.config.configuration);
    const newConfiguration = isTold ? null : config.configuration;
    if (newModule === null && newConfiguration === null) return true;
    const kind = newModule === null ? "configuration" : "module";
    const what = newModule !== null && !isTold ? "module and configuration" : kind;
    const map = newModule === null ? null : mapBeside(this.#modulePath());
    const { body, contentType } = pushBody(newModule, newConfiguration, map);
    const target = pluginPath(config.plugin, kind, new URLSearchParams());
    const { status, body: text, json } = await admin.send("POST", target, body, contentType);
    if (status === 200) {
      const version = String(json?.["version"]);
      if (json?.["state"] !== "same") say(`${what} swapped ${took()}: version ${version}`);
      return true;
    }
    const problems = Array.isArray(json?.["problems"]) ? json["problems"].map(String) : [text];
    const lines = problems.map((one) => `  ${headgate.shown(one)}\n`).join("");
    process.stderr.write(`headgate: ${what} refused, the version before serves on:\n${lines}`);
    return false;
  }

  /** That of the last build. */
  #module(): Buffer {
    return readFileSync(this.#modulePath());
  }

  #modulePath(): string {
    return join(this.#folder, "build", `${this.#name}.debug.wasm`);
  }

  #configuration(): string | null {
    const { config } = this.#wishes;
    return config === null ? null : readInput(config, "--config").toString("utf8");
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
    for (const file of [this.#wishes.config, this.#envoyFile]) {
      if (file === null) continue;
      // Its folder: editors put another file in its place.
      const one = watch(dirname(file), (_, name) => {
        if (name === basename(file)) changed();
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
