import { mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { TickSource } from "../core/timer-wheel.ts";
import { StatsStore } from "../stats/store.ts";
import { FileSinks, FileStats, nodeFileIo } from "./file-sink.ts";
import type { FileIo } from "./file-sink.ts";

let folder: string;
let store: StatsStore;
let stats: FileStats;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "headgate-log-"));
  store = new StatsStore({ slotsMax: 5000 });
  stats = new FileStats(store);
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

/** A timer that the test drives. */
class ManualTicks implements TickSource {
  tick: () => void = () => {};
  intervalMs = 0;
  start(intervalMs: number, tick: () => void): () => void {
    this.intervalMs = intervalMs;
    this.tick = tick;
    return (): void => {
      this.tick = (): void => {};
    };
  }
}

type Done = (error: NodeJS.ErrnoException | null, written: number) => void;

/** A disk that writes when it is told to. */
class SlowIo implements FileIo {
  written = "";
  isPipeFile = false;
  readonly closed: number[] = [];
  readonly pending: { file: number; text: string; done: Done }[] = [];
  nextFile = 10;
  openFails = false;

  open(): number {
    if (this.openFails) throw new Error("no such folder");
    this.nextFile += 1;
    return this.nextFile;
  }
  close(file: number): void {
    this.closed.push(file);
  }
  isPipe(): boolean {
    return this.isPipeFile;
  }
  write(file: number, bytes: Buffer, offset: number, length: number, done: Done): void {
    this.pending.push({ file, text: bytes.toString("latin1", offset, offset + length), done });
  }
  writeSync(_file: number, bytes: Buffer, offset: number, length: number): number {
    this.written += bytes.toString("latin1", offset, offset + length);
    return length;
  }
  /** Finishes the oldest write, after `count` bytes if given. */
  finish(count?: number): void {
    const { text, done } = this.pending.shift() as (typeof this.pending)[0];
    const written = count ?? text.length;
    this.written += text.slice(0, written);
    done(null, written);
  }
  fail(code: string): void {
    const { done } = this.pending.shift() as (typeof this.pending)[0];
    done(Object.assign(new Error(code), { code }), 0);
  }
}

function sinksWith(io: FileIo): { sinks: FileSinks; ticks: ManualTicks } {
  const ticks = new ManualTicks();
  return { sinks: new FileSinks({ flushIntervalMs: 10_000, stats, ticks, io }), ticks };
}

test("lines reach the file at the flush interval, bytes as they are", async () => {
  const path = join(folder, "a.log");
  const { sinks, ticks } = sinksWith(nodeFileIo);
  expect(ticks.intervalMs).toBe(10_000);
  const sink = sinks.get(path);
  expect(sinks.get(path)).toBe(sink);
  sink.write("one \u00e9\u00ff\n");
  sink.write("two\n");
  expect(readFileSync(path, "latin1")).toBe("");
  expect(stats.writeTotalBuffered.value).toBe(11);
  ticks.tick();
  await new Promise<void>((resolve) => sinks.drain(resolve));
  expect(readFileSync(path, "latin1")).toBe("one \u00e9\u00ff\ntwo\n");
  expect(stats.flushedByTimer.value).toBe(1);
  expect(stats.writeBuffered.value).toBe(2);
  expect(stats.writeCompleted.value).toBe(1);
  expect(stats.writeTotalBuffered.value).toBe(0);
  sinks.close();
});

test("two threads' sinks append whole lines to one file", async () => {
  const path = join(folder, "a.log");
  const both = [sinksWith(nodeFileIo).sinks, sinksWith(nodeFileIo).sinks];
  for (let i = 0; i < 3000; i += 1) {
    for (const [thread, sinks] of both.entries()) {
      sinks.get(path).write(`${thread} ${"x".repeat(90)} ${i}\n`);
    }
  }
  for (const sinks of both) await new Promise<void>((resolve) => sinks.drain(resolve));
  const lines = readFileSync(path, "latin1").trimEnd().split("\n");
  expect(lines.length).toBe(6000);
  expect(lines.every((line) => /^[01] x{90} \d+$/.test(line))).toBe(true);
  expect(stats.writeDropped.value).toBe(0);
  for (const sinks of both) sinks.close();
});

test("a full buffer is written at once, what comes meanwhile after it", () => {
  const io = new SlowIo();
  const { sinks } = sinksWith(io);
  const sink = sinks.get("/log");
  const line = `${"x".repeat(1023)}\n`;
  for (let i = 0; i < 64; i += 1) sink.write(line);
  expect(io.pending.length).toBe(0);
  sink.write("last\n");
  expect(io.pending.length).toBe(1);
  sink.flush();
  expect(io.pending.length).toBe(1);
  io.finish();
  expect(io.written).toBe(line.repeat(64));
  sink.flush();
  io.finish();
  expect(io.written).toBe(`${line.repeat(64)}last\n`);
});

test("a part that was written is followed by the rest", () => {
  const io = new SlowIo();
  const sink = sinksWith(io).sinks.get("/log");
  sink.write("abcdef\n");
  sink.flush();
  io.finish(2);
  io.finish(1);
  io.finish();
  expect(io.written).toBe("abcdef\n");
  expect(stats.writeCompleted.value).toBe(1);
});

test("lines beyond the backlog of a slow disk are dropped whole and counted", () => {
  const io = new SlowIo();
  const { sinks } = sinksWith(io);
  const sink = sinks.get("/log");
  const line = `${"y".repeat(1023)}\n`;
  for (let i = 0; i < 64 + 1024 + 10; i += 1) sink.write(line);
  expect(io.pending.length).toBe(1);
  expect(stats.writeDropped.value).toBe(10);
  while (io.pending.length > 0) io.finish();
  expect(io.written).toBe(line.repeat(64 + 1024));
  expect(stats.writeTotalBuffered.value).toBe(0);
  sink.write("again\n");
  sink.flush();
  io.finish();
  expect(io.written.endsWith("again\n")).toBe(true);
});

test("a line larger than a buffer is kept, one larger than the backlog is dropped", () => {
  const io = new SlowIo();
  const sink = sinksWith(io).sinks.get("/log");
  sink.write(`${"z".repeat(100_000)}\n`);
  sink.write(`${"z".repeat(2_000_000)}\n`);
  sink.flush();
  io.finish();
  expect(io.written.length).toBe(100_001);
  expect(stats.writeDropped.value).toBe(1);
});

test("a failed write is counted and does not stop the next", () => {
  const io = new SlowIo();
  const sink = sinksWith(io).sinks.get("/log");
  sink.write("lost\n");
  sink.flush();
  io.fail("ENOSPC");
  expect(stats.writeFailed.value).toBe(1);
  expect(stats.writeTotalBuffered.value).toBe(0);
  sink.write("kept\n");
  sink.flush();
  io.finish();
  expect(io.written).toBe("kept\n");
});

test("a pipe gets whole lines in writes that are never mixed, again when it was full", () => {
  vi.useFakeTimers();
  const io = new SlowIo();
  io.isPipeFile = true;
  const sink = sinksWith(io).sinks.get("/pipe");
  const line = `${"p".repeat(999)}\n`;
  for (let i = 0; i < 5; i += 1) sink.write(line);
  sink.flush();
  expect(io.pending[0]?.text).toBe(line.repeat(4));
  io.fail("EAGAIN");
  expect(io.pending.length).toBe(0);
  vi.advanceTimersByTime(10);
  io.finish();
  expect(io.pending[0]?.text).toBe(line);
  io.finish();
  expect(io.written).toBe(line.repeat(5));
  expect(stats.writeFailed.value).toBe(0);
  vi.useRealTimers();
});

test("after a rotation lines go to the new file", async () => {
  const path = join(folder, "a.log");
  const { sinks } = sinksWith(nodeFileIo);
  sinks.get(path).write("before\n");
  await new Promise<void>((resolve) => sinks.drain(resolve));
  renameSync(path, `${path}.1`);
  sinks.reopen();
  sinks.get(path).write("after\n");
  await new Promise<void>((resolve) => sinks.drain(resolve));
  expect(readFileSync(`${path}.1`, "latin1")).toBe("before\n");
  expect(readFileSync(path, "latin1")).toBe("after\n");
  sinks.close();
});

test("a write on its way ends in the old file, which is closed after it", () => {
  const io = new SlowIo();
  const { sinks } = sinksWith(io);
  const sink = sinks.get("/log");
  sink.write("a\n");
  sink.flush();
  sinks.reopen();
  sinks.reopen();
  expect(io.closed).toEqual([12]);
  expect(io.pending[0]?.file).toBe(11);
  io.finish();
  expect(io.closed).toEqual([12, 11]);
  sink.write("b\n");
  sink.flush();
  expect(io.pending[0]?.file).toBe(13);
});

test("a file that cannot be opened again is kept and counted", () => {
  const io = new SlowIo();
  const { sinks } = sinksWith(io);
  const sink = sinks.get("/log");
  io.openFails = true;
  sinks.reopen();
  expect(stats.reopenFailed.value).toBe(1);
  expect(io.closed).toEqual([]);
  sink.write("a\n");
  sink.flush();
  expect(io.pending[0]?.file).toBe(11);
});

test("a file that cannot be opened at first is an error of the configuration", () => {
  const { sinks } = sinksWith(nodeFileIo);
  expect(() => sinks.get(join(folder, "none", "a.log"))).toThrow("ENOENT");
  sinks.close();
});

test("the end of the process writes what is gathered", () => {
  const path = join(folder, "a.log");
  const { sinks } = sinksWith(nodeFileIo);
  sinks.get(path).write("last\n");
  sinks.flushSync();
  expect(readFileSync(path, "latin1")).toBe("last\n");
  sinks.close();
  expect(readFileSync(path, "latin1")).toBe("last\n");
});

test("standard output and error are files 1 and 2 and are never reopened or closed", () => {
  const io = new SlowIo();
  const { sinks } = sinksWith(io);
  sinks.get("/dev/stdout").write("o\n");
  sinks.get("/dev/stderr").write("e\n");
  sinks.flush();
  expect(io.pending.map((write) => write.file)).toEqual([1, 2]);
  sinks.reopen();
  io.finish();
  io.finish();
  sinks.close();
  expect(io.closed).toEqual([]);
  expect(io.nextFile).toBe(10);
});
