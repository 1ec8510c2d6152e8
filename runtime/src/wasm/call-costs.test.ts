// What callbacks cost: counted by callback, with what the guest made the host do, and timed for some.
import { expect, test } from "vitest";
import { createFilterHost, type FilterHost } from "../../test/harness.ts";
import { defaultWasmPolicy } from "../config/wasm-policy.ts";
import { constant, guestBuilder, op } from "../module/wasm-builder-for-test.ts";
import { CallCosts, COST_CELLS, readCosts } from "./call-costs.ts";
import { scriptedHost } from "./guest-script-for-test.ts";
import { StreamSampler } from "./stream-sampler.ts";

/** Sets x-k to vv in each request, and does nothing with responses. */
function replacingHost(): Promise<FilterHost> {
  const five = ["i32", "i32", "i32", "i32", "i32"];
  const builder = guestBuilder((before) =>
    before.importFunction("env", "proxy_replace_header_map_value", five, ["i32"]),
  );
  builder.data(16, [...Buffer.from("x-kvv")]);
  const args = [0, 16, 3, 19, 2].flatMap((value) => constant(value));
  builder.func({
    params: ["i32", "i32", "i32"],
    results: ["i32"],
    code: [...args, op.call, 0, op.drop, ...constant(0)],
    exportAs: "proxy_on_request_headers",
  });
  return createFilterHost({ module: builder.build() });
}

test("calls, fuel, hostcalls and bytes of a callback are counted", async () => {
  const host = await replacingHost();
  for (let i = 0; i < 3; i += 1) host.request();
  const { all, byCallback, pages } = host.costs;
  const { fuel } = all;
  expect([...byCallback.keys()]).toEqual(["proxy_on_request_headers"]);
  expect(byCallback.get("proxy_on_request_headers")).toEqual(all);
  expect(all).toEqual({ calls: 3, fuel, ns: 0, hostcalls: 3, bytes: 15, callouts: 0 });
  // Each call takes the same.
  expect(fuel).toBeGreaterThan(0);
  expect(fuel % 3).toBe(0);
  expect(pages).toBe(1);
});

test("what starts cost, callouts, and callbacks that were stopped are counted, too", async () => {
  const script = [
    "request_headers http_call other :path=/,:method=GET,:authority=a body ~ 100",
    "response_headers loop",
  ];
  const fuel = { callback: 100_000, configure: 1_000_000, start: 1_000_000 };
  const policy = { ...defaultWasmPolicy, fuel };
  const clusters = { other: { status: 200 } };
  const host = await scriptedHost(script, { policy, clusters });
  const start = host.costs.byCallback.get("proxy_on_vm_start");
  expect(start).toMatchObject({ calls: 1, callouts: 0 });
  expect(start?.bytes).toBeGreaterThanOrEqual(script.join("\n").length);
  host.request();
  const { byCallback } = host.costs;
  expect(byCallback.get("proxy_on_request_headers")).toMatchObject({ calls: 1, callouts: 1 });
  expect(byCallback.get("proxy_on_response_headers")?.fuel).toBeGreaterThan(100_000);
});

test("rows of a table are read by the names of the ABI, and those that cannot be told apart", () => {
  const cells = new Float64Array(COST_CELLS);
  const costs = new CallCosts(cells);
  expect(readCosts(cells)).toEqual({
    byCallback: new Map(),
    all: { calls: 0, fuel: 0, ns: 0, hostcalls: 0, bytes: 0, callouts: 0 },
    pages: 0,
  });
  costs.add(0, 1, 2, 3, 4, 5);
  costs.add(0, 1, 0, 0, 0, 0);
  costs.setPages(7);
  const sum = { calls: 2, fuel: 2, ns: 2, hostcalls: 3, bytes: 4, callouts: 5 };
  expect(readCosts(cells)).toEqual({ byCallback: new Map([["other", sum]]), all: sum, pages: 7 });
});

test("of the streams one in many is timed and stands for the others, in any pattern", () => {
  for (const every of [1, 2, 64]) {
    const sampler = new StreamSampler(every);
    const sums = [0, 0, 0];
    const streams = 60_000 * Math.min(every, 10);
    for (let i = 0; i < streams; i += 1) {
      const at = i % 3;
      sums[at] = (sums[at] as number) + sampler.choose();
    }
    for (const sum of sums) expect(Math.abs(sum / (streams / 3) - 1)).toBeLessThan(0.05);
  }
  const never = new StreamSampler(0);
  for (let i = 0; i < 1000; i += 1) expect(never.choose()).toBe(0);
});

test("a stream that is timed knows its time, and the table has it for as many as it stands for", async () => {
  const host = await scriptedHost(["request_headers say hello"], {
    policy: { ...defaultWasmPolicy, timeEvery: 1 },
  });
  const context = host.plugin.root;
  expect(context?.timedFor).toBe(1);
  const before = host.costs.byCallback.get("other")?.ns ?? 0;
  context?.noteCost(0, 5, 1000, 2, 3, 1);
  expect(context).toMatchObject({ fuel: expect.any(Number), pluginName: "filter" });
  expect(host.costs.byCallback.get("other")?.ns).toBe(before + 1000);
  const untimed = await scriptedHost(["request_headers say hello"], {
    policy: { ...defaultWasmPolicy, timeEvery: 0 },
  });
  untimed.request();
  expect(untimed.costs.all.ns).toBe(0);
  expect(untimed.plugin.root?.timeNs).toBe(-1);
});

test("streams that use a filter again begin at nothing, and leave the stream's list", async () => {
  const host = await replacingHost();
  const first = host.request();
  const second = host.request();
  const third = host.request({ upstream: "never" });
  const { guestCost } = third.info;
  expect(guestCost).toMatchObject({ pluginName: "filter", hostcalls: 1, bytesCopied: 5 });
  expect(guestCost?.nextCost).toBeNull();
  third.abort();
  for (const { info } of [first, second, third]) expect(info.guestCost).toBeNull();
});
