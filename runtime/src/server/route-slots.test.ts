import { expect, test } from "vitest";
import type { DynamicRouteTable, RouteTableConfig } from "../config/snapshot.ts";
import { Clock } from "../core/clock.ts";
import { HeaderMap } from "../core/header-map.ts";
import { Runtime } from "../core/runtime.ts";
import type { Plugin } from "../wasm/plugin.ts";
import { PluginHandle } from "./plugin-handle.ts";
import { RouteSlots } from "./route-slots.ts";
import type { RouteSlot } from "./route-slots.ts";

const options = { clock: new Clock(), hostname: "h", runtime: new Runtime() };
const headers = { requestAdd: [], requestRemove: [], responseAdd: [], responseRemove: [] };

function table(name: string): RouteTableConfig {
  const match = {
    path: { kind: "prefix", value: "/" },
    caseSensitive: true,
    headers: [],
    queryParameters: [],
    runtimeFractionPpm: 1_000_000,
    grpc: false,
  } as never;
  const action = { kind: "direct_response", status: 200, body: null, bodyFormat: null } as const;
  const route = { name, where: "", match, action, headers, perFilter: [] };
  return {
    name,
    virtualHosts: [
      {
        name: "all",
        domains: ["*"],
        routes: [route],
        requireTls: "none",
        headers,
        includeRequestAttemptCount: false,
        includeAttemptCountInResponse: false,
        perFilter: [],
      },
    ],
    headers,
    mostSpecificHeaderMutationsWins: false,
    ignorePortInHostMatching: false,
    internalOnlyHeaders: [`x-${name}`],
  };
}

function entry(
  revision: number,
  config: RouteTableConfig | null,
  variants: DynamicRouteTable["variants"] = [],
): DynamicRouteTable {
  return { key: "k", revision, table: config, variants };
}

function noPlugin(): never {
  throw new Error("the table has no plugins");
}

/** The name of the route that a request gets now. */
function routed(slots: RouteSlots): string | null {
  const request = new HeaderMap();
  request.append(":authority", "a");
  request.append(":path", "/");
  return slots.get("k")?.match(request, 0, null)?.name ?? null;
}

test("a slot stays over versions; commit puts another table into it, and nothing before does", () => {
  const first = new RouteSlots([entry(0, null)], null, options);
  first.commit(noPlugin);
  expect(routed(first)).toBeNull();
  const second = new RouteSlots([entry(1, table("one"))], first, options);
  expect(second.get("k")).toBe(first.get("k"));
  expect(routed(first)).toBeNull();
  second.commit(noPlugin);
  expect([routed(first), routed(second)]).toEqual(["one", "one"]);
  expect(second.get("k")?.internalOnlyHeaders).toEqual(["x-one"]);
  // The same revision is not compiled again.
  const third = new RouteSlots([entry(1, table("other"))], second, options);
  third.commit(noPlugin);
  expect(routed(third)).toBe("one");
});

test("plugins of a table live until another table or the last chain ends them", () => {
  const ended: string[] = [];
  const plugins = ["a", "b", "c"].map((name) => {
    const plugin = { drain: () => ended.push(name) } as unknown as Plugin;
    return new PluginHandle(name, { primary: { id: "1", plugin }, canaries: [], shadow: null });
  });
  const find = (index: number): PluginHandle => plugins[index] as PluginHandle;
  const variant = (plugin: number) => ({ filter: 0, own: {}, plugin });
  const first = new RouteSlots([entry(1, table("one"), [variant(0), variant(1)])], null, options);
  const slot = first.get("k") as RouteSlot;
  slot.hold();
  first.commit(find);
  expect(slot.variants).toEqual([plugins[0], plugins[1]]);
  // The table has not changed, but one of its plugins is another one.
  const second = new RouteSlots([entry(1, table("one"), [variant(2), variant(1)])], first, options);
  expect(ended).toEqual([]);
  second.commit(find);
  expect([slot.variants, ended]).toEqual([[plugins[2], plugins[1]], ["a"]]);
  slot.hold();
  slot.release();
  expect(ended).toEqual(["a"]);
  slot.release();
  expect(ended).toEqual(["a", "c", "b"]);
});
