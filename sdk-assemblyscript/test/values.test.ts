// What filters ask the host for, in the proxy's own wasm host: shared data, queues, foreign functions,
// time, metrics with labels, properties, structured log.
import { createFilterHost, type FilterExchange, type FilterHost } from "@headgate/runtime/testing";
import { afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { compileGuest, encodePairs, guestPath, MiniHost } from "./mini-host.ts";

let module: string;
let host: FilterHost;

beforeAll(async () => {
  module = await guestPath("values", "debug");
});

beforeEach(async () => {
  host = await createFilterHost({ module, logLevel: "info", seed: 1 });
});

afterEach(() => host.close());

function request(path: string, headers: Record<string, string> = {}): FilterExchange {
  return host.request({ path, headers });
}

const messages = (): string[] =>
  host.logs.filter((line) => line.isGuests).map((line) => line.message);

test("shared data is set, read and compared", () => {
  expect(request("/get").text).toBe("none 1");
  expect(request("/set").text).toBe("true");
  expect(request("/get").text).toBe("é 2 true");
  expect(request("/cas").text).toBe("true false 8 first");
});

test("shared data is changed by a function, from nothing on", () => {
  expect(request("/update").text).toBe("true false 0");
  expect(request("/update").text).toBe("true false 00");
});

test("a change gives up after ten rounds in which others were faster", () => {
  expect(request("/contended").text).toBe("false 10 8");
});

test("a shared counter adds, reads, sets, and leaves what is none", () => {
  expect(request("/counter").text).toBe("true 1 true -2 true true true 42 false 3 0");
});

test("a queue is found by its name, keeps its order and tells its plugin", () => {
  expect(request("/queue").text).toBe("true true true 2 true 7");
  host.tick(100);
  expect(messages()).toEqual(expect.arrayContaining(["job öne", "job two", "no more 7"]));
});

test("foreign functions of the host are called, and missing ones named", () => {
  expect(request("/foreign").text).toBe("true 1 abcabcabc true 0");
});

test("tells the time", () => {
  const [ns = "", ms = ""] = request("/time").text.split(" ");
  expect(BigInt(ns) / 1_000_000n).toBe(BigInt(ms));
  expect(new Date(Number(ms)).toISOString()).toMatch(/^2026-01-01T00:00:01/);
  host.tick(5000);
  expect(Number(request("/time").text.split(" ")[1]) - Number(ms)).toBe(5000);
});

test("reads maps and lists of properties, and the size of a map", () => {
  const exchange = request("/maps", { "x-a": "1", "x-b": "2" });
  const size = ":methodGET:path/maps:authorityexample.com:schemehttpx-a1x-b2".length;
  expect(exchange.text).toBe(`x-a=1 x-b=2 0 0 0 ${size}`);
});

test("labels make one metric for each combination, and no more than were allowed", () => {
  request("/labels", { "x-route": "a.b/c" });
  request("/labels", { "x-route": "a.b/c" });
  request("/labels");
  for (let i = 0; i < 50; i += 1) request("/labels", { "x-route": `r${i}` });
  expect(host.metrics.names).toEqual([
    "values.requests.code.200.route.a_b_c",
    "values.live.zone._",
    "values.sizes",
    "values.requests.code.200.route._",
    "values.requests.code.200.route.r0",
    "values.requests.code.other.route.other",
  ]);
  expect(host.metrics.get("values.requests.code.200.route.a_b_c")).toBe(2);
  expect(host.metrics.get("values.requests.code.other.route.other")).toBe(49);
  expect(host.metrics.get("values.live.zone._")).toBe(53);
  expect(host.metrics.get("values.sizes")).toBe(53);
});

test("a value in a structured line cannot end it or make up another", () => {
  request("/log", { "x-value": 'a b="c"' });
  expect(messages()).toEqual([
    'a line plain=a/b:c x="a b=\\"c\\""',
    'unicode ü="ö\\n\\u000d\\u0009\\\\ = \\u2028\\u0085"',
  ]);
  request("/log");
  expect(messages()[2]).toBe('a line plain=a/b:c x=""');
});

test("reads what a list holds, and what a foreign function is given", async () => {
  const mini = new MiniHost(await compileGuest("values", "debug"));
  mini.start("");
  mini.setProperty(
    "no",
    encodePairs([
      ["a", ""],
      ["b", ""],
    ]),
  );
  mini.setProperty("no/such", encodePairs([["k", "v"]]));
  mini.setProperty("source/address", Buffer.from([9, 0, 0, 0, 1]));
  mini.request(2, [[":path", "/maps"]]);
  expect(mini.reply?.body).toMatch(/^1 2 0 /);
  mini.buffers.set(8, Buffer.from("abc"));
  mini.call("proxy_on_foreign_function", 1, 7, 3);
  mini.buffers.delete(8);
  mini.call("proxy_on_foreign_function", 1, 8, 0);
  expect(mini.logs).toEqual(["2 function 7 3 3", "2 function 8 0 -1"]);
});
