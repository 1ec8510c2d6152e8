// Fetches wasm modules that configurations name by code.remote, in the main thread, over the
// clusters of the version that wants them. Asked by plugin-modules.ts.
import { createHash } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { limits } from "proxy-wasm-types";
import { shownUri } from "../config/code-name.ts";
import type { ClusterConfig, ClusterMembership, WasmRemoteCode } from "../config/snapshot.ts";
import { jitteredBackOffMs } from "../core/back-off.ts";
import { HeaderMap } from "../core/header-map.ts";
import type { Random } from "../core/random.ts";
import { ModuleError } from "../module/module-error.ts";
import type { Counter, Gauge, StatsStore } from "../stats/store.ts";
import { AsyncClient } from "../upstream/async-client.ts";
import { ClusterManager } from "../upstream/cluster-manager.ts";
import type { UpstreamContext } from "../upstream/upstream-context.ts";

/** Modules that are kept, so that a reload does not fetch again what is pinned by its digest. */
const KEPT_MAX = 16;

/** Names as in Envoy; those of its cache mean nothing here. */
export class RemoteCodeStats {
  readonly successes: Counter;
  readonly failures: Counter;
  /** Plugins that are in force without a module. */
  readonly pending: Gauge;

  constructor(store: StatsStore) {
    this.successes = store.counter("wasm.remote_load_fetch_successes");
    this.failures = store.counter("wasm.remote_load_fetch_failures");
    this.pending = store.gauge("wasm.remote_load_pending");
  }
}

/** The module cannot be had now; that it is no good is another error. */
export class FetchError extends ModuleError {}

/** Module of a plugin that is in force without it. */
export interface MissingModule {
  readonly remote: WasmRemoteCode;
  readonly sha256: string;
}

/** The clusters of one version, while its modules are loaded. */
export class RemoteFetcher {
  readonly #manager: ClusterManager;
  readonly #client: AsyncClient;
  readonly #random: Random;
  readonly #kept: Map<string, Buffer>;
  readonly #stats: RemoteCodeStats;

  constructor(
    context: UpstreamContext,
    clusters: readonly ClusterConfig[],
    memberships: readonly ClusterMembership[],
    kept: Map<string, Buffer>,
    stats: RemoteCodeStats,
  ) {
    // Gauges of clusters are those of what is in force: this one has none.
    this.#manager = new ClusterManager({ ...context, ownsClusterStats: false });
    this.#manager.commit(this.#manager.prepare(clusters, memberships));
    this.#client = new AsyncClient(this.#manager, context, limits.moduleBytesMax);
    this.#random = context.random;
    this.#kept = kept;
    this.#stats = stats;
  }

  /** Throws FetchError, after so many retries as the configuration says. */
  async fetch(
    remote: WasmRemoteCode,
    sha256: string,
    retries: number = remote.retries,
  ): Promise<Buffer> {
    const known = this.kept(sha256);
    if (known !== null) return known;
    for (let tries = 0; ; tries += 1) {
      const outcome = await this.#tryOnce(remote, sha256);
      if (typeof outcome !== "string") {
        this.#stats.successes.inc();
        return outcome;
      }
      if (tries >= retries) {
        this.#stats.failures.inc();
        throw new FetchError(shownUri(remote.uri), [outcome]);
      }
      const { retryBaseMs, retryMaxMs } = remote;
      await delay(jitteredBackOffMs(retryBaseMs, tries, retryMaxMs, this.#random));
    }
  }

  /** What was fetched before; null = nobody has asked, or it was too long ago. */
  kept(sha256: string): Buffer | null {
    return this.#kept.get(sha256) ?? null;
  }

  /** As in Envoy another digest is a failure like others: the server may be behind. */
  async #tryOnce(remote: WasmRemoteCode, sha256: string): Promise<Buffer | string> {
    const outcome = await this.#get(remote);
    if (typeof outcome === "string") return `cannot be fetched from ${remote.cluster}: ${outcome}`;
    const found = createHash("sha256").update(outcome).digest("hex");
    if (found !== sha256) return `found sha256 ${found}, expected ${sha256}`;
    this.#keep(sha256, outcome);
    return outcome;
  }

  close(): void {
    this.#manager.close();
  }

  #get(remote: WasmRemoteCode): Promise<Buffer | string> {
    const { host, path } = partsOf(remote.uri);
    const headers = new HeaderMap();
    headers.method = "GET";
    headers.path = path;
    headers.authority = host;
    return new Promise((resolve) => {
      this.#client.send(remote.cluster, headers, null, null, remote.timeoutMs, {
        onSuccess: (answer, body) => {
          resolve(answer.status === 200 ? body : `found status ${answer.status}, expected 200`);
        },
        onFailure: (_failure, message) => resolve(message),
      });
    });
  }

  #keep(sha256: string, bytes: Buffer): void {
    this.#kept.set(sha256, bytes);
    if (this.#kept.size <= KEPT_MAX) return;
    const [oldest] = this.#kept.keys();
    if (oldest !== undefined) this.#kept.delete(oldest);
  }
}

/** As Envoy: a scheme is not needed, and does not choose the transport. */
function partsOf(uri: string): { readonly host: string; readonly path: string } {
  const rest = uri.replace(/^[a-z][a-z0-9+.-]*:\/\//i, "");
  const slash = rest.indexOf("/");
  return slash < 0
    ? { host: rest, path: "/" }
    : { host: rest.slice(0, slash), path: rest.slice(slash) };
}
