// Guests that mean harm: an error or a limit each time, and the next stream is served.
import { callbacks, hostcalls } from "proxy-wasm-types";
import { afterAll, expect, test } from "vitest";
import { createFilterHost, FilterStartError } from "../../test/harness.ts";
import { defaultWasmPolicy } from "../config/wasm-policy.ts";
import { SeededRandom } from "../core/random.ts";
import { ModuleError } from "../module/module-error.ts";
import { loadModule } from "../module/module-loader.ts";
import { constant, guestBuilder, op, WasmBuilder } from "../module/wasm-builder-for-test.ts";
import { scriptedHost } from "./guest-script-for-test.ts";
import type { SharedStore } from "./shared-store.ts";

afterAll(() => globalThis.gc?.());

test("a header map of 100,000 pairs is refused, however it is said", async () => {
  const builder = guestBuilder((b) =>
    b.importFunction("env", "proxy_set_header_map_pairs", ["i32", "i32", "i32"], ["i32"]),
  );
  // A list that says 100,000 entries of no bytes: 4 + 100,000 * (8 + 2) bytes of zeros but the
  // head.
  const size = 4 + 100_000 * 10;
  const count = [...constant(65_536), ...constant(100_000), op.i32Store, 2, 0];
  const set = [...constant(0), ...constant(65_536), ...constant(size), op.call, 0];
  builder.func({
    params: ["i32", "i32", "i32"],
    results: ["i32"],
    // The answer of the hostcall becomes the callback's: 2 is BAD_ARGUMENT, which lets it pass.
    code: [...constant(20), 0x40, 0, op.drop, ...count, ...set],
    exportAs: "proxy_on_request_headers",
  });
  const host = await createFilterHost({ module: builder.build() });
  const { upstreamRequest } = host.request({ headers: { "x-a": "1" } });
  expect(upstreamRequest?.headers["x-a"]).toBe("1");
  host.close();
});

test.each(["max", "end", "end-3"])("pointers and sizes of %s reach nothing", async (at) => {
  const host = await scriptedHost([
    `request_headers log_raw 2 ${at} 100`,
    `request_headers log_raw 2 0 max`,
    `request_headers get_header_map_value_raw 0 ${at} 100 0 4`,
    `request_headers get_header_map_value_raw 0 0 max 0 4`,
    `request_body set_buffer_bytes_raw 0 0 max ${at} max`,
  ]);
  const { messages, status } = host.request({ method: "POST", body: "abc" });
  const answers = messages.filter((message) => message.includes(" -> "));
  expect(answers.length).toBeGreaterThanOrEqual(5);
  expect(answers.every((answer) => answer.endsWith(" -> 6"))).toBe(true);
  expect(status).toBe(200);
  host.close();
});

test("a guest that logs, defines and answers without end is stopped by its budget", async () => {
  const loops: readonly (readonly [string, readonly string[], readonly number[]])[] = [
    ["proxy_log", ["i32", "i32", "i32"], [2, 0, 60_000]],
    ["proxy_define_metric", ["i32", "i32", "i32", "i32"], [0, 0, 100, 8]],
    ["proxy_send_local_response", Array<string>(8).fill("i32"), [200, 0, 0, 0, 60_000, 0, 0, 0]],
    ["proxy_get_header_map_pairs", ["i32", "i32", "i32"], [0, 8, 12]],
    ["proxy_add_header_map_value", Array<string>(5).fill("i32"), [0, 900, 3, 0, 0]],
  ];
  for (const [name, params, args] of loops) {
    const builder = guestBuilder((b) => b.importFunction("env", name, params, ["i32"]));
    builder.data(900, [97, 98, 99]);
    const again = [0x03, 0x40, ...args.flatMap(constant), op.call, 0, op.drop, 0x0c, 0, op.end];
    builder.func({
      params: ["i32", "i32", "i32"],
      results: ["i32"],
      code: [...again, ...constant(0)],
      exportAs: "proxy_on_request_headers",
    });
    const host = await createFilterHost({ module: builder.build(), failurePolicy: "fail_closed" });
    const exchange = host.request();
    expect([name, exchange.localReply?.details]).toEqual([name, "wasm_fail_stream"]);
    expect(host.stats.counter("wasm.filter.stopped.fuel").value).toBe(1);
    expect(host.logs.length).toBeLessThan(12_000);
    host.close();
  }
}, 60_000);

/** A loop in on_request_headers that counts at 900, so that each call has another key or item. */
function countingLoop(name: string, params: readonly string[], args: readonly number[]): Buffer {
  const builder = guestBuilder((b) => b.importFunction("env", name, params, ["i32"]));
  const count = [
    ...constant(900),
    ...constant(900),
    op.i32Load,
    2,
    0,
    ...constant(1),
    op.i32Add,
    op.i32Store,
    2,
    0,
  ];
  const again = [...count, ...args.flatMap(constant), op.call, 0, op.drop];
  builder.func({
    params: ["i32", "i32", "i32"],
    results: ["i32"],
    code: [0x03, 0x40, ...again, 0x0c, 0, op.end, ...constant(0)],
    exportAs: "proxy_on_request_headers",
  });
  return builder.build();
}

test("shared data and queues without end end at their limit, and at the budget", async () => {
  const loops = [
    countingLoop("proxy_set_shared_data", Array<string>(5).fill("i32"), [900, 4, 0, 60_000, 0]),
    countingLoop("proxy_register_shared_queue", ["i32", "i32", "i32"], [900, 4, 16]),
  ];
  for (const module of loops) {
    // More than what fills the store.
    const fuel = { callback: 50_000_000, configure: 1e6, start: 1e6 };
    const policy = { ...defaultWasmPolicy, fuel };
    const host = await createFilterHost({ module, policy, failurePolicy: "fail_closed" });
    expect(host.request().localReply?.details).toBe("wasm_fail_stream");
    expect(host.stats.counter("wasm.filter.stopped.fuel").value).toBe(1);
    const shared = host.plugin.root?.vm.services.shared as SharedStore;
    expect(shared.refused).toBeGreaterThan(0);
    host.close();
  }
}, 60_000);

test("random bytes are refused as modules, with or without a head, and so are broken ones", async () => {
  const random = new SeededRandom(7);
  const head = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
  const good = guestBuilder().build();
  const bytes = (length: number): number[] => Array.from({ length }, () => random.u32() & 255);
  let loaded = 0;
  const others: unknown[] = [];
  for (let i = 0; i < 300; i += 1) {
    const mutated = Buffer.from(good);
    mutated[random.u32() % mutated.length] = random.u32() & 255;
    const cut = mutated.subarray(0, 8 + (i % 90));
    for (const module of [bytes(200), [...head, ...bytes(200)], cut, mutated]) {
      try {
        await loadModule({ inlineBytes: Buffer.from(module) });
        loaded += 1;
      } catch (error) {
        if (!(error instanceof ModuleError)) others.push(error);
      }
    }
  }
  expect(others).toEqual([]);
  // A change of a constant or of a name that nobody asks for is no mistake.
  expect(loaded).toBeLessThan(300);
});

test.each([0, -1, 1])("a guest calls everything everywhere, each parameter %d", async (value) => {
  const builder = new WasmBuilder();
  const rows = hostcalls.map(({ name, params }) => {
    const types = params.map((param) => param.type);
    return { types, index: builder.importFunction("env", name, types, ["i32"]) };
  });
  // Indexes of one byte.
  expect(rows.length).toBeLessThan(128);
  const all = rows.flatMap(({ types, index }) => [
    ...types.flatMap((type) => (type === "i64" ? [0x42, value & 0x7f] : constant(value))),
    op.call,
    index,
    op.drop,
  ]);
  builder.memory(0, 1).export("memory", "memory", 0);
  builder.func({ exportAs: "proxy_abi_version_0_2_1" });
  const room = { params: ["i32"], results: ["i32"], exportAs: "malloc" };
  builder.func({ ...room, code: constant(1024) });
  for (const { name, params, results, until } of callbacks) {
    if (until !== null || !/^proxy_on_(?!memory)/.test(name)) continue;
    const types = params.map((param) => param.type);
    // Truths and actions: the guest starts, and pauses nothing.
    const answer = /vm_start|configure|done/.test(name) ? 1 : 0;
    const code = results.length > 0 ? [...all, ...constant(answer)] : all;
    builder.func({ params: types, results: [...results], code, exportAs: name });
  }
  const clusters = { up: { status: 200 } } as const;
  const host = await createFilterHost({ module: builder.build(), clusters });
  for (let i = 0; i < 3; i += 1) {
    host.request({ method: "POST", body: "abc", trailers: { t: "1" }, upstream: { body: "x" } });
    const connection = host.connect();
    connection.clientSends("abc");
    connection.close(true);
    host.tick(1000);
  }
  expect(host.plugin.root?.vm.failure ?? null).toBeNull();
  expect(host.contexts).toBeLessThanOrEqual(4);
  host.close();
});

test("a module of 64 MB loads when it is good, and is refused when it is larger", async () => {
  const limit = 67_108_864;
  const bytes = Buffer.concat([guestBuilder().build(), Buffer.alloc(0)]);
  const padding = limit - bytes.length - 10;
  // One custom section as large as may be: id, size in four bytes, name "x".
  const size = padding + 2;
  const leb = [(size & 0x7f) | 0x80, ((size >> 7) & 0x7f) | 0x80, ((size >> 14) & 0x7f) | 0x80];
  const head = Buffer.from([0, ...leb, size >> 21, 1, 0x78]);
  const large = Buffer.concat([bytes, head, Buffer.alloc(padding)]);
  const loaded = await loadModule({ inlineBytes: large });
  expect(loaded.fuelExport).toBe("headgate_fuel");
  const larger = Buffer.concat([large, Buffer.alloc(limit + 1 - large.length)]);
  await expect(loadModule({ inlineBytes: larger })).rejects.toThrow(
    "found 67108865 bytes, expected at most 67108864",
  );
});

test("loops nested without end, and chains of functions, are bounded in the rewriter", async () => {
  const deep = guestBuilder();
  const loops = Array.from({ length: 1200 }, () => [0x03, 0x40]).flat();
  deep.func({ code: [...loops, ...Array<number>(1200).fill(op.end)] });
  await expect(loadModule({ inlineBytes: deep.build() })).rejects.toThrow(
    /cannot be metered: byte \d+: loops are nested deeper than 1000/,
  );
  const chain = guestBuilder();
  // Each calls the next one: 5000 deep.
  for (let i = 0; i < 5000; i += 1) {
    const next = 3 + i;
    chain.func({ code: [op.call, (next & 0x7f) | 0x80, next >> 7] });
  }
  chain.func({});
  expect((await loadModule({ inlineBytes: chain.build() })).fuelExport).toBe("headgate_fuel");
});

test("a guest whose start loops is refused, and the host goes on", async () => {
  const builder = guestBuilder();
  builder.func({ code: [0x03, 0x40, 0x0c, 0, op.end], exportAs: "_initialize" });
  const policy = (await import("../config/wasm-policy.ts")).defaultWasmPolicy;
  const fuel = { callback: 1000, configure: 1000, start: 1_000_000 };
  const made = createFilterHost({ module: builder.build(), policy: { ...policy, fuel } });
  await expect(made).rejects.toThrow(FilterStartError);
  await expect(made).rejects.toThrow("out of fuel");
});
