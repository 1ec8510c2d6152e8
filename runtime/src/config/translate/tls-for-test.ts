// Certificates in files, and contexts that name them, for the tests of TLS in this folder.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeCertificate } from "../../../test/certificates.ts";
import type { CertificateRequest, TestCertificate } from "../../../test/certificates.ts";
import type { DownstreamTlsConfig, UpstreamTlsConfig } from "../tls-config.ts";
import { boot, cluster, clusterOf, listenerOf, problems, type } from "./bootstrap-for-test.ts";
import type { Fields, Parts } from "./bootstrap-for-test.ts";

const TLS = "envoy.extensions.transport_sockets.tls.v3";
export const DOWNSTREAM: string = `${TLS}.DownstreamTlsContext`;
export const UPSTREAM: string = `${TLS}.UpstreamTlsContext`;

/** Paths of the contexts in `chainOf` and `clusterWith`. */
export const CHAIN_TLS =
  "static_resources.listeners[0].filter_chains[0].transport_socket.typed_config";
export const CLUSTER_TLS = "static_resources.clusters[0].transport_socket.typed_config";

/** A folder with certificates; `remove` when done. */
export class CertificateFiles {
  readonly folder: string;
  readonly #made: Map<string, TestCertificate>;

  constructor() {
    this.folder = mkdtempSync(join(tmpdir(), "headgate-tls-"));
    this.#made = new Map();
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  /** `name.pem` and `name.key`. */
  async make(name: string, request?: CertificateRequest): Promise<TestCertificate> {
    const made = await makeCertificate(name, request);
    this.#made.set(name, made);
    this.write(`${name}.pem`, made.chainPem);
    this.write(`${name}.key`, made.keyPem);
    return made;
  }

  get(name: string): TestCertificate {
    return this.#made.get(name) as TestCertificate;
  }

  write(name: string, content: string | Uint8Array): string {
    writeFileSync(this.path(name), content);
    return this.path(name);
  }

  /** A DataSource. */
  file(name: string): Fields {
    return { filename: this.path(name) };
  }

  /** A TlsCertificate. */
  pair(name: string, key: string = name): Fields {
    return { certificate_chain: this.file(`${name}.pem`), private_key: this.file(`${key}.key`) };
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** The parts of `boot` with a DownstreamTlsContext in the chain. */
export function chainOf(common: Fields, more: Fields = {}): Parts {
  const typed = { ...type(DOWNSTREAM), common_tls_context: common, ...more };
  return { chain: { transport_socket: { name: "tls", typed_config: typed } } };
}

export function clusterWith(more: Fields): Fields {
  return { transport_socket: { name: "tls", typed_config: { ...type(UPSTREAM), ...more } } };
}

export async function downstreamOf(
  common: Fields,
  more: Fields = {},
): Promise<DownstreamTlsConfig> {
  const listener = await listenerOf(chainOf(common, more));
  return listener.filterChains[0]?.tls as DownstreamTlsConfig;
}

export async function upstreamOf(more: Fields): Promise<UpstreamTlsConfig> {
  const { transportSockets } = await clusterOf(clusterWith(more));
  const socket = transportSockets[0]?.socket;
  if (socket?.kind !== "tls") throw new Error("found no TLS in the cluster");
  return socket.tls;
}

/** What is wrong with a DownstreamTlsContext, by paths below it. */
export async function downstreamProblems(common: Fields, more: Fields = {}): Promise<string[]> {
  return below(CHAIN_TLS, await problems(boot(chainOf(common, more))));
}

export async function upstreamProblems(more: Fields): Promise<string[]> {
  return below(CLUSTER_TLS, await problems(boot({ clusters: [cluster(clusterWith(more))] })));
}

function below(path: string, found: readonly string[]): string[] {
  return found.map((text) => (text.startsWith(path) ? text.slice(path.length) : text));
}
