// Which functions of a guest were running when it was stopped, read from V8's error.
import { type CodeMap, originalOffset } from "./code-map.ts";
import { demangle } from "./demangle.ts";
import { TRAP_MODULE_NAME } from "./helper-modules.ts";

export interface GuestFrame {
  /** Of the name section, as people wrote it; "" = it has none. */
  readonly name: string;
  /** Of the function, imports first. */
  readonly index: number;
  /** Of the instruction, from the beginning of the module as it came. */
  readonly offset: number;
}

/** Frames that a line of the log has. Rust's panics take eight before they come to the guest. */
const FRAMES_MAX = 20;
/** Ours stand in between and below; V8 keeps 10 by default. */
const STACK_FRAMES = 32;
/** How frames of any module are told from ours. */
const MODULE_FRAME = "wasm://";
const FRAME = /at (?:(.*) \()?wasm:.*wasm-function\[(\d+)\]:0x([0-9a-f]+)/;

/** Has V8 keep enough frames of errors; once for the thread. */
export function keepFrames(): void {
  Error.stackTraceLimit = Math.max(Error.stackTraceLimit, STACK_FRAMES);
}

/** Where a guest was. V8 writes its text when it is asked for, and takes 0.1 ms for that. */
export class GuestStack {
  readonly #map: CodeMap;
  #error: Error | null;
  #frames: readonly GuestFrame[] = [];

  constructor(error: Error, map: CodeMap) {
    this.#error = error;
    this.#map = map;
  }

  /** Innermost first; empty = unknown. */
  get frames(): readonly GuestFrame[] {
    if (this.#error !== null) this.#frames = framesOf(this.#error, this.#map);
    this.#error = null;
    return this.#frames;
  }
}

/** Of an error that a guest's trap or stack overflow made, innermost first. */
export function framesOf(error: Error, map: CodeMap): GuestFrame[] {
  const frames: GuestFrame[] = [];
  for (const line of (error.stack ?? "").split("\n")) {
    if (frames.length === FRAMES_MAX) break;
    if (!line.includes(MODULE_FRAME) || line.includes(TRAP_MODULE_NAME)) continue;
    const [, name = "", index = "", offset = ""] = FRAME.exec(line) ?? [];
    if (index === "") continue;
    const at = originalOffset(map, Number.parseInt(offset, 16));
    frames.push({ name: demangle(name), index: Number(index), offset: at });
  }
  return frames;
}

/** `  at name (function 12, 0x1f3)`. */
export function frameText({ name, index, offset }: GuestFrame): string {
  return `  at ${name === "" ? "?" : name} (function ${index}, 0x${offset.toString(16)})`;
}
