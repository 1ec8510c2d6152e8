// Watches the files of plugins' modules: those with a watched_directory, and all with
// --watch-modules. By default none: who copies a file over the old one may not want it loaded yet.
import type { WasmPluginConfig } from "../config/snapshot.ts";
import { PathWatcher } from "../xds/path-watcher.ts";

export class ModuleWatches {
  readonly #watchesAll: boolean;
  readonly #onChange: (filename: string) => void;
  /** By file and directory. */
  readonly #watchers: Map<string, PathWatcher>;

  constructor(watchesAll: boolean, onChange: (filename: string) => void) {
    this.#watchesAll = watchesAll;
    this.#onChange = onChange;
    this.#watchers = new Map();
  }

  /** These plugins are in force: their files are watched, and no others. */
  follow(plugins: readonly WasmPluginConfig[]): void {
    const wanted = new Set<string>();
    for (const { code } of plugins) {
      const { filename, watchedDirectory } = code;
      if (filename === "" || (watchedDirectory === "" && !this.#watchesAll)) continue;
      const key = JSON.stringify([filename, watchedDirectory]);
      wanted.add(key);
      if (this.#watchers.has(key)) continue;
      const target = { path: filename, watchedDirectory };
      this.#watchers.set(key, new PathWatcher(target, () => this.#onChange(filename)));
    }
    for (const [key, watcher] of this.#watchers) {
      if (wanted.has(key)) continue;
      watcher.close();
      this.#watchers.delete(key);
    }
  }

  close(): void {
    this.follow([]);
  }
}
