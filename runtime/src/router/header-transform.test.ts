// Header additions and removals in the order in which Envoy 1.40 does them.
import { expect, test } from "vitest";
import type { HeaderAddConfig } from "../config/snapshot.ts";
import { Clock } from "../core/clock.ts";
import { HeaderMap } from "../core/header-map.ts";
import { StreamInfo } from "../core/stream-info.ts";
import { FormatContext } from "../formatter/format-context.ts";
import { HeaderTransform } from "./header-transform.ts";

function add(
  name: string,
  format: string,
  action: HeaderAddConfig["action"] = "append_if_exists_or_add",
  keepEmptyValue = false,
): HeaderAddConfig {
  return { name, format, action, keepEmptyValue };
}

/** Lines of a request that has `x-old: 1` once the transform was applied. */
function applied(adds: readonly HeaderAddConfig[], remove: readonly string[] = []): string[] {
  const headers = new HeaderMap();
  headers.append("x-old", "1");
  const context = new FormatContext(new Clock());
  context.set(new StreamInfo(), headers, null, null);
  HeaderTransform.compile(adds, remove, "h")?.apply(headers, context);
  return headers.serializeLines("").split("\r\n").slice(0, -1);
}

test("nothing to do is no transform", () => {
  expect(HeaderTransform.compile([], [], "h")).toBeNull();
});

test("removals come first, then what overwrites, then what is appended", () => {
  const adds = [add("x-a", "a"), add("x-b", "b", "overwrite_if_exists_or_add"), add("x-c", "c")];
  expect(applied(adds, ["x-old"])).toEqual(["x-b: b", "x-a: a", "x-c: c"]);
});

test("values are made before one is set", () => {
  const adds = [
    add("x-old", "2", "overwrite_if_exists_or_add"),
    add("x-copy", "%REQ(x-old)%"),
    add("x-new", "n", "add_if_absent"),
    add("x-new", "m", "add_if_absent"),
  ];
  expect(applied(adds)).toEqual(["x-old: 2", "x-copy: 1", "x-new: n", "x-new: m"]);
});

test.each([
  [add("x-old", "2"), ["x-old: 1", "x-old: 2"]],
  [add("x-old", "2", "add_if_absent"), ["x-old: 1"]],
  [add("x-old", "2", "overwrite_if_exists"), ["x-old: 2"]],
  [add("x-none", "2", "overwrite_if_exists"), ["x-old: 1"]],
  [add("x-none", "%REQ(x-absent)%"), ["x-old: 1"]],
  [add("x-none", "%REQ(x-absent)%", "append_if_exists_or_add", true), ["x-old: 1", "x-none: "]],
])("%o", (config, expected) => {
  expect(applied([config])).toEqual(expected);
});
