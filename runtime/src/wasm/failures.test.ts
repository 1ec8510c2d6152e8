// Guests that fail: traps, exhausted stacks, bad allocators, refused starts; what the policies make of
// it; and that no exception of ours can be caught by a guest.
import { expect, test } from "vitest";
import { createFilterHost, FilterStartError } from "../../test/harness.ts";
import { constant, guestBuilder, op } from "../module/wasm-builder-for-test.ts";
import { scriptedHost } from "./guest-script-for-test.ts";

const FAILED = { status: 503, details: "wasm_fail_stream", grpcStatus: 14 };

test("a trap in request headers answers 503 and is logged with its reason", async () => {
  const host = await scriptedHost(["request_headers trap"]);
  const exchange = host.request();
  expect(exchange.localReply).toEqual(FAILED);
  expect([exchange.status, exchange.text, exchange.upstreamRequest]).toEqual([503, "", null]);
  const failure = host.logs.find((line) =>
    line.message.startsWith("wasm vm failed: unreachable [trap]"),
  );
  expect(failure?.message).toMatch(
    /in proxy_on_request_headers of plugin filter, used \d+ of 50000000 fuel, 1 pages, module inline\n {2}at \? \(function \d+, 0x[0-9a-f]+\)/,
  );
  expect(host.stats.counter("wasm.filter.stopped.trap").value).toBe(1);
  // The failed VM is not entered for log, done and delete.
  expect(exchange.messages.at(-1)).toBe("request_headers(2,4,1)");
  host.close();
});

test("a trap in response headers replaces the response, one in the body breaks it off", async () => {
  const headers = await scriptedHost(["response_headers trap"]);
  expect(headers.request({ upstream: { body: "x" } }).localReply).toEqual(FAILED);
  headers.close();
  const body = await scriptedHost(["response_body trap"]);
  const exchange = body.request({ upstream: { body: "x" } });
  expect([exchange.reset, exchange.status, exchange.text]).toEqual(["wasm_fail_stream", 200, ""]);
  body.close();
});

test("a trap in on_log or on_done hurts nobody", async () => {
  for (const line of ["log trap", "done trap", "delete trap"]) {
    const host = await scriptedHost([line]);
    expect(host.request().status).toBe(200);
    host.close();
  }
});

test("an endless recursion is a failure of the guest", async () => {
  const host = await scriptedHost(["request_headers recurse"]);
  expect(host.request().localReply).toEqual(FAILED);
  expect(host.logs.some((line) => /call stack/i.test(line.message))).toBe(true);
  host.close();
});

test("an allocator that gives nothing or points outside makes a bad pointer", async () => {
  for (const mode of ["zero", "end", "outside"]) {
    const host = await scriptedHost([
      `request_headers malloc ${mode}`,
      "request_headers get_header_map_value 0 :authority",
      "request_headers get_header_map_value 0 nope",
      "request_headers malloc",
    ]);
    const { messages, status } = host.request();
    expect(messages).toContain("  get_header_map_value 0 :authority -> 6");
    expect(messages).toContain("  get_header_map_value 0 nope -> 1");
    expect(status).toBe(200);
    host.close();
  }
});

test("an allocator that grows the memory works", async () => {
  const host = await scriptedHost([
    "request_headers malloc grow",
    "request_headers get_header_map_value 0 :authority",
    "request_headers get_header_map_value 0 :path",
    "request_headers malloc",
  ]);
  const { messages } = host.request();
  expect(messages).toContain("  get_header_map_value 0 :authority -> 0 [example.com]");
  expect(messages).toContain("  get_header_map_value 0 :path -> 0 [/]");
  host.close();
});

test("an allocator that traps, or calls what it may not, ends the VM", async () => {
  for (const mode of ["trap", "call"]) {
    const host = await scriptedHost([
      `request_headers malloc ${mode}`,
      "request_headers get_header_map_value 0 :authority",
      "request_headers say never",
    ]);
    const exchange = host.request();
    expect(exchange.localReply).toEqual(FAILED);
    expect(exchange.messages).not.toContain("  never");
    host.close();
  }
});

test("proc_exit stops the guest", async () => {
  const host = await scriptedHost(["request_headers proc_exit 3", "request_headers say never"]);
  const exchange = host.request();
  expect(exchange.localReply).toEqual(FAILED);
  expect(exchange.messages).not.toContain("  never");
  expect(host.logs.some((line) => line.message.includes("proc_exit with code 3"))).toBe(true);
  host.close();
});

test("unspecified policy: the stream fails, the next one has a new VM, and then the back-off counts", async () => {
  const host = await scriptedHost(["request_headers#2 trap"]);
  expect(host.request().status).toBe(200);
  expect(host.request().localReply).toEqual(FAILED);
  // No time has passed.
  expect(host.request().status).toBe(200);
  expect(host.stats.counter("wasm.filter.vm_reload_at_once").value).toBe(1);
  // The new VM fails again, and now it is too early for another one.
  expect(host.request().localReply).toEqual(FAILED);
  expect(host.request().localReply).toEqual(FAILED);
  expect(host.stats.counter("wasm.filter.vm_reload_backoff").value).toBe(1);
  host.tick(900);
  expect(host.request().localReply).toEqual(FAILED);
  host.tick(700);
  expect(host.request().status).toBe(200);
  expect(host.stats.counter("wasm.filter.vm_reload_success").value).toBe(2);
  expect(host.stats.counter("wasm.envoy.wasm.runtime.v8.created").value).toBe(3);
  expect(host.stats.gauge("wasm.envoy.wasm.runtime.v8.active").value).toBe(1);
  host.close();
  expect(host.stats.gauge("wasm.envoy.wasm.runtime.v8.active").value).toBe(0);
});

test("fail_closed: every further stream fails", async () => {
  const host = await scriptedHost(["request_headers#1 trap"], { failurePolicy: "fail_closed" });
  for (let i = 0; i < 3; i += 1) {
    expect(host.request().localReply).toEqual(FAILED);
    host.tick(10_000);
  }
  host.close();
});

test("fail_open: the stream that trapped fails, further ones go without the filter", async () => {
  const host = await scriptedHost(["request_headers#2 trap"], { failurePolicy: "fail_open" });
  const open = host.request({ upstream: "never" });
  expect(host.request().localReply).toEqual(FAILED);
  const next = host.request();
  expect([next.status, next.messages]).toEqual([200, []]);
  expect(open.isOver).toBe(false);
  host.close();
});

test("the old fail_open lets the trapped stream pass, too", async () => {
  const host = await scriptedHost(["request_headers trap"], { failOpenLegacy: true });
  const exchange = host.request({ upstream: { body: "x" } });
  expect([exchange.status, exchange.text, exchange.localReply]).toEqual([200, "x", null]);
  expect(host.request().messages).toEqual([]);
  host.close();
});

test("a stream that waits on a VM that fails is answered when it comes to the filter again", async () => {
  const host = await scriptedHost(["request_headers#2 trap"], { failurePolicy: "fail_closed" });
  const waiting = host.request({ upstream: "never" });
  host.request();
  expect(waiting.isOver).toBe(false);
  host.close();
  expect(waiting.isOver).toBe(true);
});

test("ticks stop with the VM", async () => {
  const host = await scriptedHost(["configure set_tick_period 10", "tick#2 trap"], {
    failurePolicy: "fail_closed",
  });
  host.tick(100);
  expect(host.logs.filter((line) => line.message === "tick(1)").length).toBe(2);
  host.close();
});

test("a guest that refuses its start or its configuration is told with its own words", async () => {
  for (const [line, reason] of [
    ["vm_start return 0", "proxy_on_vm_start answered false"],
    ["configure return 0", "proxy_on_configure answered false"],
    ["configure trap", "unreachable"],
  ] as const) {
    const refused = scriptedHost([line, "vm_start say my%20words"]);
    await expect(refused).rejects.toThrow(FilterStartError);
    await expect(refused).rejects.toThrow(reason);
    await expect(refused).rejects.toThrow("my words");
  }
});

test("a hostcall in _initialize that may not be there refuses the module", async () => {
  const builder = guestBuilder((imports) => {
    imports.importFunction("env", "proxy_get_log_level", ["i32"], ["i32"]);
  });
  builder.func({ exportAs: "_initialize", code: [...constant(0), op.call, 0, op.drop] });
  const refused = createFilterHost({ module: builder.build() });
  await expect(refused).rejects.toThrow("restricted callback: proxy_get_log_level");
});

const TRY_LEGACY = 0x06;
const CATCH_ALL = 0x19;
const VOID = 0x40;

/** on_request_headers with `body` inside try ... catch_all, whose handler does nothing. */
function catchingGuest(
  imports: readonly (readonly [string, string, readonly string[], readonly string[]])[],
  body: readonly number[],
): Uint8Array {
  const builder = guestBuilder((made) => {
    for (const [module, name, params, results] of imports) {
      made.importFunction(module, name, params, results);
    }
  });
  builder.func({
    params: ["i32", "i32", "i32"],
    results: ["i32"],
    code: [TRY_LEGACY, VOID, ...body, CATCH_ALL, op.end, ...constant(0)],
    exportAs: "proxy_on_request_headers",
  });
  return builder.build();
}

test("a guest's catch_all cannot swallow what stops it", async () => {
  const exit = [["wasi_snapshot_preview1", "proc_exit", ["i32"], []]] as const;
  const host = await createFilterHost({
    module: catchingGuest(exit, [...constant(1), op.call, 0]),
  });
  expect(host.request().localReply).toEqual(FAILED);
  host.close();
});

test("a failed assertion of ours stops the guest, and is thrown on behind it", async () => {
  const log = [["env", "proxy_log", ["i32", "i32", "i32"], ["i32"]]] as const;
  const body = [...constant(2), ...constant(0), ...constant(1), op.call, 0, op.drop];
  const host = await createFilterHost({ module: catchingGuest(log, body) });
  const vm = host.plugin.root?.vm;
  if (vm === undefined) throw new Error("no vm");
  vm.log.write = (): void => {
    throw new Error("our bug");
  };
  expect(() => host.request()).toThrow("our bug");
  expect(vm.failure?.reason).toBe("our bug");
});
