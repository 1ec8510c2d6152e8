// The ways in which another module comes to a plugin; each waits for what becomes of it.
import { existsSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { bootstrap, socketAddress, wasmFilter } from "../bootstrap.ts";
import { HeadgateProcess } from "../headgate-process.ts";
import type { Scratch } from "../headgate-process.ts";
import { HttpUpstream } from "../upstreams.ts";
import { sha256Of } from "./modules.ts";

export const WAYS = ["push", "command", "move", "write", "link", "remote"] as const;
/**
 * push: the admin interface; command: headgate filter push; move, write, link: the watched file,
 * moved into place, written in place, or behind a link as Kubernetes switches it; remote: another
 * http_uri with its digest, and SIGHUP.
 */
export type Way = (typeof WAYS)[number];

/** The plugin "guest" of one process, whose module comes by one way. */
export class SwapRig {
  readonly #way: Way;
  readonly #scratch: Scratch;
  readonly #upstreamPort: number;
  /** What the server of remote modules has, by path. */
  readonly #remote: Map<string, Buffer>;
  readonly #store: HttpUpstream;
  #generation: number = 0;

  constructor(way: Way, scratch: Scratch, upstreamPort: number) {
    this.#way = way;
    this.#scratch = scratch;
    this.#upstreamPort = upstreamPort;
    this.#remote = new Map();
    this.#store = new HttpUpstream((request, response) => {
      const module = this.#remote.get(request.url ?? "");
      response.statusCode = module === undefined ? 404 : 200;
      response.end(module);
    });
  }

  async open(): Promise<void> {
    await this.#store.listen();
  }

  close(): void {
    this.#store.close();
  }

  get flags(): readonly string[] {
    const isFile = ["move", "write", "link"].includes(this.#way);
    return isFile ? ["--watch-modules"] : [];
  }

  /** The bootstrap whose plugin has this module. */
  config(module: Buffer): object {
    if (this.#way === "remote") return this.#remoteConfig(module);
    this.#put(module);
    return bootstrap({ upstreamPort: this.#upstreamPort, filters: [wasmFilter(this.#file)] });
  }

  /** True when it has come into force, false when it was refused. */
  async swap(headgate: HeadgateProcess, module: Buffer): Promise<boolean> {
    if (this.#way === "push") return await pushByAdmin(headgate, module);
    if (this.#way === "command") return await this.#pushByCommand(headgate, module);
    if (this.#way !== "remote") {
      return await outcomeOf(headgate, "wasm.module_update", () => this.#put(module));
    }
    return await outcomeOf(headgate, "server.reload", () => {
      this.#scratch.write("envoy.yaml", this.#remoteConfig(module));
      headgate.kill("SIGHUP");
    });
  }

  get #file(): string {
    return this.#scratch.path(this.#way === "link" ? "volume/guest.wasm" : "guest.wasm");
  }

  #put(module: Buffer): void {
    if (this.#way === "link") return this.#switchLink(module);
    if (this.#way === "write") return writeFileSync(this.#file, module);
    writeFileSync(this.#scratch.path("next.wasm"), module);
    renameSync(this.#scratch.path("next.wasm"), this.#file);
  }

  /** A volume as Kubernetes makes it: `..data` is a link to the folder of the day. */
  #switchLink(module: Buffer): void {
    const volume = this.#scratch.path("volume");
    const before = join(volume, `..day-${this.#generation}`);
    this.#generation += 1;
    const day = join(volume, `..day-${this.#generation}`);
    mkdirSync(day, { recursive: true });
    writeFileSync(join(day, "guest.wasm"), module);
    symlinkSync(`..day-${this.#generation}`, join(volume, "..next"));
    renameSync(join(volume, "..next"), join(volume, "..data"));
    if (!existsSync(this.#file)) symlinkSync("..data/guest.wasm", this.#file);
    rmSync(before, { recursive: true, force: true });
  }

  async #pushByCommand(headgate: HeadgateProcess, module: Buffer): Promise<boolean> {
    const path = this.#scratch.path("pushed.wasm");
    writeFileSync(path, module);
    const where = ["--admin", `http://${headgate.adminAddress}`, "--plugin", "guest", "--wait"];
    const command = new HeadgateProcess(["filter", "push", path, ...where]);
    const { code } = await command.exited;
    if (code === 0 || code === 1) return code === 0;
    throw new Error(`exit ${code}: ${command.output}`);
  }

  #remoteConfig(module: Buffer): object {
    const sha256 = sha256Of(module);
    const path = `/${sha256}.wasm`;
    this.#remote.set(path, module);
    const filter = wasmFilter("") as {
      typed_config: { config: { vm_config: { code: object } } };
    };
    const http_uri = { uri: `http://modules${path}`, cluster: "store", timeout: "5s" };
    filter.typed_config.config.vm_config.code = { remote: { http_uri, sha256 } };
    const config = bootstrap({ upstreamPort: this.#upstreamPort, filters: [filter] }) as {
      static_resources: { clusters: object[] };
    };
    const lb_endpoints = [{ endpoint: { address: socketAddress(this.#store.port) } }];
    const load_assignment = { cluster_name: "store", endpoints: [{ lb_endpoints }] };
    config.static_resources.clusters.push({ name: "store", type: "STATIC", load_assignment });
    return config;
  }
}

export async function pushByAdmin(headgate: HeadgateProcess, module: Buffer): Promise<boolean> {
  const url = `http://${headgate.adminAddress}/wasm/plugins/guest/module`;
  const answer = await fetch(url, { method: "POST", body: Buffer.from(module) });
  const text = await answer.text();
  if (answer.status === 200 || answer.status === 422) return answer.status === 200;
  throw new Error(`${answer.status} ${text}`);
}

/** Of the change that `cause` brings about, by its stats. */
async function outcomeOf(
  headgate: HeadgateProcess,
  stats: string,
  cause: () => void,
): Promise<boolean> {
  const read = async (): Promise<[number, number]> => [
    await headgate.stat(`${stats}_success`),
    await headgate.stat(`${stats}_rejected`),
  ];
  const [successes, rejections] = await read();
  cause();
  const isSuccess = await headgate.waitFor(async () => {
    const [now, refused] = await read();
    if (now > successes) return "yes";
    return refused > rejections ? "no" : undefined;
  }, `a change of ${stats}`);
  return isSuccess === "yes";
}
