// Watches several files as one: those that make a secret together. Used by tls-secrets.ts.
import type { ConfigSourceConfig } from "../config/snapshot.ts";
import { PathWatcher } from "../xds/path-watcher.ts";

export class FileWatches {
  readonly #onChange: () => void;
  readonly #watchers: Map<string, PathWatcher>;

  constructor(onChange: () => void) {
    this.#onChange = onChange;
    this.#watchers = new Map();
  }

  /** Watches these and no others; answers whether some are new. */
  follow(files: readonly ConfigSourceConfig[]): boolean {
    const wanted = new Map(files.map((file) => [JSON.stringify(file), file]));
    for (const [key, watcher] of this.#watchers) {
      if (wanted.has(key)) continue;
      watcher.close();
      this.#watchers.delete(key);
    }
    let hasNew = false;
    for (const [key, file] of wanted) {
      if (this.#watchers.has(key)) continue;
      this.#watchers.set(key, new PathWatcher(file, this.#onChange));
      hasNew = true;
    }
    return hasNew;
  }

  close(): void {
    this.follow([]);
  }
}
