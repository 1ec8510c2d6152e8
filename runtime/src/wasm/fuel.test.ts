// The budget of each way into a guest: who runs on is stopped there, by a trap that names it.
import { deflateSync } from "node:zlib";
import { expect, test } from "vitest";
import { createFilterHost, FilterStartError, type TcpExchange } from "../../test/harness.ts";
import { defaultWasmPolicy } from "../config/wasm-policy.ts";
import type { FuelBudgets, WasmPolicy } from "../config/wasm-policy.ts";
import { constant, guestBuilder, op, WasmBuilder } from "../module/wasm-builder-for-test.ts";
import { type FilterHost, scriptedHost } from "./guest-script-for-test.ts";

const SMALL: FuelBudgets = { callback: 100_000, configure: 1_000_000, start: 1_000_000 };
const METERED: WasmPolicy = { ...defaultWasmPolicy, fuel: SMALL };

function failureOf(host: FilterHost): string {
  const lines = host.logs.filter(({ message }) => message.startsWith("wasm vm failed: "));
  expect(lines.length).toBe(1);
  return (lines[0]?.message ?? "").split("\n")[0] as string;
}

const BODY = { method: "POST", body: "x", trailers: { t: "1" } } as const;
const ANSWER = { upstream: { body: "y", trailers: { u: "1" } } } as const;

test.each([
  "create",
  "request_headers",
  "request_body",
  "request_trailers",
  "response_headers",
  "response_body",
  "response_trailers",
  "log",
  "done",
  "delete",
])("an endless loop in %s is stopped", async (callback) => {
  const host = await scriptedHost([`${callback} loop`], { policy: METERED });
  host.request({ ...BODY, ...ANSWER });
  const name = callback === "create" ? "context_create" : callback;
  expect(failureOf(host)).toMatch(
    new RegExp(
      `^wasm vm failed: out of fuel \\[fuel\\] in proxy_on_${name} of plugin filter, ` +
        "used 1000\\d\\d of 100000 fuel, ",
    ),
  );
  expect(host.stats.counter("wasm.filter.stopped.fuel").value).toBe(1);
  expect(host.stats.counter("wasm.filter.fuel_used").value).toBeGreaterThan(SMALL.callback);
  host.close();
});

test.each(["tick", "http_call_response", "queue_ready"])(
  "an endless loop in %s is stopped, too",
  async (callback) => {
    const host = await scriptedHost(
      [
        "configure set_tick_period 10",
        "configure register_shared_queue q",
        "configure http_call up :method=GET,:path=/,:authority=a  ~ 0",
        "request_headers enqueue_shared_queue 1 item",
        `${callback} loop`,
      ],
      { policy: METERED, clusters: { up: { status: 200 } }, failurePolicy: "fail_closed" },
    );
    if (callback !== "http_call_response") host.request();
    host.tick(50);
    expect(failureOf(host)).toContain(
      `out of fuel [fuel] in proxy_on_${callback} of plugin filter`,
    );
    host.close();
  },
);

test.each([
  "grpc_receive_initial_metadata",
  "grpc_receive",
  "grpc_receive_trailing_metadata",
  "grpc_close",
])("an endless loop in %s is stopped as well", async (callback) => {
  const host = await scriptedHost(
    ["configure grpc_stream echo s m", "configure grpc_send 6 ping 1", `${callback} loop`],
    {
      policy: METERED,
      clusters: { echo: { status: 0, headers: { a: "b" }, trailers: { t: "1" } } },
      failurePolicy: "fail_closed",
    },
  );
  host.tick(50);
  expect(failureOf(host)).toContain(`out of fuel [fuel] in proxy_on_${callback} of plugin filter`);
  host.close();
});

test.each([
  ["new_connection", "after flush"],
  ["downstream_data", "after flush"],
  ["upstream_data", "after flush"],
  // What comes behind the end ends nothing.
  ["upstream_close", null],
  ["downstream_close", null],
])("an endless loop in %s of a TCP connection is stopped", async (callback, closed) => {
  const host = await scriptedHost([`${callback} loop`], {
    policy: METERED,
    failurePolicy: "fail_closed",
  });
  const play = (): TcpExchange => {
    const connection = host.connect();
    connection.clientSends("ping");
    connection.serverSends("pong");
    connection.serverEnds();
    return connection;
  };
  const connection = play();
  expect(connection.closed).toBe(closed);
  connection.close(true);
  const name = callback.replace("_close", "_connection_close");
  expect(failureOf(host)).toContain(`out of fuel [fuel] in proxy_on_${name} of plugin filter`);
  expect(host.stats.counter("wasm.filter.stopped.fuel").value).toBe(1);
  // By the failure policy nothing comes to the guest any more.
  expect(play().closed).toBe("after flush");
  expect(host.stats.counter("wasm.filter.stopped.fuel").value).toBe(1);
  host.close();
});

test.each([
  "grpc_receive_initial_metadata",
  "grpc_receive",
  "grpc_receive_trailing_metadata",
  "grpc_close",
])("an endless loop in %s is stopped, and streams end by the failure policy", async (callback) => {
  const host = await scriptedHost(
    [
      "request_headers grpc_stream up s m ~",
      "request_headers grpc_send 6 ping 1",
      `${callback} loop`,
    ],
    {
      policy: METERED,
      clusters: { up: { status: 0, headers: { a: "b" } } },
      failurePolicy: "fail_closed",
    },
  );
  // Its request is under way already, and comes back to a VM that is dead.
  const { localReply } = host.request();
  expect(failureOf(host)).toContain(`out of fuel [fuel] in proxy_on_${callback} of plugin filter`);
  expect(localReply?.details).toBe("wasm_fail_stream");
  expect(host.request().status).toBe(503);
  expect(host.stats.counter("wasm.filter.stopped.fuel").value).toBe(1);
  host.close();
});

test.each(["vm_start", "configure"])(
  "an endless loop in %s refuses the plugin, after a budget of its own",
  async (callback) => {
    const made = scriptedHost([`${callback} loop`], { policy: METERED });
    await expect(made).rejects.toThrow(FilterStartError);
    await expect(made).rejects.toThrow("out of fuel");
  },
);

// Before the script is read, and where it cannot be asked.
test.each([
  ["proxy_on_context_create", ["i32", "i32"], []],
  ["main", ["i32", "i32"], ["i32"]],
  ["_start", [], []],
])("an endless loop in %s refuses the plugin, too", async (name, params, results) => {
  const builder = guestBuilder();
  if (name === "main") builder.func({ exportAs: "_initialize" });
  const code = [0x03, 0x40, 0x0c, 0, op.end, ...results.flatMap(() => constant(0))];
  builder.func({ params, results, code, exportAs: name });
  const made = createFilterHost({ module: builder.build(), policy: METERED });
  await expect(made).rejects.toThrow(FilterStartError);
  await expect(made).rejects.toThrow(`out of fuel [fuel] in ${name}`);
});

test("an endless loop in the allocator is stopped within the hostcall that wants it", async () => {
  const builder = new WasmBuilder();
  const value = ["i32", "i32", "i32", "i32", "i32"];
  builder.importFunction("env", "proxy_get_header_map_value", value, ["i32"]);
  builder.func({ exportAs: "proxy_abi_version_0_2_1" });
  builder
    .memory(0, 1)
    .export("memory", "memory", 0)
    .data(16, [...Buffer.from(":path")]);
  const code = [0x03, 0x40, 0x0c, 0, op.end, ...constant(0)];
  builder.func({ params: ["i32"], results: ["i32"], code, exportAs: "malloc" });
  const ask = [...[0, 16, 5, 0, 4].flatMap(constant), op.call, 0, op.drop, ...constant(0)];
  const params = ["i32", "i32", "i32"];
  builder.func({ params, results: ["i32"], code: ask, exportAs: "proxy_on_request_headers" });
  const host = await createFilterHost({
    module: builder.build(),
    policy: METERED,
    failurePolicy: "fail_closed",
  });
  expect(host.request().localReply?.details).toBe("wasm_fail_stream");
  expect(failureOf(host)).toContain("out of fuel [fuel] in ");
  expect(host.stats.counter("wasm.filter.stopped.fuel").value).toBe(1);
  host.close();
});

/** A thread that has computed so much more whenever it is looked at. */
function steps(ms: number): () => number {
  let now = 0;
  return () => {
    now += ms;
    return now;
  };
}

test("a callback that computes for too long is stopped, however little fuel it took", async () => {
  const host = await scriptedHost(["request_headers loop"], { threadMs: steps(30) });
  host.request();
  // Looked at with each 100,000 units; the first look is where time begins.
  expect(failureOf(host)).toMatch(
    new RegExp(
      "^wasm vm failed: out of time: computed for 210 ms of 200 \\(callback_time_ms\\) \\[fuel\\] " +
        "in proxy_on_request_headers of plugin filter, used 8000\\d\\d of 50000000 fuel, ",
    ),
  );
  expect(host.stats.counter("wasm.filter.stopped.fuel").value).toBe(1);
  expect(host.stats.counter("wasm.filter.limit.callback_time_ms").value).toBe(1);
  host.close();
});

test("time counts for each callback anew, and may be no matter", async () => {
  const fuel = { ...SMALL, callback: 1_000_000 };
  const lines = ["request_headers loop"];
  const slow = { policy: { ...defaultWasmPolicy, fuel, callbackTimeMs: 100 }, threadMs: steps(12) };
  const within = await scriptedHost(lines, slow);
  // Eleven looks, and the last one finds that there is no fuel.
  for (let i = 0; i < 2; i += 1) {
    within.request();
    within.tick(20_000);
  }
  expect(within.stats.counter("wasm.filter.limit.callback_time_ms").value).toBe(0);
  expect(within.stats.counter("wasm.filter.stopped.fuel").value).toBe(2);
  within.close();
  const policy = { ...slow.policy, callbackTimeMs: null };
  const unbound = await scriptedHost(lines, { policy, threadMs: steps(1e6) });
  unbound.request();
  expect(failureOf(unbound)).toMatch(/out of fuel \[fuel\] in .* used 10000\d\d of 1000000 fuel/);
  unbound.close();
});

test("a start and a configuration have start_time_ms", async () => {
  const policy = { ...defaultWasmPolicy, startTimeMs: 500 };
  const made = scriptedHost(["configure loop"], { policy, threadMs: steps(100) });
  await expect(made).rejects.toThrow("out of time: computed for 600 ms of 500 (start_time_ms)");
});

/** Its configure ends once; in the next VM, which finds what it has left in shared data, never. */
function configuresOnce(): Buffer {
  const builder = guestBuilder((b) => {
    b.importFunction("env", "proxy_get_shared_data", Array<string>(5).fill("i32"), ["i32"]);
    b.importFunction("env", "proxy_set_shared_data", Array<string>(5).fill("i32"), ["i32"]);
  });
  const get = [...[0, 4, 8, 12, 16].flatMap(constant), op.call, 0];
  const loopIfFound = [0x45, 0x04, 0x40, 0x03, 0x40, 0x0c, 0, op.end, op.end];
  const set = [...[0, 4, 0, 0, 0].flatMap(constant), op.call, 1, op.drop];
  builder.func({
    params: ["i32", "i32"],
    results: ["i32"],
    code: [...get, ...loopIfFound, ...set, ...constant(1)],
    exportAs: "proxy_on_configure",
  });
  const headers = { params: ["i32", "i32", "i32"], results: ["i32"], code: [op.unreachable] };
  builder.func({ ...headers, exportAs: "proxy_on_request_headers" });
  return builder.build();
}

test.each([
  // Each start takes one step.
  ["live_start_time_ms", 30, "computed for 210 ms of 200 (live_start_time_ms)"],
  ["four times what the first one took", 100, "computed for 500 ms of 400 (live_start_time_ms)"],
])("the start of the next VM may take as long as %s", async (_, step, words) => {
  const options = { module: configuresOnce(), failurePolicy: "fail_reload" } as const;
  const host = await createFilterHost({ ...options, threadMs: steps(step) });
  host.request();
  host.tick(60_000);
  host.request();
  expect(host.logs.map(({ message }) => message).join("\n")).toContain(words);
  expect(host.stats.counter("wasm.filter.limit.live_start_time_ms").value).toBeGreaterThan(0);
  host.close();
});

test("what a stream uses is counted, and each callback has all of the budget", async () => {
  const host = await scriptedHost(["request_headers get_header_map_pairs 0"], { policy: METERED });
  const { value: before } = host.stats.counter("wasm.filter.fuel_used");
  host.request();
  const used = host.stats.counter("wasm.filter.fuel_used").value - before;
  expect(used).toBeGreaterThan(100);
  expect(used).toBeLessThan(50_000);
  for (let i = 0; i < 20; i += 1) host.request();
  expect(host.stats.counter("wasm.filter.fuel_used").value - before).toBeGreaterThan(100_000);
  expect(host.stats.counter("wasm.filter.stopped.fuel").value).toBe(0);
  host.close();
});

test("the same stream costs the same fuel each time", async () => {
  const costs = new Set<number>();
  const host = await scriptedHost(["request_headers get_header_map_value 0 :path"]);
  host.request();
  for (let i = 0; i < 10; i += 1) {
    const { value: before } = host.stats.counter("wasm.filter.fuel_used");
    // Ids in the guest's messages have as many digits; now and then its memory grows.
    if (host.request().status === 200) {
      costs.add(host.stats.counter("wasm.filter.fuel_used").value - before);
    }
  }
  expect(costs.size).toBeLessThanOrEqual(3);
  host.close();
});

test("work of the host for the guest is paid for", async () => {
  const pull = "response_body get_buffer_bytes 1 0 max";
  const body = { upstream: { body: "z".repeat(500_000) } };
  const host = await scriptedHost([pull], { policy: METERED });
  expect(host.request(body).status).toBe(200);
  const { value: before } = host.stats.counter("wasm.filter.fuel_used");
  host.request(body);
  expect(host.stats.counter("wasm.filter.fuel_used").value - before).toBeGreaterThan(500_000 / 8);
  expect(host.stats.counter("wasm.filter.fuel_high").value).toBeGreaterThan(0);
  expect(host.logs.filter(({ message }) => message.includes("of 100000 fuel; later")).length).toBe(
    1,
  );
  host.close();
});

test.each(["compress", "uncompress", "sign", "verify_signature"])(
  "%s is paid for by what it takes",
  async (name) => {
    const zeros = deflateSync(Buffer.alloc(50_000));
    // A hash and a key, which need not be good to be looked at.
    const message = Buffer.from("\n\x06sha256\x12\x03key");
    const bytes = name === "uncompress" ? zeros : message;
    const escaped = [...bytes].map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join("");
    const ask = (called: string): string =>
      `request_headers call_foreign_function ${called} ${escaped}`;
    // Saying it takes less than half of this budget.
    const fuel = { ...SMALL, callback: 100_000 };
    const policy = { ...METERED, fuel };
    const poor = await scriptedHost([ask("nobody"), ask(name), ask(name)], { policy });
    poor.request();
    expect(failureOf(poor)).toContain("out of fuel [fuel] in proxy_on_request_headers");
    poor.close();
    const rich = await scriptedHost([ask("nobody"), ask("nobody"), ask("nobody")], { policy });
    expect(rich.request().status).toBe(200);
    rich.close();
  },
);

test("a guest that is not metered has no price, and a policy may say so", async () => {
  const host = await scriptedHost([], { policy: { ...defaultWasmPolicy, fuel: null } });
  expect(host.request().status).toBe(200);
  expect(host.stats.counter("wasm.filter.fuel_used").value).toBe(0);
  host.close();
});

test("a guest whose memory is full is told apart from one that fails", async () => {
  const policy = { ...defaultWasmPolicy, memoryPagesMax: 4 };
  const host = await scriptedHost(["request_headers malloc grow", "request_headers trap"], {
    policy,
  });
  const large = { path: "/", headers: { "x-a": "v".repeat(60_000) } };
  const grow = await scriptedHost(
    [
      "request_headers malloc grow",
      ...Array.from({ length: 6 }, () => "request_headers get_header_map_value 0 x-a"),
      "request_headers trap",
    ],
    { policy },
  );
  host.request();
  expect(failureOf(host)).toContain("unreachable [trap] in proxy_on_request_headers");
  grow.request(large);
  expect(failureOf(grow)).toMatch(/unreachable \[memory\] .* 4 pages, module inline$/);
  expect(grow.guestMemoryBytes).toBe(4 * 65_536);
  host.close();
  grow.close();
});

test("random bytes are paid for", async () => {
  const builder = guestBuilder((b) =>
    b.importFunction("wasi_snapshot_preview1", "random_get", ["i32", "i32"], ["i32"]),
  );
  builder.func({
    params: ["i32", "i32", "i32"],
    results: ["i32"],
    code: [...constant(4096), ...constant(50_000), op.call, 0],
    exportAs: "proxy_on_request_headers",
  });
  const host = await createFilterHost({ module: builder.build() });
  expect(host.request().status).toBe(200);
  expect(host.stats.counter("wasm.filter.fuel_used").value).toBeGreaterThan(50_000);
  host.close();
});

test("a line of the log is paid for by its length", async () => {
  const builder = guestBuilder((b) =>
    b.importFunction("env", "proxy_log", ["i32", "i32", "i32"], ["i32"]),
  );
  builder.func({
    params: ["i32", "i32", "i32"],
    results: ["i32"],
    code: [...constant(2), ...constant(4096), ...constant(50_000), op.call, 0],
    exportAs: "proxy_on_request_headers",
  });
  const host = await createFilterHost({ module: builder.build() });
  expect(host.request().status).toBe(200);
  // More than a slice of fuel: after each such line the time is looked at.
  expect(host.stats.counter("wasm.filter.fuel_used").value).toBeGreaterThan(100_000);
  host.close();
});

test.each([
  ["http_call", "up :method=GET,:path=/,:authority=a ~ ~ 1000"],
  ["grpc_call", "up s m ~ 1000"],
])("%s is paid for also where it is refused, as too many wait", async (name, args) => {
  const limits = { ...defaultWasmPolicy.limits, calloutsPending: 1 };
  const policy = { ...defaultWasmPolicy, limits };
  const usedBy = async (calls: number): Promise<number> => {
    const lines = Array<string>(calls).fill(`request_headers ${name} ${args}`);
    const clusters = { up: "never" } as const;
    const host = await scriptedHost(lines, { policy, clusters });
    const { value: before } = host.stats.counter("wasm.filter.fuel_used");
    host.request();
    const used = host.stats.counter("wasm.filter.fuel_used").value - before;
    expect(host.stats.counter("wasm.filter.limit.callouts_pending").value).toBe(calls - 1);
    host.close();
    return used;
  };
  expect((await usedBy(6)) - (await usedBy(1))).toBeGreaterThan(5 * 20_000);
});
