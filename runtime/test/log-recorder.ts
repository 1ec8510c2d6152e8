// Keeps log lines for the harness, guests' messages without the prefix that names their plugin.
import { LogLevel, type Logger, type LoggerFactory } from "../src/core/logger.ts";

export interface LogLine {
  readonly level: "trace" | "debug" | "info" | "warn" | "error" | "critical";
  /** Of a guest: its own words. Of the host: the whole line. */
  readonly message: string;
  /** A guest's message, not the host's. */
  readonly isGuests: boolean;
}

const LEVELS: readonly LogLine["level"][] = ["trace", "debug", "info", "warn", "error", "critical"];

export class LogRecorder implements LoggerFactory, Logger {
  readonly lines: LogLine[];
  readonly #level: number;

  /** The lowest level that is kept. */
  constructor(level: LogLine["level"] = "trace") {
    this.lines = [];
    this.#level = LEVELS.indexOf(level);
  }

  logger(): Logger {
    return this;
  }

  enabled(level: LogLevel): boolean {
    return level >= this.#level && level !== LogLevel.Off;
  }

  log(level: LogLevel, message: string): void {
    const guests = /^wasm log[^:]*: /.exec(message);
    this.lines.push({
      level: LEVELS[level] ?? "critical",
      message: guests === null ? message : message.slice(guests[0].length),
      isGuests: guests !== null,
    });
  }
}
