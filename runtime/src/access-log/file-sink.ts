// Where access-log lines go: files, standard output and error. One sink per path and thread; lines
// are gathered in memory and written asynchronously. Used by the loggers; opened, flushed and
// reopened by server/ through FileSinks.
import { closeSync, fstatSync, openSync, write, writeSync } from "node:fs";
import { writeLatin1 } from "../core/latin1.ts";
import { intervalTicks } from "../core/timer-wheel.ts";
import type { TickSource } from "../core/timer-wheel.ts";
import type { Counter, Gauge, StatsStore } from "../stats/store.ts";

/** Written when so much is gathered, or at the flush interval. */
const BUFFER_BYTES = 64 * 1024;
/** What may wait while the disk is busy; lines beyond it are dropped and counted. */
const BACKLOG_BYTES_MAX = 1024 * 1024;
/** Writes up to this size to a pipe are never mixed with another thread's (PIPE_BUF on Linux). */
const PIPE_WRITE_BYTES = 4096;
/** A pipe whose reader is slow is tried again after this time. */
const RETRY_MS = 10;

const STDOUT = 1;
const STDERR = 2;

/** The calls of node:fs that a sink makes; tests give slow and failing ones. */
export interface FileIo {
  open(path: string): number;
  close(file: number): void;
  isPipe(file: number): boolean;
  write(
    file: number,
    bytes: Buffer,
    offset: number,
    length: number,
    done: (error: NodeJS.ErrnoException | null, written: number) => void,
  ): void;
  writeSync(file: number, bytes: Buffer, offset: number, length: number): number;
}

export const nodeFileIo: FileIo = {
  open: (path) => openSync(path, "a", 0o644),
  close: (file) => closeSync(file),
  isPipe: (file) => fstatSync(file).isFIFO(),
  write: (file, bytes, offset, length, done) => write(file, bytes, offset, length, null, done),
  writeSync: (file, bytes, offset, length) => writeSync(file, bytes, offset, length, null),
};

/** Envoy's filesystem.* stats, and one of ours for lines that were dropped. */
export class FileStats {
  readonly writeBuffered: Counter;
  readonly writeCompleted: Counter;
  readonly writeFailed: Counter;
  readonly flushedByTimer: Counter;
  readonly reopenFailed: Counter;
  readonly writeDropped: Counter;
  readonly writeTotalBuffered: Gauge;

  constructor(store: StatsStore) {
    this.writeBuffered = store.counter("filesystem.write_buffered");
    this.writeCompleted = store.counter("filesystem.write_completed");
    this.writeFailed = store.counter("filesystem.write_failed");
    this.flushedByTimer = store.counter("filesystem.flushed_by_timer");
    this.reopenFailed = store.counter("filesystem.reopen_failed");
    this.writeDropped = store.counter("filesystem.write_dropped");
    this.writeTotalBuffered = store.gauge("filesystem.write_total_buffered");
  }
}

/** Lines to one file. */
export class FileSink {
  readonly #path: string;
  readonly #io: FileIo;
  readonly #stats: FileStats;
  readonly #onWritten: (error: NodeJS.ErrnoException | null, written: number) => void;
  readonly #retry: () => void;
  #file: number;
  #writeBytesMax: number;
  /** A file that was replaced while a write to it was on its way; -1 = none. */
  #oldFile: number = -1;
  /** Lines are gathered here ... */
  #gathering: Buffer;
  #gathered: number = 0;
  /** ... while this one is being written. */
  #writing: Buffer;
  #writeAt: number = 0;
  #writeEnd: number = 0;
  #isWriting: boolean = false;
  #onIdle: (() => void) | null = null;

  /** Throws when the file cannot be opened: a fault of the configuration. */
  constructor(path: string, io: FileIo, stats: FileStats) {
    this.#path = path;
    this.#io = io;
    this.#stats = stats;
    this.#onWritten = (error, written): void => this.#wrote(error, written);
    this.#retry = (): void => this.#writeSome();
    this.#file = standardFileOf(path) ?? io.open(path);
    this.#writeBytesMax = writeBytesMaxOf(io, this.#file);
    this.#gathering = Buffer.allocUnsafeSlow(BUFFER_BYTES);
    this.#writing = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  }

  /** Adds a line with its line feed: latin1 text, one character a byte. */
  write(line: string): void {
    const length = line.length;
    if (this.#gathered + length > this.#gathering.length && !this.#makeRoom(length)) {
      this.#stats.writeDropped.inc();
      return;
    }
    writeLatin1(this.#gathering, line, this.#gathered);
    this.#gathered += length;
    this.#stats.writeBuffered.inc();
    this.#stats.writeTotalBuffered.add(length);
  }

  /** Starts writing what is gathered; does nothing while a write is on its way. */
  flush(): void {
    if (this.#isWriting || this.#gathered === 0) return;
    const full = this.#gathering;
    this.#gathering =
      this.#writing.length === BUFFER_BYTES ? this.#writing : Buffer.allocUnsafeSlow(BUFFER_BYTES);
    this.#writing = full;
    this.#writeAt = 0;
    this.#writeEnd = this.#gathered;
    this.#gathered = 0;
    this.#isWriting = true;
    this.#writeSome();
  }

  /** Called once a flush interval. */
  flushByTimer(): void {
    if (this.#isWriting || this.#gathered === 0) return;
    this.#stats.flushedByTimer.inc();
    this.flush();
  }

  /** Calls back when everything gathered so far is written (or has failed). */
  drain(onIdle: () => void): void {
    this.flush();
    if (this.#isWriting) this.#onIdle = onIdle;
    else onIdle();
  }

  /**
   * Writes what is gathered before returning, for the end of the process. What an asynchronous
   * write has under way is left to it.
   */
  flushSync(): void {
    let at = 0;
    try {
      while (at < this.#gathered) {
        at += this.#io.writeSync(this.#file, this.#gathering, at, this.#gathered - at);
      }
      if (at > 0) this.#stats.writeCompleted.inc();
    } catch {
      this.#stats.writeFailed.inc();
    }
    this.#stats.writeTotalBuffered.add(-this.#gathered);
    this.#gathered = 0;
  }

  /** Opens the path anew (a rotated file); keeps the old file when that fails. */
  reopen(): void {
    if (standardFileOf(this.#path) !== null) return;
    try {
      const file = this.#io.open(this.#path);
      if (!this.#isWriting) this.#io.close(this.#file);
      else if (this.#oldFile === -1) this.#oldFile = this.#file;
      // The write on its way goes to #oldFile: what was opened in between has had no write yet.
      else this.#io.close(this.#file);
      this.#file = file;
      this.#writeBytesMax = writeBytesMaxOf(this.#io, file);
    } catch {
      this.#stats.reopenFailed.inc();
    }
  }

  /** Everything is written or given up; the sink must not be used any more. */
  close(): void {
    this.flushSync();
    if (standardFileOf(this.#path) === null && !this.#isWriting) this.#io.close(this.#file);
  }

  /** Room for `length` more bytes: by a write, or by a larger buffer while one is on its way. */
  #makeRoom(length: number): boolean {
    if (!this.#isWriting) this.flush();
    const needed = this.#gathered + length;
    if (needed <= this.#gathering.length) return true;
    if (needed > BACKLOG_BYTES_MAX) return false;
    const size = Math.min(BACKLOG_BYTES_MAX, Math.max(needed, this.#gathering.length * 2));
    const larger = Buffer.allocUnsafeSlow(size);
    this.#gathering.copy(larger, 0, 0, this.#gathered);
    this.#gathering = larger;
    return true;
  }

  #writeSome(): void {
    const file = this.#oldFile === -1 ? this.#file : this.#oldFile;
    let end = this.#writeEnd;
    if (end - this.#writeAt > this.#writeBytesMax) {
      const limit = this.#writeAt + this.#writeBytesMax;
      const lineEnd = this.#writing.lastIndexOf(0x0a, limit - 1) + 1;
      end = lineEnd > this.#writeAt ? lineEnd : limit;
    }
    this.#io.write(file, this.#writing, this.#writeAt, end - this.#writeAt, this.#onWritten);
  }

  #wrote(error: NodeJS.ErrnoException | null, written: number): void {
    if (error !== null && error.code === "EAGAIN") {
      setTimeout(this.#retry, RETRY_MS).unref();
      return;
    }
    if (error === null) {
      this.#stats.writeTotalBuffered.add(-written);
      this.#writeAt += written;
      if (this.#writeAt < this.#writeEnd) {
        this.#writeSome();
        return;
      }
      this.#stats.writeCompleted.inc();
    } else {
      this.#stats.writeFailed.inc();
      this.#stats.writeTotalBuffered.add(this.#writeAt - this.#writeEnd);
    }
    this.#finishWrite();
  }

  #finishWrite(): void {
    this.#isWriting = false;
    if (this.#oldFile !== -1) {
      this.#io.close(this.#oldFile);
      this.#oldFile = -1;
    }
    // What came meanwhile is written at once if it is much, or if somebody waits for it.
    if (this.#gathered >= BUFFER_BYTES || this.#onIdle !== null) this.flush();
    if (this.#isWriting) return;
    const onIdle = this.#onIdle;
    this.#onIdle = null;
    if (onIdle !== null) onIdle();
  }
}

export interface FileSinksOptions {
  /** Default 10000 (--file-flush-interval-msec). */
  readonly flushIntervalMs: number;
  readonly stats: FileStats;
  readonly ticks?: TickSource;
  readonly io?: FileIo;
}

/** The sinks of a thread, one per path. */
export class FileSinks {
  readonly #sinks: Map<string, FileSink>;
  readonly #io: FileIo;
  readonly #stats: FileStats;
  readonly #stopTicks: () => void;

  constructor(options: FileSinksOptions) {
    this.#sinks = new Map();
    this.#io = options.io ?? nodeFileIo;
    this.#stats = options.stats;
    const ticks = options.ticks ?? intervalTicks;
    this.#stopTicks = ticks.start(options.flushIntervalMs, () => {
      for (const sink of this.#sinks.values()) sink.flushByTimer();
    });
  }

  /**
   * The sink of a path, "/dev/stdout" and "/dev/stderr" included; throws when it cannot be opened.
   */
  get(path: string): FileSink {
    let sink = this.#sinks.get(path);
    if (sink === undefined) {
      sink = new FileSink(path, this.#io, this.#stats);
      this.#sinks.set(path, sink);
    }
    return sink;
  }

  /** For SIGUSR1 and /reopen_logs. */
  reopen(): void {
    for (const sink of this.#sinks.values()) sink.reopen();
  }

  flush(): void {
    for (const sink of this.#sinks.values()) sink.flush();
  }

  /** Calls back when all that is gathered is written: for a graceful end. */
  drain(onIdle: () => void): void {
    let open = this.#sinks.size;
    if (open === 0) onIdle();
    for (const sink of this.#sinks.values()) {
      sink.drain(() => {
        open -= 1;
        if (open === 0) onIdle();
      });
    }
  }

  /** For the end of the process when there is no time to wait. */
  flushSync(): void {
    for (const sink of this.#sinks.values()) sink.flushSync();
  }

  /** Flushes, closes all files and stops the timer. */
  close(): void {
    this.#stopTicks();
    for (const sink of this.#sinks.values()) sink.close();
    this.#sinks.clear();
  }
}

function standardFileOf(path: string): number | null {
  if (path === "/dev/stdout") return STDOUT;
  return path === "/dev/stderr" ? STDERR : null;
}

function writeBytesMaxOf(io: FileIo, file: number): number {
  return io.isPipe(file) ? PIPE_WRITE_BYTES : BACKLOG_BYTES_MAX;
}
