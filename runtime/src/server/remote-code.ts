// Fetches wasm modules that configurations name by code.remote, in the main thread, over the
// clusters of the version that wants them. Asked by plugin-modules.ts.
import { createHash } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { limits } from "proxy-wasm-types";
import type { ClusterConfig, ClusterMembership, WasmRemoteCode } from "../config/snapshot.ts";
import { HeaderMap } from "../core/header-map.ts";
import { ModuleError } from "../module/module-error.ts";
import { AsyncClient } from "../upstream/async-client.ts";
import { ClusterManager } from "../upstream/cluster-manager.ts";
import type { UpstreamContext } from "../upstream/upstream-context.ts";

/** Modules that are kept, so that a reload does not fetch again what is pinned by its digest. */
const KEPT_MAX = 16;

/** The clusters of one version, while its modules are loaded. */
export class RemoteFetcher {
  readonly #manager: ClusterManager;
  readonly #client: AsyncClient;
  readonly #kept: Map<string, Buffer>;

  constructor(
    context: UpstreamContext,
    clusters: readonly ClusterConfig[],
    memberships: readonly ClusterMembership[],
    kept: Map<string, Buffer>,
  ) {
    // Gauges of clusters are those of what is in force: this one has none.
    this.#manager = new ClusterManager({ ...context, ownsClusterStats: false });
    this.#manager.commit(this.#manager.prepare(clusters, memberships));
    this.#client = new AsyncClient(this.#manager, context, limits.moduleBytesMax);
    this.#kept = kept;
  }

  /** Throws ModuleError, after so many retries as the configuration says. */
  async fetch(remote: WasmRemoteCode, sha256: string): Promise<Buffer> {
    const known = this.#kept.get(sha256);
    if (known !== undefined) return known;
    for (let tries = 0; ; tries += 1) {
      const outcome = await this.#get(remote);
      if (typeof outcome !== "string") {
        this.#keep(sha256, outcome);
        return outcome;
      }
      if (tries >= remote.retries) {
        throw new ModuleError(remote.uri, [`cannot be fetched from ${remote.cluster}: ${outcome}`]);
      }
      await delay(Math.min(remote.retryBaseMs * 2 ** tries, remote.retryMaxMs));
    }
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

  /** Only what is what it should be; the loader tells of the rest. */
  #keep(sha256: string, bytes: Buffer): void {
    if (createHash("sha256").update(bytes).digest("hex") !== sha256) return;
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
