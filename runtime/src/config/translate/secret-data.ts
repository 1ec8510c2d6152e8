// What a secret is made of: data from the configuration, and from files that may be watched. Shared
// by the readers of certificates, validation contexts and ticket keys.
import type { ConfigNode } from "../config-node.ts";
import type { ConfigSourceConfig } from "../snapshot.ts";
import { readWatchedDirectory } from "./config-source-reader.ts";
import { readDataSource } from "./data-source.ts";
import type { Translation } from "./translation.ts";

export const INLINE = "<inline>";

export interface SecretData {
  readonly bytes: Buffer;
  /** The file, or "<inline>". */
  readonly path: string;
}

export interface SecretIdentity {
  /** "" = it stands in the context. */
  readonly name: string;
  /** It came by SDS. */
  readonly isSds: boolean;
}

/** Reads the parts of one secret, and remembers which files announce another one. */
export class SecretParts {
  /** A change in one of them is a change of the secret; [] = nothing is watched. */
  readonly watched: ConfigSourceConfig[];
  /** Of the secret; "" = it has none. */
  readonly name: string;
  readonly #t: Translation;
  readonly #isSds: boolean;
  readonly #directory: string;

  /** `directory`: watched_directory of the secret. Files that SDS names are watched without it. */
  constructor(t: Translation, { name, isSds }: SecretIdentity, directory: string) {
    this.watched = [];
    this.name = name;
    this.#t = t;
    this.#isSds = isSds;
    this.#directory = directory;
  }

  /** Null when the field is not set, or with a problem. */
  read(node: ConfigNode, field: string): SecretData | null {
    const source = node.node(field);
    return source === undefined ? null : this.readSource(source);
  }

  /** Of a DataSource. Null and a problem when its data cannot be had. */
  readSource(source: ConfigNode): SecretData | null {
    const path = source.string("filename", "");
    const directory = readWatchedDirectory(this.#t, source) || this.#directory;
    if (path !== "" && (this.#isSds || directory !== "")) {
      this.watched.push({ path, watchedDirectory: directory });
    }
    const bytes = readDataSource(this.#t, source);
    if (bytes === null) return null;
    if (bytes.length === 0) {
      this.#t.wrong(source, "found nothing in it", source.oneof("specifier"));
      return null;
    }
    return { bytes, path: path === "" || this.#isSds ? INLINE : path };
  }
}

/** The blocks of a PEM text that have one of these labels. */
export function pemBlocks(text: string, ...labels: readonly string[]): string[] {
  const blocks: string[] = [];
  for (const match of text.matchAll(/-----BEGIN ([A-Z0-9 ]+)-----[\s\S]*?-----END \1-----/g)) {
    if (labels.includes(match[1] as string)) blocks.push(`${match[0]}\n`);
  }
  return blocks;
}

/** What OpenSSL says, without its numbers; nothing of what it was given is in it. */
export function opensslReason(error: unknown): string {
  const text = (error as Error).message;
  return text
    .replace(/^error:[0-9A-F]+:/, "")
    .replace(/^[^:]*:[^:]*:/, "")
    .trim();
}
