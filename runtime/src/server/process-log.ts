// The process log: Envoy's line format, or JSON of pino's; one per thread, written at once so that
// nothing is lost when a thread dies.
import { closeSync, openSync, writeSync } from "node:fs";
import { threadId } from "node:worker_threads";
import { pino } from "pino";
import { LogLevel } from "../core/logger.ts";
import type { Logger, LoggerFactory } from "../core/logger.ts";
import { compileTimeFormat } from "../formatter/time-format.ts";
import { levelNames, logComponents } from "./log-levels.ts";

export interface ProcessLogOptions {
  readonly level: LogLevel;
  /** Levels of single components. */
  readonly componentLevels: ReadonlyMap<string, LogLevel>;
  /** spdlog syntax, or "json" for pino's own lines. */
  readonly format: string;
  /** "" = standard error. */
  readonly path: string;
}

/** Writes one line; `component` is the logger's. */
type WriteRecord = (level: LogLevel, component: string, message: string) => void;

export class ProcessLog implements LoggerFactory {
  readonly #write: WriteRecord;
  readonly #target: LogTarget;
  readonly #loggers: Map<string, ComponentLogger>;
  #defaultLevel: LogLevel;

  /** Throws when the file cannot be opened. */
  constructor(options: ProcessLogOptions) {
    this.#target = new LogTarget(options.path);
    const write = (line: string): void => this.#target.write(line);
    const { format } = options;
    this.#write = format === "json" ? jsonWriter(write) : textWriter(format, write);
    this.#defaultLevel = options.level;
    this.#loggers = new Map();
    for (const component of logComponents) {
      const level = options.componentLevels.get(component) ?? options.level;
      this.#loggers.set(component, new ComponentLogger(component, level, this.#write));
    }
  }

  logger(component: string): Logger {
    let logger = this.#loggers.get(component);
    if (logger === undefined) {
      logger = new ComponentLogger(component, this.#defaultLevel, this.#write);
      this.#loggers.set(component, logger);
    }
    return logger;
  }

  /** Opens the file anew (it was rotated); goes on with the old one when that fails. */
  reopen(): void {
    this.#target.reopen();
  }

  /** Component names with their levels, sorted. */
  levels(): [string, LogLevel][] {
    const levels = [...this.#loggers].map(([name, l]): [string, LogLevel] => [name, l.level]);
    return levels.sort((a, b) => (a[0] < b[0] ? -1 : 1));
  }

  setLevel(component: string | null, level: LogLevel): void {
    if (component === null) this.#defaultLevel = level;
    for (const [name, logger] of this.#loggers) {
      if (component === null || component === name) logger.level = level;
    }
  }
}

class ComponentLogger implements Logger {
  readonly #component: string;
  readonly #write: WriteRecord;
  level: LogLevel;

  constructor(component: string, level: LogLevel, write: WriteRecord) {
    this.#component = component;
    this.#write = write;
    this.level = level;
  }

  enabled(level: LogLevel): boolean {
    return level >= this.level && level < LogLevel.Off;
  }

  log(level: LogLevel, message: string): void {
    if (this.enabled(level)) this.#write(level, this.#component, message);
  }
}

type Write = (line: string) => void;

/** A file that lines are appended to, or standard output or error. */
class LogTarget {
  readonly #path: string;
  #file: number;

  constructor(path: string) {
    this.#path = path === "/dev/stdout" || path === "/dev/stderr" ? "" : path;
    const standard = path === "/dev/stdout" ? 1 : 2;
    this.#file = this.#path === "" ? standard : openSync(path, "a", 0o644);
  }

  write(line: string): void {
    writeAll(this.#file, line);
  }

  reopen(): void {
    if (this.#path === "") return;
    try {
      const file = openSync(this.#path, "a", 0o644);
      closeSync(this.#file);
      this.#file = file;
    } catch (error) {
      writeAll(this.#file, `cannot reopen the log: ${(error as Error).message}\n`);
    }
  }
}

/** Standard error may be a full pipe: a log line is not worth a crash, so the rest is dropped. */
function writeAll(file: number, line: string): void {
  try {
    writeSync(file, line);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== "EAGAIN" && code !== "EPIPE") throw error;
  }
}

type PinoLevel = "trace" | "debug" | "info" | "warn" | "error" | "fatal";
const pinoLevels: readonly PinoLevel[] = ["trace", "debug", "info", "warn", "error", "fatal"];

/** What pino hands over for each line. */
interface PinoRecord {
  readonly level: number;
  readonly n: string;
  readonly msg: string;
}

function jsonWriter(write: Write): WriteRecord {
  const take = (json: string): void => {
    const record = JSON.parse(json) as PinoRecord;
    const level = levelNames[record.level / 10 - 1];
    const time = new Date().toISOString();
    const line = { time, thread: threadId, level, component: record.n, msg: record.msg };
    write(`${JSON.stringify(line)}\n`);
  };
  const logger = pino({ level: "trace", base: null, timestamp: false }, { write: take });
  return (level, component, message) => {
    logger[pinoLevels[level] as PinoLevel]({ n: component }, message);
  };
}

/** Of a line: what pieces of a format are made of. */
interface LineRecord {
  readonly level: LogLevel;
  readonly component: string;
  readonly message: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** Not through pino, whose JSON would be read back: ten times the work for long lines. */
function textWriter(format: string, write: Write): WriteRecord {
  const pieces = compileLogFormat(format);
  return (level, component, message) => {
    const record: LineRecord = { level, component, message, now: Date.now() };
    let line = "";
    for (const piece of pieces) line += typeof piece === "string" ? piece : piece(record);
    write(`${line}\n`);
  };
}

type LinePiece = string | ((record: LineRecord) => string);

/** The specifiers of spdlog that make sense here; the rest is left as it stands. */
function compileLogFormat(format: string): LinePiece[] {
  const pieces: LinePiece[] = [];
  for (const match of format.matchAll(/%(.)|[^%]+|%$/g)) {
    const spec = match[1];
    if (spec === undefined) pieces.push(match[0]);
    else pieces.push(logPiece(spec) ?? match[0]);
  }
  return pieces;
}

function logPiece(spec: string): LinePiece | null {
  switch (spec) {
    case "v":
    case "_":
    case "j":
      return (record) => record.message;
    case "n":
      return (record) => record.component;
    case "l":
      return (record) => levelNames[record.level] as string;
    case "L":
      return (record) => (levelNames[record.level] as string).charAt(0).toUpperCase();
    case "t":
      return String(threadId);
    case "P":
      return String(process.pid);
    case "e":
      return ({ now }) => String(now % 1000).padStart(3, "0");
    case "f":
      return ({ now }) => `${String(now % 1000).padStart(3, "0")}000`;
    case "g":
    case "s":
    case "#":
    case "@":
    case "!":
      return "";
    case "%":
      return "%";
    default: {
      const time = compileTimeFormat(`%${spec}`, true);
      return typeof time === "string" ? null : ({ now }): string => time(now);
    }
  }
}
