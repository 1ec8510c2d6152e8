// Tells when a file has become another one: moved into place, written anew, or reached by a link
// that was switched, as Kubernetes does. Used for xDS files, the bootstrap and modules.
import { realpathSync, statSync, watch } from "node:fs";
import { basename, dirname } from "node:path";

/** After a move: what else belongs to it follows at once. */
export const MOVE_QUIET_MS = 20;
/** After a write: whoever wrote may not be done. */
export const WRITE_QUIET_MS = 250;
/** However many events come, somebody looks after so long. */
const QUIET_MS_MAX = 2000;
/** A directory that is gone is looked for so often. */
const RETRY_MS = 1000;

/** What the system says; tests bring their own. */
export interface FileSystemEvents {
  /** Watches the entries of a directory; null when that is not possible (it is gone). */
  watchDirectory(path: string, events: DirectoryEvents): { close(): void } | null;
  /** Another text for another file or content; null when there is no file. */
  identify(path: string): string | null;
  /** Returns what cancels it. */
  after(delayMs: number, callback: () => void): () => void;
  nowMs(): number;
}

export interface DirectoryEvents {
  /** An entry was moved, made or removed (`isMove`), or written. "" = of unknown name. */
  onEvent(isMove: boolean, name: string): void;
  /** Nothing more comes. */
  onLost(): void;
}

export interface WatchedPath {
  readonly path: string;
  /** The directory whose events count; "" = the file's own. */
  readonly watchedDirectory: string;
}

/**
 * Envoy looks only when something is moved; here a file that is written in place counts, too, once
 * nobody has written for a while. A file that is not there is waited for.
 */
export class PathWatcher {
  readonly #target: WatchedPath;
  readonly #directory: string;
  readonly #system: FileSystemEvents;
  readonly #onChange: () => void;
  #watch: { close(): void } | null = null;
  #directoryIdentity: string | null = null;
  #identity: string | null;
  #cancel: (() => void) | null = null;
  /** When the first event came that nobody has looked at; null = none did. */
  #sinceMs: number | null = null;
  #quietMs: number;
  #isClosed: boolean = false;

  /** What the file is now is known to the caller. */
  constructor(target: WatchedPath, onChange: () => void, system: FileSystemEvents = nodeEvents) {
    this.#target = target;
    this.#directory = target.watchedDirectory || dirname(target.path);
    this.#system = system;
    this.#onChange = onChange;
    this.#identity = system.identify(target.path);
    this.#quietMs = MOVE_QUIET_MS;
    this.#open();
  }

  close(): void {
    this.#isClosed = true;
    this.#cancel?.();
    this.#watch?.close();
    this.#watch = null;
  }

  #open(): void {
    this.#watch?.close();
    this.#watch = null;
    if (this.#isClosed) return;
    this.#directoryIdentity = this.#system.identify(this.#directory);
    this.#watch = this.#system.watchDirectory(this.#directory, {
      onEvent: (isMove, name) => this.#onEvent(isMove, name),
      onLost: () => this.#onEvent(true, ""),
    });
    if (this.#watch === null) this.#lookAfter(RETRY_MS);
  }

  #onEvent(isMove: boolean, name: string): void {
    const isOurs = name === "" || name === basename(this.#target.path);
    if (!isMove && !isOurs && this.#target.watchedDirectory === "") return;
    const nowMs = this.#system.nowMs();
    this.#sinceMs ??= nowMs;
    if (!isMove) this.#quietMs = WRITE_QUIET_MS;
    this.#lookAfter(Math.max(0, Math.min(this.#quietMs, this.#sinceMs + QUIET_MS_MAX - nowMs)));
  }

  #lookAfter(delayMs: number): void {
    if (this.#isClosed) return;
    this.#cancel?.();
    this.#cancel = this.#system.after(delayMs, () => this.#look());
  }

  #look(): void {
    this.#cancel = null;
    this.#sinceMs = null;
    this.#quietMs = MOVE_QUIET_MS;
    const isSameDirectory = this.#system.identify(this.#directory) === this.#directoryIdentity;
    if (this.#watch === null || !isSameDirectory) this.#open();
    const identity = this.#system.identify(this.#target.path);
    if (identity === null || identity === this.#identity) return;
    this.#identity = identity;
    this.#onChange();
  }
}

const nodeEvents: FileSystemEvents = {
  watchDirectory(path, events) {
    try {
      const watcher = watch(path, { persistent: false }, (type, name) =>
        events.onEvent(type === "rename", name ?? ""),
      );
      watcher.on("error", () => {
        watcher.close();
        events.onLost();
      });
      return watcher;
    } catch {
      return null;
    }
  },
  identify(path) {
    try {
      const { ino, dev, mtimeNs, size, isDirectory } = describe(path);
      // What is in a directory says nothing about which one it is.
      return isDirectory ? `${dev}:${ino}` : `${dev}:${ino}:${mtimeNs}:${size}`;
    } catch {
      return null;
    }
  },
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    timer.unref();
    return (): void => clearTimeout(timer);
  },
  nowMs: () => Date.now(),
};

interface Description {
  readonly dev: bigint;
  readonly ino: bigint;
  readonly mtimeNs: bigint;
  readonly size: bigint;
  readonly isDirectory: boolean;
}

function describe(path: string): Description {
  const stats = statSync(realpathSync(path), { bigint: true });
  const { dev, ino, mtimeNs, size } = stats;
  return { dev, ino, mtimeNs, size, isDirectory: stats.isDirectory() };
}
