import { callbacks } from "proxy-wasm-types";
import { expect, test } from "vitest";
import type { GuestFunction } from "./guest-exports.ts";
import { guestMarkText, INITIALISATION_MARK, markFunction, pluginMark } from "./guest-mark.ts";

function markOf(...names: string[]): number {
  const callback: GuestFunction = () => 0;
  for (const name of names) markFunction(callback, name);
  return callback.mark as number;
}

test("names the plugin and the callback", () => {
  const text = guestMarkText(pluginMark("b"), markOf("proxy_on_tick"), ["a", "b"]);
  expect(text).toBe("plugin b, proxy_on_tick");
});

test("knows every callback of the ABI", () => {
  for (const { name } of callbacks) {
    expect(guestMarkText(pluginMark("p"), markOf(name), ["p"])).toBe(`plugin p, ${name}`);
  }
});

test("one function for two callbacks is neither", () => {
  const mark = markOf("proxy_on_request_body", "proxy_on_response_body");
  expect(guestMarkText(pluginMark("p"), mark, ["p"])).toBe("plugin p");
  const same = markOf("proxy_on_tick", "proxy_on_tick");
  expect(guestMarkText(pluginMark("p"), same, ["p"])).toBe("plugin p, proxy_on_tick");
});

test("says nothing without a guest, and what it can without a name", () => {
  expect(guestMarkText(0, 3, ["p"])).toBe("");
  expect(guestMarkText(pluginMark("gone"), 0, ["p"])).toBe("a plugin of another version");
  const start = markOf("_initialize");
  expect(guestMarkText(INITIALISATION_MARK, start, [])).toBe(
    "a guest's initialisation, _initialize",
  );
});

test("marks fit a cell and differ", () => {
  const names = Array.from({ length: 1000 }, (_, i) => `plugin-${i}`);
  const marks = names.map(pluginMark);
  expect(new Set(marks).size).toBe(1000);
  for (const mark of marks) expect(mark).toBe(mark | 0);
});
