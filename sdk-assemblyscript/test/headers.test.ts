// Header maps, bodies, local replies, logging, metrics and properties, seen from the host.
import { beforeAll, beforeEach, expect, test } from "vitest";
import { BufferId, compileGuest, encodePairs, MapId, MiniHost } from "./mini-host.ts";

let module: WebAssembly.Module;
let host: MiniHost;

beforeAll(async () => {
  module = await compileGuest("probe", "debug");
});

beforeEach(() => {
  host = new MiniHost(module);
  host.start('{"name":"p"}');
});

const latin1 = (text: string): string => Buffer.from(text).toString("latin1");

test("reads headers by name, by place and all together", () => {
  host.request(2, [
    [":path", "/read"],
    ["x-many", "first"],
    ["x-empty", ""],
    ["x-many", "second"],
    ["x-name", latin1("Zoë")],
  ]);
  expect(host.output()?.split("|")).toEqual([
    ":path,x-many,x-empty,x-name",
    "first,second",
    "truefalse",
    "null",
    "truefalsefalse",
    "x-many=first",
    "null",
    "Àbcxyz@[",
    "/read",
    "first",
    "",
    "second",
    "Zoë",
  ]);
});

test("changes headers, names in lower case, values as UTF-8", () => {
  host.request(2, [
    [":path", "/change"],
    [":scheme", "https"],
    ["x-many", "first"],
    ["x-gone", "1"],
  ]);
  expect(host.maps.get(MapId.requestHeaders)).toEqual([
    [":scheme", "https"],
    ["x-many", "first"],
    ["x-set", latin1("één")],
    ["x-many", "third"],
    [":path", "/changed"],
    ["x-empty", ""],
    ["x-dynamic", "https"],
  ]);
});

test("moves bytes that are not UTF-8 without changing them", () => {
  const raw = "\xff\x80 caf\xe9";
  host.request(2, [
    [":path", "/bytes"],
    ["x-raw", raw],
  ]);
  const copies = host.maps.get(MapId.requestHeaders)?.filter(([name]) => name === "x-raw-copy");
  expect(copies).toEqual([
    ["x-raw-copy", raw],
    ["x-raw-copy", raw],
  ]);
});

test("refuses line breaks in values and what is no name, and changes nothing", () => {
  const headers: [string, string][] = [[":path", "/refuse"]];
  host.request(2, headers);
  expect(host.output()).toBe(`${"false".repeat(11)}true`);
  expect(host.maps.get(MapId.requestHeaders)).toEqual([[":path", "/refuse"]]);
  expect(host.logs.filter((line) => line.startsWith("3 "))).toHaveLength(11);
});

test("survives header lists that lie about their lengths, or end too early", () => {
  const pairs = Buffer.from(
    encodePairs([
      ["x-many", "first"],
      ["x-name", "second"],
    ]),
  );
  let context = 2;
  const read = (bytes: Uint8Array): string | undefined => {
    host.rawPairs = bytes;
    host.request((context += 1), [[":path", "/read"]]);
    return host.output();
  };
  expect(read(pairs)).toContain("|first|second");
  for (let at = 0; at < pairs.length; at += 1) {
    expect(read(pairs.subarray(0, at))).not.toContain("|first|second");
    for (const byte of [1, 0x7f, 0x80, 0xff]) {
      const broken = Buffer.from(pairs);
      broken[at] = byte;
      expect(read(broken)).toBeDefined();
    }
  }
});

test("sends a local reply and pauses", () => {
  expect(host.request(2, [[":path", "/reply"]])).toBe(1);
  expect(host.reply).toEqual({
    status: 429,
    details: "too fast",
    body: "slow dówn",
    headers: [["retry-after", "5"]],
    grpcStatus: 8,
  });
});

test("sends an impossible status as 500", () => {
  host.request(2, [[":path", "/reply-bytes"]]);
  expect(host.reply).toMatchObject({ status: 500, body: "\0\0\0", grpcStatus: -1, headers: [] });
  expect(host.logs).toContain("4 local reply with status 9999: sent as 500");
});

test.each([
  [0, ["0 t", "1 d", "2 ï", "3 w", "4 e", "5 c"], "true"],
  [3, ["3 w", "4 e", "5 c"], "false"],
  [6, [], "false"],
])("logs from level %i on, and asks for the level once per callback", (level, lines, debug) => {
  host.logs.length = 0;
  host.logLevel = level;
  host.request(2, [[":path", "/log"]]);
  expect(host.logs).toEqual(lines);
  expect(host.output()).toBe(debug);
  expect(host.calls.filter((name) => name === "proxy_get_log_level")).toHaveLength(1);
  host.calls.length = 0;
  host.request(3, [[":path", "/log"]]);
  expect(host.calls.filter((name) => name === "proxy_get_log_level")).toHaveLength(1);
});

test("defines a metric at its first use and only then", () => {
  expect(host.metrics).toEqual([]);
  host.request(2, [[":path", "/"]]);
  host.request(3, [[":path", "/"]]);
  expect(host.metrics).toEqual([
    { type: 0, name: "probe.requests", value: 2n },
    { type: 1, name: "probe.live", value: 2n },
    { type: 2, name: "probe.sizes", value: 1n },
  ]);
  host.maps.set(MapId.responseHeaders, [[":status", "200"]]);
  host.call("proxy_on_response_headers", 2, 1, 1);
  expect(host.metrics[1]?.value).toBe(1n);
  expect(host.call("probe_counter")).toBe(1002n);
});

test("reads and sets the status, and the request in a response hook", () => {
  host.request(2, [[":path", "/a"]]);
  host.maps.set(MapId.responseHeaders, [[":status", "404"]]);
  host.call("proxy_on_response_headers", 2, 1, 0);
  expect(host.output()).toBe("404 /a");
  expect(host.maps.get(MapId.responseHeaders)).toEqual([[":status", "201"]]);
});

test.each(["", "abc", "-1", "99999999999", "4294967297", "2 0"])("reads status %j as 0", (text) => {
  host.request(2, [[":path", "/a"]]);
  host.maps.set(MapId.responseHeaders, [[":status", text]]);
  host.call("proxy_on_response_headers", 2, 1, 0);
  expect(host.output()).toBe("0 /a");
});

test.each([
  ["replace", "ein anderer Körper", 19],
  ["grow", "<grow>", 6],
  ["bytes", "yteyteyte", 9],
  ["clear", "", 0],
  ["other", "other", 5],
])("changes a body: %s", (given, expected, length) => {
  host.request(2, [[":path", "/"]]);
  host.buffers.set(BufferId.requestBody, Buffer.from(given));
  expect(host.call("proxy_on_request_body", 2, given.length, 1)).toBe(0);
  expect(Buffer.from(host.buffers.get(BufferId.requestBody) ?? []).toString()).toBe(expected);
  expect(host.logs).toContain(`2 now ${length}`);
});

test("reads null from a body that is not there", () => {
  host.request(2, [[":path", "/"]]);
  expect(host.call("proxy_on_request_body", 2, 5, 0)).toBe(0);
  expect(host.logs).toContain("2 no body 1");
});

test("reads properties of every type, and falls back where there is none", () => {
  host.properties.set("port", Buffer.from([0x50, 0, 0, 0, 0, 0, 0, 1]));
  host.properties.set("offset", Buffer.from("ffffffffffffffff", "hex"));
  host.properties.set("ratio", Buffer.from(new Float64Array([1.5]).buffer));
  host.properties.set("flag", Buffer.from([0]));
  host.properties.set("source/address", Buffer.from("text"));
  host.call("probe_properties");
  expect(host.output()).toBe("72057594037928016|-1|1.5|false|5|null1");
});
