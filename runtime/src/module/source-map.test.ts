// Source maps of wasm modules: one line of segments whose columns are offsets.
import { expect, test } from "vitest";
import { SourceMap, SourcesError } from "./source-map.ts";

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

function vlq(value: number): string {
  let rest = value < 0 ? -value * 2 + 1 : value * 2;
  let text = "";
  do {
    const digit = rest % 32;
    rest = Math.floor(rest / 32);
    text += DIGITS[rest > 0 ? digit + 32 : digit];
  } while (rest > 0);
  return text;
}

/** Segments of absolute numbers: offset, source, line and column from 0 on; or the offset alone. */
function mapOf(segments: readonly (readonly number[])[], more: object = {}): string {
  const last = [0, 0, 0, 0, 0];
  const mappings = segments.map((segment) =>
    segment
      .map((value, field) => {
        const text = vlq(value - (last[field] as number));
        last[field] = value;
        return text;
      })
      .join(""),
  );
  const base = { version: 3, sources: ["a.ts", "~lib/b.ts"], names: ["n"] };
  return JSON.stringify({ ...base, mappings: mappings.join(","), ...more });
}

const map = new SourceMap(
  mapOf([[100, 0, 4, 2], [110, 1, 900, 10, 0], [120], [130, 0, 3, 0], [70_000, 0, 80_000, 300]]),
);

test("an offset is of the segment at it or before it", () => {
  expect(map.placeOf(100, 90)).toEqual({ file: "a.ts", line: 5, column: 3 });
  expect(map.placeOf(109, 90)).toEqual({ file: "a.ts", line: 5, column: 3 });
  expect(map.placeOf(110, 90)).toEqual({ file: "~lib/b.ts", line: 901, column: 11 });
  expect(map.placeOf(131, 90)).toEqual({ file: "a.ts", line: 4, column: 1 });
  expect(map.placeOf(1_000_000, 90)).toEqual({ file: "a.ts", line: 80_001, column: 301 });
});

test("what the compiler made itself is of the last segment with a source", () => {
  expect(map.placeOf(125, 90)).toEqual({ file: "~lib/b.ts", line: 901, column: 11 });
});

test("a function before which the segment stands has no place, and so has what is before all", () => {
  expect(map.placeOf(125, 115)).toBeNull();
  expect(map.placeOf(99, 0)).toBeNull();
  expect(new SourceMap(mapOf([])).placeOf(5, 0)).toBeNull();
});

test("a root that nobody has, and other lines, are of no account", () => {
  const { mappings } = JSON.parse(mapOf([[1, 0, 0, 0]])) as { mappings: string };
  const rooted = mapOf([], { sourceRoot: "./a", mappings: `${mappings};AAAA` });
  expect(new SourceMap(rooted).placeOf(1, 0)?.file).toBe("a.ts");
});

test.each([
  ["{", /JSON/],
  ["7", /found version undefined, expected 3/],
  [mapOf([], { version: 2 }), /found version 2, expected 3/],
  [mapOf([], { sources: null }), /sources are missing/],
  [mapOf([], { mappings: 1 }), /mappings are missing/],
  [mapOf([], { mappings: "AA!A" }), /mappings are damaged at 2/],
  [mapOf([], { mappings: "AAA\u00e9" }), /mappings are damaged at 3/],
  [mapOf([], { mappings: "ggggggggA" }), /mappings are damaged at 7/],
  [mapOf([[1, 2, 0, 0]]), /mappings name source 2, found 2/],
])("what is no source map is refused: %s", (text, reason) => {
  expect(() => new SourceMap(text)).toThrow(SourcesError);
  expect(() => new SourceMap(text)).toThrow(reason);
});
