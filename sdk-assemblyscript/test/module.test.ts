// The compiled modules themselves: what they import and export, their size, memory and traps.
import { beforeAll, expect, test } from "vitest";
import { strippedSize } from "../build.mjs";
import { BufferId, compileGuest, MiniHost, readGuest } from "./mini-host.ts";

let header: Uint8Array;
let plain: Uint8Array;
let auth: Uint8Array;
let probe: WebAssembly.Module;

beforeAll(async () => {
  [header, plain, auth, probe] = await Promise.all([
    readGuest("header", "release"),
    readGuest("plain", "release"),
    readGuest("auth", "release"),
    compileGuest("probe", "debug"),
  ]);
});

const exportsOf = (module: WebAssembly.Module): string[] =>
  WebAssembly.Module.exports(module).map((entry) => entry.name);

test("a header filter weighs at most 12 KiB without names and 25 KiB with them", () => {
  for (const module of [header, plain]) {
    expect(strippedSize(module)).toBeLessThanOrEqual(12 * 1024);
    expect(module.length).toBeLessThanOrEqual(25 * 1024);
  }
});

test("a filter with a configuration and a callout weighs at most 40 KiB", () => {
  expect(strippedSize(auth)).toBeLessThanOrEqual(40 * 1024);
  expect(auth.length).toBeLessThanOrEqual(50 * 1024);
});

test("a module exports the base and the callbacks that the filter names, nothing else", () => {
  expect(exportsOf(new WebAssembly.Module(header)).sort()).toEqual([
    "_initialize",
    "malloc",
    "memory",
    "proxy_abi_version_0_2_1",
    "proxy_on_configure",
    "proxy_on_context_create",
    "proxy_on_delete",
    "proxy_on_request_headers",
  ]);
});

test("all callbacks of ABI 0.2.1 can be exported", () => {
  const expected = [
    "context_create vm_start configure tick done log delete",
    "request_headers request_body request_trailers",
    "response_headers response_body response_trailers",
    "new_connection downstream_data upstream_data",
    "downstream_connection_close upstream_connection_close",
    "http_call_response queue_ready foreign_function",
    "grpc_receive_initial_metadata grpc_receive grpc_receive_trailing_metadata grpc_close",
  ];
  const names = expected.flatMap((line) => line.split(" ").map((name) => `proxy_on_${name}`));
  expect(
    exportsOf(probe)
      .filter((name) => name.startsWith("proxy_on_"))
      .sort(),
  ).toEqual(names.sort());
});

test("a module imports only hostcalls, and the header filter only those that it reaches", () => {
  const imports = WebAssembly.Module.imports(new WebAssembly.Module(header));
  expect(imports.map((entry) => `${entry.module}.${entry.name}`).sort()).toEqual([
    "env.proxy_get_buffer_bytes",
    "env.proxy_get_header_map_value",
    "env.proxy_get_log_level",
    "env.proxy_get_property",
    "env.proxy_log",
    "env.proxy_replace_header_map_value",
  ]);
  for (const entry of WebAssembly.Module.imports(probe)) {
    expect(`${entry.module}.${entry.name}`).toMatch(/^env\.proxy_/);
  }
});

test("nothing is called in the host before _initialize, nor in it", () => {
  const env = new Proxy({}, { get: () => () => expect.unreachable("a hostcall at start") });
  const instance = new WebAssembly.Instance(probe, { env: env as Record<string, never> });
  (instance.exports["_initialize"] as () => void)();
});

test("an abort names message, file and line at level critical, and then traps", () => {
  const host = new MiniHost(probe);
  expect(() => host.call("probe_trap")).toThrow(/unreachable/);
  expect(host.logs).toHaveLength(1);
  expect(host.logs[0]).toMatch(/^5 Array is empty at ~lib\/array\.ts line \d+ column \d+$/);
});

test("malloc keeps results apart and valid until the outermost callback returns", () => {
  const host = new MiniHost(probe);
  const sizes = [0, 1, 7, 8, 9, 100, 5000, 0, 70_000, 3, 200_000, 8];
  const blocks = sizes.map((size) => ({ size, at: Number(host.call("malloc", size)) >>> 0 }));
  expect(blocks.every((block) => block.at > 0 && block.at % 8 === 0)).toBe(true);
  const sorted = blocks.toSorted((a, b) => a.at - b.at);
  sorted.slice(1).forEach((block, i) => {
    const before = sorted[i];
    expect(block.at).toBeGreaterThanOrEqual((before?.at ?? 0) + Math.max(before?.size ?? 0, 1));
  });
});

test("malloc answers 0 to what cannot be had", () => {
  const host = new MiniHost(probe);
  expect(host.call("malloc", 0x7fffffff)).toBe(0);
  expect(host.call("malloc", 0xffffffff)).toBe(0);
});

test("large bodies do not pin memory: it stops growing", () => {
  const host = new MiniHost(probe);
  host.start('{"name":"p"}');
  host.request(2, [[":path", "/"]]);
  const body = (size: number): void => {
    host.buffers.set(BufferId.requestBody, Buffer.alloc(size, "x"));
    host.call("proxy_on_request_body", 2, size, 0);
  };
  const rounds = (count: number): number => {
    for (let i = 0; i < count; i += 1) {
      body(500_000);
      body(100);
    }
    return host.memoryBytes;
  };
  const plateau = rounds(30);
  expect(rounds(60)).toBe(plateau);
});

test("a callback that enters the guest again does not free the outer one's memory", () => {
  const host = new MiniHost(probe);
  host.start('{"name":"p"}');
  host.request(2, [[":path", "/"]]);
  host.setProperty("output", "");
  host.maps.set(0, [
    [":path", "/read"],
    ["x-many", "value"],
  ]);
  host.call("proxy_on_context_create", 3, 1);
  host.onHostcall = () => host.call("proxy_on_tick", 1);
  host.call("proxy_on_request_headers", 3, 2, 1);
  expect(host.logs).toContain("2 tick");
  expect(host.output()?.split("|")[1]).toBe("value");
});

test("encodes a text larger than every block", () => {
  const host = new MiniHost(probe);
  expect(host.call("probe_large", 1_000_000)).toBe(2_000_000);
  expect(host.call("probe_large", 3)).toBe(6);
});
