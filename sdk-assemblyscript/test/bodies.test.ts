// Whole bodies in the proxy's own wasm host: collected, changed, too large, with trailers, held.
import { createFilterHost, type FilterExchange, type FilterHost } from "@headgate/runtime/testing";
import { afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { guestPath } from "./mini-host.ts";

let module: string;
let host: FilterHost;

beforeAll(async () => {
  module = await guestPath("bodies", "debug");
});

beforeEach(async () => {
  host = await createFilterHost({
    module,
    clusters: { auth: ({ body }) => ({ status: 200, body: `[${body.toString()}]` }) },
  });
});

afterEach(() => host.close());

function post(
  path: string,
  body: string | string[],
  more: Parameters<FilterHost["request"]>[0] = {},
): FilterExchange {
  const length = (Array.isArray(body) ? body.join("") : body).length;
  const headers = { "content-length": `${length}` };
  return host.request({ method: "POST", path, body, headers, ...more });
}

test.each([
  ["/reverse", "cba"],
  ["/double", "abcabc"],
  ["/empty", ""],
  ["/other", "abc"],
])("the hook gets a request's body whole and may change it: %s", (path, expected) => {
  const { upstreamRequest, messages } = post(path, ["a", "b", "c"]);
  expect(upstreamRequest?.body.toString()).toBe(expected);
  expect(messages).toEqual(["whole 3"]);
  expect(upstreamRequest?.headers).not.toHaveProperty("content-length");
});

test("a filter that keeps the length keeps content-length", () => {
  expect(post("/same", "abc").upstreamRequest?.headers["content-length"]).toBe("3");
});

test("a request without a body has no such hook, and one that is not collected comes in pieces", () => {
  expect(host.request({ path: "/reverse" }).messages).toEqual([]);
  const { messages, upstreamRequest } = post("/stream", ["a", "b"]);
  expect(messages).toEqual(["piece 1 false", "piece 1 false", "piece 0 true"]);
  expect(upstreamRequest?.headers["content-length"]).toBe("2");
});

test("the hook comes before the trailers' when the body ends with those", () => {
  const { upstreamRequest, messages } = post("/double", ["ab", "c"], { trailers: { "x-a": "1" } });
  expect(messages).toEqual(["whole 3"]);
  expect(upstreamRequest?.body.toString()).toBe("abcabc");
  expect(upstreamRequest?.trailers).toEqual({ "x-a": "1", "x-trailer": "seen" });
});

test("the hook may answer, or ask a cluster while the body waits", () => {
  const denied = post("/denied", ["a", "b"]);
  expect(denied).toMatchObject({ status: 403, text: "denied ab" });
  // The headers were out before the body was whole: as in Envoy.
  expect(denied.upstreamRequest?.body).toHaveLength(0);
  const asked = post("/asked", ["a", "b", "c"]);
  expect(asked.upstreamRequest?.body.toString()).toBe("[abc]");
  expect(asked.messages).toEqual(["whole 3", "now 3"]);
  const held = post("/held", ["a", "bc"]);
  expect(held.upstreamRequest?.headers["x-held"]).toBe("[]");
  expect(held.messages).toEqual(["whole 3"]);
});

test("a body past the limit is answered with 413, told by its length or by its bytes", () => {
  const long = "x".repeat(21);
  const announced = post("/other", long);
  expect(announced).toMatchObject({ status: 413, upstreamRequest: null });
  expect(announced.localReply?.details).toBe("request_body_too_large");
  const found = host.request({ method: "POST", path: "/other", body: ["x".repeat(20), "y"] });
  expect(found.status).toBe(413);
  expect(host.request({ method: "POST", path: "/other", body: "x".repeat(20) }).status).toBe(200);
});

test("a filter may let pass what is too large", () => {
  const pieces = ["x".repeat(15), "y".repeat(15), "z"];
  for (const headers of [{}, { "content-length": "31" }] as Record<string, string>[]) {
    const exchange = host.request({ method: "POST", path: "/large", body: pieces, headers });
    expect(exchange.upstreamRequest?.body.toString()).toBe(pieces.join(""));
    expect(exchange.messages.at(-1)).toBe("piece 0 true");
  }
});

test("a length that is no number, or none at all, does not fool the limit", () => {
  for (const length of ["", "abc", "-1", "99999999999999999999", "4294967297"]) {
    const headers = { "content-length": length };
    const body = ["x".repeat(15), "y".repeat(15)];
    expect(host.request({ method: "POST", path: "/other", body, headers }).status).toBe(413);
  }
});

test("a response's body is collected and changed the same way", () => {
  const upstream = { headers: { "content-length": "2" }, body: ["a", "b"] };
  const exchange = host.request({ path: "/response", upstream });
  expect(exchange.text).toBe("<ab>");
  expect(exchange.headers).not.toHaveProperty("content-length");
  const same = host.request({ path: "/response/same", upstream });
  expect(same.headers["content-length"]).toBe("2");
  const trailers = { "x-a": "1" };
  const ended = host.request({ path: "/response", upstream: { body: "c", trailers } });
  expect(ended.text).toBe("<c>");
  expect(ended.trailers).toEqual({ "x-a": "1", "x-trailer": "seen" });
});

test("a response's body past the limit is 500, or a reset when its headers are out", () => {
  const body = ["x".repeat(20), "y"];
  const headers = { "content-length": "21" };
  const announced = host.request({ path: "/response", upstream: { headers, body } });
  expect(announced.status).toBe(500);
  expect(announced.text).toBe("response body too large");
  const found = host.request({ path: "/response", upstream: { body } });
  expect(found.reset).not.toBeNull();
  expect(found.text).toBe("");
});

test("an answer of our own is collected as any other, once", () => {
  const exchange = post("/denied", "abc");
  expect(exchange.text).toBe("denied abc");
  expect(exchange.reset).toBeNull();
});
