import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { MOVE_QUIET_MS, PathWatcher, WRITE_QUIET_MS } from "./path-watcher.ts";
import type { DirectoryEvents, FileSystemEvents, WatchedPath } from "./path-watcher.ts";

/** Time and a directory that are played by hand. */
class World implements FileSystemEvents {
  readonly identities = new Map<string, string>([
    ["/etc/x.yaml", "one"],
    ["/etc", "etc"],
    ["/data", "data"],
  ]);
  events: DirectoryEvents | null = null;
  watched = "";
  opened = 0;
  closed = 0;
  changes = 0;
  now = 0;
  #timer: { at: number; callback: () => void } | null = null;

  watcher(target: Partial<WatchedPath> = {}): PathWatcher {
    const whole = { path: "/etc/x.yaml", watchedDirectory: "", ...target };
    return new PathWatcher(whole, () => (this.changes += 1), this);
  }
  watchDirectory(path: string, events: DirectoryEvents): { close(): void } | null {
    if (!this.identities.has(path)) return null;
    this.watched = path;
    this.events = events;
    this.opened += 1;
    return { close: () => (this.closed += 1) };
  }
  identify(path: string): string | null {
    return this.identities.get(path) ?? null;
  }
  after(delayMs: number, callback: () => void): () => void {
    const timer = { at: this.now + delayMs, callback };
    this.#timer = timer;
    return () => {
      if (this.#timer === timer) this.#timer = null;
    };
  }
  nowMs(): number {
    return this.now;
  }
  /** The file is another one now. */
  become(identity: string): void {
    this.identities.set("/etc/x.yaml", identity);
  }
  pass(ms: number): void {
    this.now += ms;
    const timer = this.#timer;
    if (timer === null || timer.at > this.now) return;
    this.#timer = null;
    timer.callback();
  }
  get isWaiting(): boolean {
    return this.#timer !== null;
  }
}

test("a move is told once, after what belongs to it has followed", () => {
  const w = new World();
  w.watcher();
  expect(w.watched).toBe("/etc");
  w.become("two");
  w.events?.onEvent(true, "x.yaml.tmp");
  w.events?.onEvent(true, "x.yaml");
  w.pass(MOVE_QUIET_MS - 1);
  expect(w.changes).toBe(0);
  w.pass(1);
  expect(w.changes).toBe(1);
  expect(w.isWaiting).toBe(false);
});

test("who writes in place is waited for, but not for ever", () => {
  const w = new World();
  w.watcher();
  w.become("half");
  for (let i = 0; i < 3; i += 1) {
    w.events?.onEvent(false, "x.yaml");
    w.pass(WRITE_QUIET_MS - 1);
  }
  expect(w.changes).toBe(0);
  w.pass(1);
  expect(w.changes).toBe(1);
  for (let i = 0; i < 50; i += 1) {
    w.become(`more ${i}`);
    w.events?.onEvent(false, "x.yaml");
    w.pass(100);
  }
  expect(w.changes).toBeGreaterThan(1);
});

test("the same file again, another file, and one that is gone are no changes", () => {
  const w = new World();
  w.watcher();
  w.events?.onEvent(true, "x.yaml");
  w.pass(WRITE_QUIET_MS);
  w.events?.onEvent(false, "y.yaml");
  expect(w.isWaiting).toBe(false);
  w.identities.delete("/etc/x.yaml");
  w.events?.onEvent(true, "x.yaml");
  w.pass(WRITE_QUIET_MS);
  expect(w.changes).toBe(0);
  // It comes back as another one.
  w.become("two");
  w.events?.onEvent(true, "x.yaml");
  w.pass(WRITE_QUIET_MS);
  expect(w.changes).toBe(1);
});

test("a watched directory counts instead of the file's own", () => {
  const w = new World();
  w.watcher({ watchedDirectory: "/data" });
  expect(w.watched).toBe("/data");
  w.become("two");
  w.events?.onEvent(true, "..data");
  w.pass(MOVE_QUIET_MS);
  expect(w.changes).toBe(1);
});

test("a directory that is gone is looked for, and watched again when it is there", () => {
  const w = new World();
  w.watcher();
  w.identities.delete("/etc");
  w.identities.delete("/etc/x.yaml");
  w.events?.onLost();
  w.pass(MOVE_QUIET_MS);
  expect(w.opened).toBe(1);
  w.pass(1000);
  w.identities.set("/etc", "another");
  w.become("two");
  w.pass(1000);
  expect(w.opened).toBe(2);
  expect(w.changes).toBe(1);
});

test("nothing is told after close", () => {
  const w = new World();
  const watcher = w.watcher();
  w.become("two");
  w.events?.onEvent(true, "x.yaml");
  watcher.close();
  w.pass(WRITE_QUIET_MS);
  expect([w.changes, w.closed, w.isWaiting]).toEqual([0, 1, false]);
});

let folder = "";
let watchers: PathWatcher[] = [];

afterEach(() => {
  for (const watcher of watchers) watcher.close();
  watchers = [];
  if (folder !== "") rmSync(folder, { recursive: true, force: true });
  folder = "";
});

test("real files: mv, a write in place, and Kubernetes' switch of ..data", async () => {
  folder = mkdtempSync(join(tmpdir(), "headgate-watch-"));
  const inFolder = (name: string): string => join(folder, name);
  const put = (name: string, text: string): void => {
    mkdirSync(inFolder(name));
    writeFileSync(inFolder(`${name}/lds.yaml`), text);
  };
  put("..1", "one");
  symlinkSync("..1", inFolder("..data"));
  symlinkSync("..data/lds.yaml", inFolder("lds.yaml"));
  writeFileSync(inFolder("plain.yaml"), "one");
  let linked = 0;
  let plain = 0;
  const watch = (name: string, onChange: () => void): void => {
    const target = { path: inFolder(name), watchedDirectory: "" };
    watchers.push(new PathWatcher(target, onChange));
  };
  watch("lds.yaml", () => (linked += 1));
  watch("plain.yaml", () => (plain += 1));
  put("..2", "two");
  symlinkSync("..2", inFolder("..data_tmp"));
  renameSync(inFolder("..data_tmp"), inFolder("..data"));
  await vi.waitFor(() => expect(linked).toBe(1), 5000);
  writeFileSync(inFolder("plain.yaml"), "two");
  await vi.waitFor(() => expect(plain).toBe(1), 5000);
  writeFileSync(inFolder("new"), "three");
  renameSync(inFolder("new"), inFolder("plain.yaml"));
  await vi.waitFor(() => expect(plain).toBe(2), 5000);
  expect(linked).toBe(1);
});
