// How a generated guest tells what it saw: each callback ends with a line in the host's log that holds
// its arguments and what each of its calls answered, as hexadecimal text between marks. reports.ts reads it.
import { constant, op, type WasmBuilder } from "../../runtime/src/module/wasm-builder-for-test.ts";

/** What a report begins with, wherever a host puts it in its log. */
export const REPORT_MARK = "~hgc:";
/** What it ends with. */
export const REPORT_END = "~";

/** Where the next byte goes. */
const CURSOR = 72;
/** Nanoseconds of the first report: tells the instances of one module apart. */
const INSTANCE = 80;
const DIGITS = 96;
const REPORT = 65_536;
const REPORT_BYTES_MAX = 60_000;
/** More of what a pointer shows is cut. */
const POINTED_BYTES_MAX = 2048;
const INSTANCE_DIGITS = 16;

const BLOCK = 0x02;
const LOOP = 0x03;
const IF = 0x04;
const ELSE = 0x05;
const BRANCH = 0x0c;
const BRANCH_IF = 0x0d;
const SELECT = 0x1b;
const LOCAL_SET = 0x21;
const LOAD_BYTE = 0x2d;
const STORE_BYTE = 0x3a;
const EQUALS_ZERO = 0x45;
const GREATER = 0x4b;
const SUBTRACT = 0x6b;
const AND = 0x71;
const OR = 0x72;
const SHIFT_RIGHT = 0x76;
const NO_RESULT = 0x40;

export interface ReportOptions {
  readonly tag: string;
  /** Index of proxy_log among the functions. */
  readonly log: number;
  /** Index of proxy_get_current_time_nanoseconds. */
  readonly time: number;
  /** The first address behind the memory. */
  readonly end: number;
}

/** Functions of the guest that write its reports; each method gives instructions that call one. */
export class ReportCode {
  readonly #char: number;
  readonly #hex: number;
  readonly #pointed: number;
  readonly #flush: number;

  constructor(builder: WasmBuilder, options: ReportOptions) {
    const prefix = `${REPORT_MARK}${options.tag}:`;
    const payload = REPORT + prefix.length + INSTANCE_DIGITS;
    builder.data(REPORT, [...Buffer.from(prefix)]);
    builder.data(DIGITS, [...Buffer.from("0123456789abcdef")]);
    builder.data(CURSOR, littleEndian(payload));
    this.#char = builder.func({ params: ["i32"], code: charCode() });
    this.#hex = builder.func({ params: ["i32", "i32"], code: this.#hexCode() });
    this.#pointed = builder.func({
      params: ["i32"],
      locals: ["i32", "i32"],
      code: this.#pointedCode(options.end),
    });
    this.#flush = builder.func({
      locals: ["i32"],
      code: this.#flushCode(options, REPORT + prefix.length, payload),
    });
  }

  char(text: string): number[] {
    return [...constant(text.charCodeAt(0)), op.call, this.#char];
  }

  hex(address: number, size: number): number[] {
    return [...constant(address), ...constant(size), op.call, this.#hex];
  }

  /** The bytes that a pointer and a size at an address show. */
  pointed(address: number): number[] {
    return [...constant(address), op.call, this.#pointed];
  }

  /** Ends the line and has it logged. */
  flush(): number[] {
    return [op.call, this.#flush];
  }

  #hexCode(): number[] {
    const digit = (shift: number[]): number[] =>
      joined(
        [...constant(DIGITS), op.localGet, 0, LOAD_BYTE, 0, 0, ...shift],
        [op.i32Add, LOAD_BYTE, 0, 0, op.call, this.#char],
      );
    return joined(
      [BLOCK, NO_RESULT, LOOP, NO_RESULT, op.localGet, 1, EQUALS_ZERO, BRANCH_IF, 1],
      digit([...constant(4), SHIFT_RIGHT]),
      digit([...constant(15), AND]),
      [op.localGet, 0, ...constant(1), op.i32Add, LOCAL_SET, 0],
      [op.localGet, 1, ...constant(1), SUBTRACT, LOCAL_SET, 1],
      [BRANCH, 0, op.end, op.end],
    );
  }

  /** "!" for what is not in memory. */
  #pointedCode(end: number): number[] {
    return joined(
      [op.localGet, 0, op.i32Load, 0, 0, LOCAL_SET, 1],
      [op.localGet, 0, op.i32Load, 0, 4, LOCAL_SET, 2],
      // The address is behind the end, or the size is more than there is behind the address.
      [op.localGet, 1, ...constant(end), GREATER],
      [op.localGet, 2, ...constant(end), op.localGet, 1, SUBTRACT, GREATER, OR],
      [IF, NO_RESULT, ...this.char("!"), ELSE],
      [op.localGet, 1, op.localGet, 2, ...constant(POINTED_BYTES_MAX)],
      [op.localGet, 2, ...constant(POINTED_BYTES_MAX), GREATER, EQUALS_ZERO, SELECT],
      [op.call, this.#hex, op.end],
    );
  }

  #flushCode({ log, time }: ReportOptions, digits: number, payload: number): number[] {
    const level = 5;
    return joined(
      [...load(INSTANCE), EQUALS_ZERO, IF, NO_RESULT],
      [...constant(INSTANCE), op.call, time, op.drop, op.end],
      this.char(REPORT_END),
      [...load(CURSOR), LOCAL_SET, 0],
      [...constant(CURSOR), ...constant(digits), op.i32Store, 0, 0],
      this.hex(INSTANCE, INSTANCE_DIGITS / 2),
      [...constant(CURSOR), ...constant(payload), op.i32Store, 0, 0],
      [...constant(level), ...constant(REPORT), op.localGet, 0, ...constant(REPORT), SUBTRACT],
      [op.call, log, op.drop],
    );
  }
}

/** What does not fit is left out; the reader misses the end mark then. */
function charCode(): number[] {
  return joined(
    [...load(CURSOR), ...constant(REPORT + REPORT_BYTES_MAX), GREATER, EQUALS_ZERO],
    [IF, NO_RESULT, ...load(CURSOR), op.localGet, 0, STORE_BYTE, 0, 0],
    [...constant(CURSOR), ...load(CURSOR), ...constant(1), op.i32Add, op.i32Store, 0, 0, op.end],
  );
}

/** One line of instructions after another. */
function joined(...lines: readonly (readonly number[])[]): number[] {
  return lines.flat();
}

export function load(address: number): number[] {
  return [...constant(address), op.i32Load, 0, 0];
}

export function littleEndian(value: number): number[] {
  return [value, value >>> 8, value >>> 16, value >>> 24].map((byte) => byte & 0xff);
}
