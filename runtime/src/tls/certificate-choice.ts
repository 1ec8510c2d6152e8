// Which of a chain's certificates a client gets, by its SNI: Envoy's order. Of those that fit by
// name OpenSSL takes the one whose key the client can use. Used by tls-server-context.ts.
import type { TlsCertificateConfig } from "../config/tls-config.ts";

type KeyType = TlsCertificateConfig["keyType"];

/** One certificate of each type of key, by their indexes in the configuration. */
export type CertificateSet = readonly number[];

const keyTypes: readonly KeyType[] = ["ec", "ed25519", "rsa"];

export class CertificateChoice {
  readonly #scansOnMismatch: boolean;
  readonly #byName: ReadonlyMap<string, CertificateSet>;
  /** The first of each type of key. */
  readonly #all: CertificateSet;
  /** A name has several types of key, and others than those that a client without a name gets. */
  readonly hasKindsByName: boolean;

  /** `certificates` has one at least. */
  constructor(
    certificates: readonly Pick<TlsCertificateConfig, "serverNames" | "keyType">[],
    scansOnMismatch: boolean,
  ) {
    this.#scansOnMismatch = scansOnMismatch;
    const names = new Set(certificates.flatMap(({ serverNames }) => serverNames.map(keyOf)));
    this.#byName = new Map(
      [...names].map((name) => [
        name,
        firstOfEachType(certificates, ({ serverNames }) => serverNames.map(keyOf).includes(name)),
      ]),
    );
    this.#all = firstOfEachType(certificates, () => true);
    const all = this.#all.join();
    const sets = [...this.#byName.values()];
    this.hasKindsByName = sets.some((set) => set.length > 1 && set.join() !== all);
  }

  /** All that find() may answer. */
  get sets(): CertificateSet[] {
    return [first, this.#all, ...this.#byName.values()];
  }

  /** "" = the client names no server. */
  find(serverName: string): CertificateSet {
    if (serverName === "") return this.#all;
    const name = serverName.toLowerCase();
    const exact = this.#byName.get(name);
    if (exact !== undefined) return exact;
    // "*.example" stands for one label: ".example" of "a.example".
    const dot = name.indexOf(".", 1);
    const wild = dot < 0 || dot === name.length - 1 ? undefined : this.#byName.get(name.slice(dot));
    return wild ?? (this.#scansOnMismatch ? this.#all : first);
  }
}

const first: CertificateSet = [0];

/** "*.example" is kept as ".example"; a "*" elsewhere matches nothing but itself. */
function keyOf(name: string): string {
  return name.startsWith("*.") ? name.slice(1) : name;
}

function firstOfEachType<T extends { readonly keyType: KeyType }>(
  certificates: readonly T[],
  fits: (certificate: T) => boolean,
): CertificateSet {
  return keyTypes
    .map((type) => certificates.findIndex((one) => one.keyType === type && fits(one)))
    .filter((index) => index >= 0);
}
