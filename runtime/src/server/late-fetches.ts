// Brings in modules that could not be fetched when their plugins came into force: asks for each
// again and again, ever more seldom, beside the changes of the configuration. version-applier.ts.
import { shownUri } from "../config/code-name.ts";
import { slowBackOffMs } from "../core/back-off.ts";
import { SystemRandom } from "../core/random.ts";
import type { Random } from "../core/random.ts";
import { FetchError } from "./remote-code.ts";
import type { MissingModule, RemoteFetcher } from "./remote-code.ts";

/** What later tries wait at most, whatever the policy says; a minute. */
const LATE_RETRY_MAX_MS = 60_000;

/** Asks for a missing module again and again, ever more seldom: one request at a time. */
class LateFetch {
  /** Proxies that started together should not ask together. */
  readonly #random: Random;
  readonly #missing: MissingModule;
  readonly #createFetcher: () => RemoteFetcher;
  readonly #onFetched: (uri: string) => void;
  #timer: NodeJS.Timeout | null = null;
  #tries: number = 0;
  #isClosed: boolean = false;

  constructor(
    missing: MissingModule,
    createFetcher: () => RemoteFetcher,
    onFetched: (uri: string) => void,
    random: Random,
  ) {
    this.#random = random;
    this.#missing = missing;
    this.#createFetcher = createFetcher;
    this.#onFetched = onFetched;
    this.#wait();
  }

  close(): void {
    this.#isClosed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  #wait(): void {
    const { retryBaseMs, retryMaxMs } = this.#missing.remote;
    const maxMs = Math.max(retryMaxMs, LATE_RETRY_MAX_MS);
    const waitMs = slowBackOffMs(retryBaseMs, this.#tries, maxMs, this.#random);
    this.#tries += 1;
    this.#timer = setTimeout(() => void this.#try(), waitMs);
  }

  async #try(): Promise<void> {
    const { remote, sha256 } = this.#missing;
    const fetcher = this.#createFetcher();
    try {
      await fetcher.fetch(remote, sha256, 0);
      if (!this.#isClosed) this.#onFetched(shownUri(remote.uri));
    } catch (error) {
      if (!(error instanceof FetchError)) throw error;
      if (!this.#isClosed) this.#wait();
    } finally {
      fetcher.close();
    }
  }
}

/** All modules that are missing in the version in force. */
export class LateFetches {
  readonly #random: Random;
  readonly #createFetcher: () => RemoteFetcher;
  readonly #onFetched: (uri: string) => void;
  /** By URI, cluster, policy and digest. */
  readonly #fetches: Map<string, LateFetch>;

  constructor(
    createFetcher: () => RemoteFetcher,
    onFetched: (uri: string) => void,
    random: Random = new SystemRandom(),
  ) {
    this.#random = random;
    this.#createFetcher = createFetcher;
    this.#onFetched = onFetched;
    this.#fetches = new Map();
  }

  /** These are missing now: one that was missing before goes on with its waiting. */
  follow(missing: readonly MissingModule[]): void {
    const wanted = new Map(missing.map((one) => [JSON.stringify([one.remote, one.sha256]), one]));
    for (const [key, fetch] of this.#fetches) {
      if (wanted.has(key)) continue;
      fetch.close();
      this.#fetches.delete(key);
    }
    for (const [key, one] of wanted) {
      if (this.#fetches.has(key)) continue;
      const fetch = new LateFetch(one, this.#createFetcher, this.#onFetched, this.#random);
      this.#fetches.set(key, fetch);
    }
  }
}
