// Which streams are a canary's: the same answer for one stream in all workers and at all places of
// the plugin, without a word kept about it.
import type { HeaderMap } from "../core/header-map.ts";
import type { CandidateConfig, StickyKey } from "../config/snapshot.ts";

const ALL = 10_000;
const FNV_START = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

export class VersionChoice {
  readonly #config: CandidateConfig;
  /** Of the version's name: other clients are the next canary's. */
  readonly #salt: number;

  constructor(config: CandidateConfig) {
    this.#config = config;
    this.#salt = hashText(FNV_START, config.name);
  }

  /**
   * `id`: of the stream or connection. `clientIp`: "" = not known. `headers` null: there are none,
   * as of a connection.
   */
  isCanarys(id: number, clientIp: string, headers: HeaderMap | null): boolean {
    const { match, perTenThousand, sticky } = this.#config.share;
    if (match !== null) {
      const found = headers?.get(match.header);
      return found !== undefined && (match.value === null || match.value === found);
    }
    if (perTenThousand === 0 || perTenThousand >= ALL) return perTenThousand > 0;
    return mixed(this.#hash(sticky, id, clientIp, headers)) % ALL < perTenThousand;
  }

  /** A stream without the key stays with itself. */
  #hash(sticky: StickyKey, id: number, clientIp: string, headers: HeaderMap | null): number {
    if (sticky.kind === "client") {
      if (clientIp !== "") return hashText(this.#salt, clientIp);
    } else if (sticky.kind === "header") {
      const value = headers?.get(sticky.header);
      if (value !== undefined) return hashText(this.#salt, value);
    }
    return Math.imul(this.#salt ^ id, FNV_PRIME) ^ (id / 2 ** 32);
  }
}

/** FNV-1a. */
function hashText(start: number, text: string): number {
  let hash = start;
  for (let i = 0; i < text.length; i += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(i), FNV_PRIME);
  }
  return hash;
}

/** The end of MurmurHash3: ids that follow one another are far apart. Unsigned. */
function mixed(hash: number): number {
  let h = hash;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
