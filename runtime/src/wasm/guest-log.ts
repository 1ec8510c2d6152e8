// Where guests' messages go: the process log, and while a plugin starts a list for its refusal.
import { LogLevel, type Logger } from "../core/logger.ts";

/** More lines than this of one start-up are not quoted, nor held back. */
const CAPTURED_LINES_MAX = 50;

/** A message that was held back. */
export interface HeldLine {
  readonly level: number;
  readonly prefix: string;
  readonly message: string;
}

export class GuestLog {
  readonly #logger: Logger;
  #captured: string[] | null = null;
  #held: HeldLine[] | null = null;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** A guest's message; `prefix` names its plugin. Levels of the ABI are the log's own. */
  write(level: number, prefix: string, message: string): void {
    if (this.#captured !== null && this.#captured.length < CAPTURED_LINES_MAX) {
      this.#captured.push(message);
    }
    if (!this.#logger.enabled(level as LogLevel)) return;
    if (this.#held !== null) {
      if (this.#held.length < CAPTURED_LINES_MAX) this.#held.push({ level, prefix, message });
      return;
    }
    const separator = prefix === "" ? "" : " ";
    this.#logger.log(level as LogLevel, `wasm log${separator}${prefix}: ${message}`);
  }

  /** Whether a message of this level goes anywhere. */
  wants(level: number): boolean {
    return this.#captured !== null || this.#logger.enabled(level as LogLevel);
  }

  /** What the host itself has to say about a VM. */
  host(level: LogLevel, message: string): void {
    if (this.#logger.enabled(level)) this.#logger.log(level, message);
  }

  /** The lowest level that is logged; 6 when nothing is. */
  get level(): number {
    for (let level: number = LogLevel.Trace; level < LogLevel.Off; level += 1) {
      if (this.#logger.enabled(level as LogLevel)) return level;
    }
    return LogLevel.Off;
  }

  startCapture(): void {
    this.#captured = [];
  }

  /** What guests say from now on is not written. */
  startHolding(): void {
    this.#held = [];
  }

  /** The messages since startHolding. */
  stopHolding(): readonly HeldLine[] {
    const lines = this.#held ?? [];
    this.#held = null;
    return lines;
  }

  writeHeld(lines: readonly HeldLine[]): void {
    for (const { level, prefix, message } of lines) this.write(level, prefix, message);
  }

  /** The messages since startCapture. */
  stopCapture(): readonly string[] {
    const lines = this.#captured ?? [];
    this.#captured = null;
    return lines;
  }
}
