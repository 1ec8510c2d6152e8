// What only a host of our own shows: hostile header lists and status texts, bodies that are not
// there, properties of every type, and how often the host is asked. The rest is in real-host.test.ts.
import { beforeAll, beforeEach, expect, test } from "vitest";
import { compileGuest, encodePairs, MapId, MiniHost } from "./mini-host.ts";

let module: WebAssembly.Module;
let host: MiniHost;

beforeAll(async () => {
  module = await compileGuest("probe", "debug");
});

beforeEach(() => {
  host = new MiniHost(module);
  host.start('{"name":"p"}');
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

test("asks for the log level once per callback", () => {
  host.logLevel = 6;
  for (const context of [2, 3]) {
    host.calls.length = 0;
    host.request(context, [[":path", "/log"]]);
    expect(host.calls.filter((name) => name === "proxy_get_log_level")).toHaveLength(1);
  }
  expect(host.logs).toEqual([]);
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

test.each(["", "abc", "-1", "99999999999", "4294967297", "2 0"])("reads status %j as 0", (text) => {
  host.request(2, [[":path", "/a"]]);
  host.maps.set(MapId.responseHeaders, [[":status", text]]);
  host.call("proxy_on_response_headers", 2, 1, 0);
  expect(host.output()).toBe("0 /a");
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
