// The codec of property paths takes what all SDKs send.
import { expect, test } from "vitest";
import { decodePropertyPath, encodePropertyPath, trimPropertyPath } from "./index.ts";

test("segments are joined by NUL and come back", () => {
  for (const segments of [["a"], ["request", "headers", "x-y"], ["a", "", "b"], ["a.b"]]) {
    expect(decodePropertyPath(encodePropertyPath(segments))).toEqual(segments);
  }
});

test("one NUL at the end, as the C++ SDK writes it, is no segment", () => {
  expect(decodePropertyPath("request\0path\0")).toEqual(["request", "path"]);
  expect(decodePropertyPath("request\0path\0\0")).toEqual(["request", "path", ""]);
  expect(trimPropertyPath("plugin_root_id\0")).toBe("plugin_root_id");
  expect(trimPropertyPath("plugin_root_id")).toBe("plugin_root_id");
});

test("an empty path has no segments", () => {
  expect(decodePropertyPath("")).toEqual([]);
  expect(decodePropertyPath("\0")).toEqual([]);
  expect(encodePropertyPath([])).toBe("");
});
