// Finds the frames of a guest in what proxies and runtimes print of a trap. Used by
// `headgate filter symbolicate`.

export interface BacktraceFrame {
  /** Of the function, imports first; -1 = the line does not tell. */
  readonly index: number;
  /** From the beginning of the module's file. */
  readonly offset: number;
}

interface Form {
  readonly pattern: RegExp;
  readonly frameOf: (match: RegExpExecArray) => BacktraceFrame;
}

const hex = (text: string | undefined): number => Number.parseInt(text ?? "", 16);

/** The more particular ones first. */
const forms: readonly Form[] = [
  {
    // Node.js and browsers: wasm://wasm/0a1b2c:wasm-function[42]:0x29e5
    pattern: /wasm-function\[(\d+)\]:0x([0-9a-f]+)/i,
    frameOf: ([, index, offset]) => ({ index: Number(index), offset: hex(offset) }),
  },
  {
    // Headgate's log: at name (function 42, 0x29e5)
    pattern: /\(function (\d+), 0x([0-9a-f]+)\)/i,
    frameOf: ([, index, offset]) => ({ index: Number(index), offset: hex(offset) }),
  },
  {
    // Where somebody replaced V8's own words: wasm://wasm/0a1b2c:1:10726, the column from 1 on.
    pattern: /wasm:\/\/[^\s:]*:1:(\d+)/,
    frameOf: ([, column]) => ({ index: -1, offset: Number(column) - 1 }),
  },
  {
    // Envoy and wasmtime: "  0:  0x29e5 - name".
    pattern: /(?:^|\s)\d+:\s+0x([0-9a-f]+)\b/i,
    frameOf: ([, offset]) => ({ index: -1, offset: hex(offset) }),
  },
  {
    // The end of a line that was cut out, or an offset alone: "0x29e5 - name", "offset 0x29e5".
    pattern: /(?:^|\soffset\s)\s*0x([0-9a-f]+)\b/i,
    frameOf: ([, offset]) => ({ index: -1, offset: hex(offset) }),
  },
];

/** Null = the line has none. */
export function frameIn(line: string): BacktraceFrame | null {
  for (const { pattern, frameOf } of forms) {
    const match = pattern.exec(line);
    if (match !== null) return frameOf(match);
  }
  return null;
}
