// Secrets that contexts name instead of holding them: those of the bootstrap by name, and what has
// to be asked for or watched so that one is there. Main thread only.
import type { ConfigNode } from "../config-node.ts";
import type { ConfigSourceConfig } from "../snapshot.ts";
import type { TlsSecret } from "../tls-config.ts";
import type { Translation } from "./translation.ts";

export type SecretKind = TlsSecret["kind"];

/** The field of a Secret message that holds one of that kind. */
export const secretFields: Readonly<Record<SecretKind, string>> = {
  certificate: "tls_certificate",
  validation: "validation_context",
  ticket_keys: "session_ticket_keys",
};

/** A secret that may become another one while its users stay as they are. */
export interface SecretNeed {
  /** Of DynamicSecret; the same for users that get the same secret. */
  readonly key: string;
  readonly kind: SecretKind;
  readonly origin: SecretOrigin;
}

export type SecretOrigin =
  | {
      readonly kind: "sds";
      readonly name: string;
      readonly source: ConfigSourceConfig;
      /** From a Secret of the right name. Null and problems when it cannot be used. */
      readonly read: (t: Translation, secret: ConfigNode) => SecretRead | null;
    }
  | {
      /** It stands in the configuration, and names files that are watched. */
      readonly kind: "files";
      readonly read: (t: Translation) => SecretRead | null;
    };

export interface SecretRead {
  readonly secret: TlsSecret;
  /** Files that announce another one. */
  readonly watched: readonly ConfigSourceConfig[];
}

/** static_resources.secrets. */
export class StaticSecrets {
  /** In their order, for /config_dump. */
  readonly nodes: readonly ConfigNode[];

  constructor(nodes: readonly ConfigNode[]) {
    this.nodes = nodes;
  }

  /** The content of the secret of that name and kind; null when there is none. */
  find(kind: SecretKind, name: string): ConfigNode | null {
    const field = secretFields[kind];
    const secret = this.nodes.find((node) => node.has(field) && node.string("name", "") === name);
    return secret?.node(field) ?? null;
  }

  /** Reports what is wrong with the list. What is wrong in a secret is said when it is used. */
  check(t: Translation): void {
    const seen = new Set<string>();
    for (const node of this.nodes) {
      const type = node.oneof("type");
      const name = node.string("name", "");
      if (type === undefined) {
        const expected = [...Object.values(secretFields), "generic_secret"].join(", ");
        t.wrong(node, `found a secret without a type, expected one of ${expected}`);
        continue;
      }
      const key = `${type} ${name}`;
      if (seen.has(key)) t.wrong(node, `duplicate static ${type} '${name}'`, "name");
      seen.add(key);
    }
  }

  /** Fields that nobody has read by now are of secrets that nobody uses. */
  acceptUnused(): void {
    for (const node of this.nodes) {
      node.accept(node.oneof("type") ?? "name", "no context uses it");
    }
  }
}
