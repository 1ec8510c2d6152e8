import { expect, test } from "vitest";
import type { DynamicRouteTable, RouteTableConfig } from "../config/snapshot.ts";
import { Clock } from "../core/clock.ts";
import { HeaderMap } from "../core/header-map.ts";
import { Runtime } from "../core/runtime.ts";
import { RouteSlots } from "./route-slots.ts";

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

function entry(revision: number, config: RouteTableConfig | null): DynamicRouteTable {
  return { key: "k", revision, table: config };
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
  first.commit();
  expect(routed(first)).toBeNull();
  const second = new RouteSlots([entry(1, table("one"))], first, options);
  expect(second.get("k")).toBe(first.get("k"));
  expect(routed(first)).toBeNull();
  second.commit();
  expect([routed(first), routed(second)]).toEqual(["one", "one"]);
  expect(second.get("k")?.internalOnlyHeaders).toEqual(["x-one"]);
  // The same revision is not compiled again.
  const third = new RouteSlots([entry(1, table("other"))], second, options);
  third.commit();
  expect(routed(third)).toBe("one");
});
