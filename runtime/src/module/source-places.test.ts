// Where a module's source map is found: named by the module, in it, or beside its file.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readModuleSources } from "./source-places.ts";
import { SourcesError } from "./source-map.ts";
import { constant, guestBuilder, op } from "./wasm-builder-for-test.ts";
import { readModule } from "./wasm-sections.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "headgate-places-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** A guest whose function 2 is of interest, which names its map so. */
function guest(url: string | null): Buffer {
  const builder = guestBuilder();
  builder.func({ code: [...constant(1), op.drop], exportAs: "f" });
  const text = Buffer.from(url ?? "");
  if (url !== null) builder.custom("sourceMappingURL", [text.length, ...text]);
  return builder.build();
}

/** All code before function 2 is line 1, from it on line 2 of the file. */
function mapFor(bytes: Buffer, file: string): string {
  const { start } = readModule(bytes).bodies[2] ?? { start: 0 };
  // "AAAA" is offset 0; then the difference, no other source, one line on, no column.
  const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const twice = start * 2;
  const offset = DIGITS.charAt((twice % 32) + 32) + DIGITS.charAt(Math.floor(twice / 32));
  return JSON.stringify({ version: 3, sources: [file], mappings: `AAAA,${offset}ACA` });
}

async function placeIn(bytes: Buffer, file: string, index = 2, delta = 1): Promise<string | null> {
  const sources = await readModuleSources(bytes, file);
  const { start } = readModule(bytes).bodies[index] ?? { start: 0 };
  return sources?.textOf(index, start + delta) ?? null;
}

/** Two bytes: from 128 to 16383. */
function lengthOf({ length }: { readonly length: number }): number[] {
  return [(length & 127) | 128, length >> 7];
}

test("the file beside the module, the one that it names, and what it holds itself", async () => {
  const file = join(folder, "a.wasm");
  writeFileSync(`${file}.map`, mapFor(guest(null), "beside.ts"));
  expect(await placeIn(guest(null), file)).toBe("beside.ts:2:1");
  const named = guest("./b.map");
  writeFileSync(join(folder, "b.map"), mapFor(named, "named.ts"));
  expect(await placeIn(named, file)).toBe("named.ts:2:1");
  const text = mapFor(guest(null), "held.ts");
  // The section stands behind the code: offsets stay.
  const held = guest(null);
  const section = Buffer.concat([Buffer.from([16]), Buffer.from("sourceMappingURL")]);
  for (const url of [
    `data:application/json,${encodeURIComponent(text)}`,
    `data:application/json;charset=utf-8;base64,${Buffer.from(text).toString("base64")}`,
  ]) {
    const contents = Buffer.concat([section, Buffer.from(lengthOf(url)), Buffer.from(url)]);
    const module = Buffer.concat([held, Buffer.from([0, ...lengthOf(contents)]), contents]);
    expect(await placeIn(module, "")).toBe("held.ts:2:1");
  }
});

test("an offset outside the function, or an import, has no place", async () => {
  const file = join(folder, "c.wasm");
  writeFileSync(`${file}.map`, mapFor(guest(null), "c.ts"));
  expect(await placeIn(guest(null), file, 2, 1000)).toBe("");
  expect(await placeIn(guest(null), file, 99, 1)).toBe("");
  // Function 1 begins behind the segment that covers it.
  expect(await placeIn(guest(null), file, 1, 1)).toBe("");
});

test("nothing is fetched, and without a map nothing is told", async () => {
  expect(await readModuleSources(guest("https://127.0.0.1:1/a.map"), "")).toBeNull();
  expect(await readModuleSources(guest(null), join(folder, "none.wasm"))).toBeNull();
  expect(await readModuleSources(guest("b.map"), "")).toBeNull();
});

test("a bad map is named", async () => {
  const file = join(folder, "d.wasm");
  writeFileSync(`${file}.map`, "{}");
  await expect(readModuleSources(guest(null), file)).rejects.toThrow(SourcesError);
  await expect(readModuleSources(guest(null), file)).rejects.toThrow(
    `${file}.map: found version undefined, expected 3`,
  );
});
