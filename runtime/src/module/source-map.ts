// Reads a source map of a wasm module (ECMA-426): one generated line, whose columns are offsets in
// the file. Used by source-places.ts.

export interface SourcePlace {
  readonly file: string;
  /** From 1 on, as is `column`. */
  readonly line: number;
  readonly column: number;
}

/** Answers for offsets in the module as it came. */
export interface SourcePlaces {
  /**
   * Null = not known. `from` is where the function begins: what stands before it says nothing about
   * it.
   */
  placeOf(offset: number, from: number): SourcePlace | null;
}

/** What should tell a module's sources is no good, and why. */
export class SourcesError extends Error {
  override readonly name = "SourcesError";
}

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const values: Int8Array = new Int8Array(128).fill(-1);
for (let i = 0; i < DIGITS.length; i += 1) values[DIGITS.charCodeAt(i)] = i;

/** Numbers of a segment that are kept: offset, source, line, column. */
const FIELDS = 4;

export class SourceMap implements SourcePlaces {
  readonly #sources: readonly string[];
  /** Segments that have a source, FIELDS numbers each, ascending by offset. */
  readonly #segments: Int32Array;

  /** Throws SourcesError. */
  constructor(text: string) {
    const { sources, mappings } = parse(text);
    this.#sources = sources;
    this.#segments = decode(mappings, sources.length);
  }

  /** The nearest segment before it: compilers leave out what they made themselves. */
  placeOf(offset: number, from: number): SourcePlace | null {
    const segments = this.#segments;
    let low = 0;
    let high = segments.length / FIELDS;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((segments[middle * FIELDS] as number) <= offset) low = middle + 1;
      else high = middle;
    }
    const at = (low - 1) * FIELDS;
    if (at < 0 || (segments[at] as number) < from) return null;
    return {
      file: this.#sources[segments[at + 1] as number] as string,
      line: (segments[at + 2] as number) + 1,
      column: (segments[at + 3] as number) + 1,
    };
  }
}

interface MapFields {
  readonly sources: readonly string[];
  readonly mappings: string;
}

/** The sources' root is left out: the AssemblyScript compiler makes one up, which is nowhere. */
function parse(text: string): MapFields {
  let value: unknown = null;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new SourcesError((error as Error).message);
  }
  const { version, sources, mappings } = (value ?? {}) as Record<string, unknown>;
  if (version !== 3) throw new SourcesError(`found version ${String(version)}, expected 3`);
  if (!Array.isArray(sources)) throw new SourcesError("sources are missing");
  if (typeof mappings !== "string") throw new SourcesError("mappings are missing");
  return { sources: sources.map(String), mappings };
}

/** Only the first line: a module has no others. */
function decode(mappings: string, sources: number): Int32Array {
  const found: number[] = [];
  // Offset, source, line, column: each as the difference to the segment before.
  const state: [number, number, number, number] = [0, 0, 0, 0];
  let field = 0;
  let number = 0;
  let shift = 0;
  const finish = (): void => {
    if (field >= FIELDS) found.push(...checked(state, sources));
    field = 0;
  };
  for (let i = 0; i < mappings.length; i += 1) {
    const code = mappings.charCodeAt(i);
    if (code === 0x2c || code === 0x3b) {
      finish();
      if (code === 0x3b) break;
      continue;
    }
    const digit = code < 128 ? (values[code] as number) : -1;
    if (digit < 0 || shift > 30) throw new SourcesError(`mappings are damaged at ${i}`);
    number += (digit & 31) * 2 ** shift;
    shift += 5;
    if (digit >= 32) continue;
    const half = Math.floor(number / 2);
    if (field < FIELDS) state[field] = (state[field] as number) + (number % 2 === 1 ? -half : half);
    field += 1;
    number = 0;
    shift = 0;
  }
  finish();
  return Int32Array.from(found);
}

function checked(segment: readonly number[], sources: number): readonly number[] {
  const [, source = -1] = segment;
  if (source >= 0 && source < sources) return segment;
  throw new SourcesError(`mappings name source ${source}, found ${sources}`);
}
