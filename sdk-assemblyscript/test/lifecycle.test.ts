// Contexts from announcement to deletion, and every callback of ABI 0.2.1 reaching its hook.
import { beforeAll, beforeEach, expect, test } from "vitest";
import { compileGuest, MapId, MiniHost } from "./mini-host.ts";

let module: WebAssembly.Module;
let host: MiniHost;

beforeAll(async () => {
  module = await compileGuest("probe", "debug");
});

beforeEach(() => {
  host = new MiniHost(module);
});

const CONFIG = '{"name":"p"}';

test("starts VM and plugin and sets the tick", () => {
  host.call("proxy_on_context_create", 1, 0);
  expect(host.startVm("vm text")).toBe(true);
  expect(host.configure(CONFIG)).toBe(true);
  expect(host.tickMs).toBe(250);
  expect(host.logs).toEqual(["2 vm: vm text"]);
});

test("calls every plugin hook", () => {
  host.start(CONFIG);
  host.call("proxy_on_tick", 1);
  host.call("proxy_on_queue_ready", 1, 9);
  host.call("proxy_on_http_call_response", 1, 2, 3, 4, 5);
  host.call("proxy_on_grpc_receive_initial_metadata", 1, 2, 3);
  host.call("proxy_on_grpc_receive", 1, 2, 3);
  host.call("proxy_on_grpc_receive_trailing_metadata", 1, 2, 3);
  host.call("proxy_on_grpc_close", 1, 2, 14);
  host.call("proxy_on_foreign_function", 1, 2, 3);
  expect(host.logs).toEqual([
    "2 tick",
    "2 queue 9",
    "2 call 2 3 4 5",
    "2 grpc initial 2 3",
    "2 grpc message 2 3",
    "2 grpc trailing 2 3",
    "2 grpc close 2 14",
    "2 foreign 2 3",
  ]);
  expect(host.call("proxy_on_done", 1)).toBe(1);
  host.setProperty("input", "not yet");
  expect(host.call("proxy_on_done", 1)).toBe(0);
});

test("calls every HTTP hook", () => {
  host.start(CONFIG);
  const headers: [string, string][] = [
    [":path", "/x"],
    [":method", "GET"],
    [":authority", "h:1"],
  ];
  expect(host.request(2, headers)).toBe(0);
  host.maps.set(MapId.requestTrailers, []);
  expect(host.call("proxy_on_request_trailers", 2, 0)).toBe(0);
  expect(host.maps.get(MapId.requestTrailers)).toEqual([["x-trailer", "seen"]]);
  host.maps.set(MapId.responseTrailers, [["x-reset", "1"]]);
  expect(host.call("proxy_on_response_trailers", 2, 1)).toBe(0);
  // What resumes within a hook is the hook's answer, and what nobody holds is not resumed at all.
  expect(host.continued).toEqual([]);
  expect(host.closed).toEqual([0]);
  host.call("proxy_on_log", 2);
  expect(host.call("proxy_on_done", 2)).toBe(1);
  host.call("proxy_on_delete", 2);
  expect(host.logs).toEqual(["2 GET h:1/x true", "2 log 2", "2 delete 2"]);
});

test("calls every TCP hook", () => {
  host.start(CONFIG);
  host.setProperty("input", "tcp");
  host.call("proxy_on_context_create", 2, 1);
  expect(host.call("proxy_on_new_connection", 2)).toBe(0);
  host.buffers.set(2, Buffer.from("data"));
  expect(host.call("proxy_on_downstream_data", 2, 4, 0)).toBe(1);
  expect(Buffer.from(host.buffers.get(2) ?? []).toString()).toBe("data!");
  expect(host.call("proxy_on_upstream_data", 2, 4, 1)).toBe(0);
  host.call("proxy_on_downstream_connection_close", 2, 2);
  host.call("proxy_on_upstream_connection_close", 2, 1);
  expect(host.continued).toEqual([2]);
  expect(host.closed).toEqual([2]);
  expect(host.logs).toEqual(["2 new connection p", "2 downstream closed 2", "2 upstream closed 1"]);
});

test("warns of events for contexts that are unknown, over, or of another kind", () => {
  host.start(CONFIG);
  host.request(2, [[":path", "/"]]);
  host.call("proxy_on_delete", 2);
  host.logs.length = 0;
  expect(host.call("proxy_on_request_headers", 2, 1, 1)).toBe(0);
  expect(host.call("proxy_on_response_body", 77, 1, 1)).toBe(0);
  expect(host.call("proxy_on_request_headers", 1, 1, 1)).toBe(0);
  expect(host.call("proxy_on_new_connection", 0)).toBe(0);
  host.call("proxy_on_http_call_response", 0xffffffff, 1, 1, 1, 1);
  expect(host.call("proxy_on_done", 2)).toBe(1);
  host.call("proxy_on_log", 2);
  expect(host.logs).toEqual([2, 77, 1, 0, 4294967295, 2, 2].map((id) => `3 no context ${id}`));
  host.call("proxy_on_delete", 2);
  host.call("proxy_on_context_create", 0, 1);
});

test("does not filter streams of a plugin that was never configured", () => {
  host.call("proxy_on_context_create", 1, 0);
  expect(host.request(2, [[":path", "/reply"]])).toBe(0);
  expect(host.reply).toBeUndefined();
  expect(host.configure("{broken")).toBe(false);
  expect(host.request(3, [[":path", "/reply"]])).toBe(0);
  expect(host.reply).toBeUndefined();
});

test("refuses to configure a context that was never announced", () => {
  expect(host.configure(CONFIG, 5)).toBe(false);
});

test("announcing a plugin again keeps it", () => {
  host.start(CONFIG);
  host.call("proxy_on_context_create", 1, 0);
  expect(host.request(2, [[":path", "/reply"]])).toBe(1);
});

test("several plugins of one VM keep their own configuration, chosen by root id", () => {
  host.start('{"name":"first"}', 1);
  host.setProperty("plugin_root_id", "zweite Würzel");
  host.start("anything", 2);
  host.setProperty("plugin_root_id", "some other");
  host.start('{"name":"third"}', 3);
  const names = [1, 2, 3].map((root) => {
    host.request(10 + root, [[":path", "/"]], root);
    host.buffers.set(1, Buffer.from(""));
    host.call("proxy_on_response_body", 10 + root, 0, 1);
    return Buffer.from(host.buffers.get(1) ?? []).toString();
  });
  expect(names).toEqual(["first", "second", "third"]);
});

test("keeps thousands of interleaved streams apart and forgets them", () => {
  host.start(CONFIG);
  const live: number[] = [];
  let seed = 7;
  for (let id = 2; id < 6000; id += 1) {
    host.call("proxy_on_context_create", id, 1);
    live.push(id);
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    if (live.length < 500 || (seed & 0x10000) === 0) continue;
    const [gone] = live.splice((seed >>> 17) % live.length, 1);
    host.call("proxy_on_delete", gone ?? 0);
  }
  host.logs.length = 0;
  for (const id of live) host.call("proxy_on_log", id);
  expect(host.logs).toEqual(live.map((id) => `2 log ${id}`));
  for (const id of live) host.call("proxy_on_delete", id);
  host.logs.length = 0;
  for (let id = 2; id < 6000; id += 1) host.call("proxy_on_log", id);
  expect(host.logs.every((line) => line.startsWith("3 no context "))).toBe(true);
});

test("memory stays flat over many streams", () => {
  host.start(CONFIG);
  const stream = (id: number): void => {
    host.request(id, [
      [":path", "/read"],
      ["x-long", "v".repeat(2000)],
    ]);
    host.call("proxy_on_delete", id);
  };
  for (let id = 2; id < 500; id += 1) stream(id);
  const before = host.memoryBytes;
  for (let id = 500; id < 5000; id += 1) stream(id);
  expect(host.memoryBytes - before).toBeLessThanOrEqual(65_536);
});
