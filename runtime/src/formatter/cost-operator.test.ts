import { expect, test } from "vitest";
import type { GuestCost } from "../core/guest-cost.ts";
import { Clock } from "../core/clock.ts";
import { StreamInfo } from "../core/stream-info.ts";
import { costOperator, versionOperator } from "./cost-operator.ts";
import { FormatContext } from "./format-context.ts";
import { parsePieces } from "./parse-format.ts";

function cost(pluginName: string, timeNs: number, nextCost: GuestCost | null): GuestCost {
  const pluginVersion = pluginName === "b:c" ? "" : "1f2e3d4c5b6a";
  return {
    pluginName,
    pluginVersion,
    fuel: 10,
    timeNs,
    hostcalls: 2,
    bytesCopied: 30,
    callouts: 1,
    nextCost,
  };
}

function valueOf(args: string, guestCost: GuestCost | null): unknown {
  const operator = costOperator(args);
  if (typeof operator === "string") return operator;
  const context = new FormatContext(new Clock());
  context.info = new StreamInfo();
  context.info.guestCost = guestCost;
  return operator(context);
}

test("costs of a plugin's filters are added, of those that are timed", () => {
  const chain = cost("a", 500.4, cost("b:c", -1, cost("a", -1, null)));
  expect(
    ["a:FUEL", "a:NS", "a:HOSTCALLS", "a:BYTES", "a:CALLOUTS"].map((args) => valueOf(args, chain)),
  ).toEqual([20, 500, 4, 60, 2]);
  // A name may have colons.
  expect([valueOf("b:c:FUEL", chain), valueOf("b:c:NS", chain)]).toEqual([10, null]);
  expect([valueOf("none:FUEL", chain), valueOf("a:FUEL", null)]).toEqual([null, null]);
});

test("the version of a plugin is told, or that it has none", () => {
  const versionOf = (plugin: string, guestCost: GuestCost | null): unknown => {
    const operator = versionOperator(plugin);
    if (typeof operator === "string") return operator;
    const context = new FormatContext(new Clock());
    context.info = new StreamInfo();
    context.info.guestCost = guestCost;
    return operator(context);
  };
  const chain = cost("a", 1, cost("b:c", 1, null));
  expect(["a", "b:c", "none"].map((name) => versionOf(name, chain))).toEqual([
    "1f2e3d4c5b6a",
    null,
    null,
  ]);
  expect(versionOf("a", null)).toBe(null);
  expect(versionOf("", null)).toBe("expects PLUGIN, got nothing");
});

test.each(["", "a", ":FUEL", "a:fuel", "a:PAGES"])("the arguments (%s) are refused", (args) => {
  const parsed = parsePieces(`%HEADGATE_WASM_COST(${args})%`, "host");
  const found = args === "" ? "nothing" : args;
  expect(parsed).toEqual({
    message:
      "HEADGATE_WASM_COST expects PLUGIN:FIELD with a field of " +
      `FUEL, NS, HOSTCALLS, BYTES, CALLOUTS, got ${found}`,
    isUnimplemented: false,
  });
});
