import { expect, test } from "vitest";
import type { DifferenceKind } from "../wasm/shadow/difference.ts";
import { DifferenceBook } from "./difference-book.ts";

function tell(book: DifferenceBook, plugin: string, version: string, kind: DifferenceKind): void {
  const request = { streamId: 1, method: "GET", path: "/" };
  book.take({ ...request, plugin, version, kind, primary: "a", shadow: "b" }, 7);
}

test("of each kind the first ones are kept, and of all the last hundred", () => {
  const book = new DifferenceBook();
  for (let i = 0; i < 9; i += 1) tell(book, "one", "v", "request_headers");
  tell(book, "one", "v", "close");
  tell(book, "one", "w", "close");
  const kinds = book.of("one").map(({ difference }) => difference.kind);
  expect(kinds.join(" ")).toBe("request_headers request_headers request_headers close close");
  book.forget("one", "v");
  expect(book.of("one")).toMatchObject([{ difference: { version: "w" }, timeMs: 7 }]);
  for (let i = 0; i < 200; i += 1) tell(book, "one", `v${i}`, "close");
  expect(book.of("one")).toHaveLength(100);
  expect(book.of("one")[0]?.difference.version).toBe("v100");
  for (let i = 0; i < 256; i += 1) tell(book, `plugin ${i}`, "v", "close");
  expect(book.of("one")).toEqual([]);
  expect(book.of("plugin 0")).toHaveLength(1);
});
