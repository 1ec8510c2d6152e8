// The matchers: each holds and fails, and its failure says what there is instead.
import { beforeAll, describe, expect, test } from "vitest";
import { compileGuest } from "../test/guests/compile.ts";
import { loadFilter, openFilters, type TestFilter } from "./index.ts";
import "./vitest.ts";

let module: Uint8Array;
beforeAll(async () => {
  module = await compileGuest("script");
});

function scripted(...lines: readonly string[]): Promise<TestFilter> {
  return loadFilter(module, { vmConfig: lines.join("\n"), strict: { callouts: false } });
}

const CALL = "request_headers http_call auth :method=GET,:path=/c,:authority=h body ~ 500";

/** What the failing expectation says. */
function text(expectation: () => void): string {
  try {
    expectation();
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error("it did not fail");
}

test("filters end after each test", () => {
  expect(openFilters()).toEqual([]);
});

describe("where a stream is", () => {
  test("toBePaused", async () => {
    const t = await scripted("request_headers return 1", "request_headers log 3 careful");
    const s = await t.request({ path: "/orders" });
    expect(s).toBePaused();
    expect(s).toBePaused("request");
    expect(s).not.toBePaused("response");
    expect(s).not.toHaveReachedUpstream();
    expect(text(() => expect(s).not.toBePaused())).toMatchInlineSnapshot(`
      "expected GET /orders not to be paused
      found: it is paused in its request (proxy_on_request_headers answered StopIteration)
      logged: [warn] careful"
    `);
    expect(text(() => expect(s).toBePaused("response"))).toMatchInlineSnapshot(`
      "expected GET /orders to be paused in its response
      found: it is paused in its request (proxy_on_request_headers answered StopIteration)
      logged: [warn] careful"
    `);
    expect(text(() => expect(s).toHaveReachedUpstream())).toMatchInlineSnapshot(`
      "expected GET /orders to have reached the upstream
      found: it is paused in its request (proxy_on_request_headers answered StopIteration)
      logged: [warn] careful"
    `);
  });

  test("toHaveReachedUpstream, toHaveResponse", async () => {
    const t = await scripted();
    const s = await t.request({ method: "PUT", path: "/a", body: "b" });
    expect(s).toHaveReachedUpstream();
    expect(text(() => expect(s).toBePaused())).toMatchInlineSnapshot(`
      "expected PUT /a to be paused
      found: it went on to the upstream as PUT /a, which has not answered"
    `);
    expect(text(() => expect(s).toHaveResponse(200))).toMatchInlineSnapshot(`
      "expected PUT /a to have a response with 200
      found: it went on to the upstream as PUT /a, which has not answered"
    `);
    await s.respond(201);
    expect(s).toHaveResponse(201);
    expect(s).toHaveResponse();
    expect(text(() => expect(s).toHaveResponse(200))).toMatchInlineSnapshot(`
      "expected PUT /a to have a response with 200
      found: a response of the upstream's with 201"
    `);
    expect(text(() => expect(s).toHaveLocalReply(403))).toMatchInlineSnapshot(`
      "expected PUT /a to be answered locally with 403
      found: a response of the upstream's with 201"
    `);
  });

  test("toHaveLocalReply", async () => {
    const t = await scripted("request_headers send_local_response 403 because no%0a x-why=me -1");
    const s = await t.request({ path: "/secret" });
    expect(s).toHaveLocalReply();
    expect(s).toHaveLocalReply(403);
    expect(s).toHaveLocalReply({ body: /^no/, details: "because", headers: { "x-why": "me" } });
    expect(s.localReply).toHaveHeader("x-why", "me");
    expect(text(() => expect(s).not.toHaveLocalReply())).toMatchInlineSnapshot(`
      "expected GET /secret not to be answered locally
      found: a local reply with 403, details because, body "no\\n""
    `);
    expect(text(() => expect(s).toHaveLocalReply(401))).toMatchInlineSnapshot(`
      "expected GET /secret to be answered locally with 401
      found: a local reply with 403, details because, body "no\\n"
             status: expected 401, found 403"
    `);
    expect(
      text(() => expect(s).toHaveLocalReply({ status: 403, body: "yes", headers: { a: "b" } })),
    ).toMatchInlineSnapshot(`
      "expected GET /secret to be answered locally with 403
      found: a local reply with 403, details because, body "no\\n"
             body: expected "yes", found "no\\n"
             header a: expected "b", found nothing"
    `);
  });

  test("toBeReset", async () => {
    const t = await scripted("request_headers close_stream 0");
    const s = await t.request();
    expect(s).toBeReset();
    expect(s).toBeReset("wasm_close_stream");
    expect(text(() => expect(s).toBeReset(/upstream/))).toMatchInlineSnapshot(`
      "expected GET / to be reset with /upstream/
      found: it was reset: wasm_close_stream"
    `);
    expect(text(() => expect(s).not.toBeReset())).toMatchInlineSnapshot(`
      "expected GET / not to be reset
      found: it was reset: wasm_close_stream"
    `);
  });
});

test("toHaveHeader, toHaveTrailer, toHaveBody", async () => {
  const t = await scripted();
  const s = await t.request({
    headers: { "X-A": "1" },
    body: '{"a":[1]}',
    trailers: { "x-t": "2" },
  });
  const { upstreamRequest } = s;
  expect(upstreamRequest).toHaveHeader("x-a");
  expect(upstreamRequest).toHaveHeader("X-A", "1");
  expect(upstreamRequest).toHaveHeader("x-a", /^\d$/);
  expect(upstreamRequest).toHaveHeader("x-b", null);
  expect(upstreamRequest).toHaveTrailer("x-t", "2");
  expect(upstreamRequest).toHaveBody('{"a":[1]}');
  expect(upstreamRequest).toHaveBody({ json: { a: [1] } });
  expect(upstreamRequest).not.toHaveBody({ json: expect.objectContaining({ b: 1 }) as unknown });
  expect(text(() => expect(upstreamRequest).toHaveHeader("x-b"))).toMatchInlineSnapshot(`
    "expected the message to have header x-b
    found: only :authority, :path, :method, :scheme, x-a"
  `);
  expect(text(() => expect(upstreamRequest).toHaveHeader("x-a", "2"))).toMatchInlineSnapshot(`
    "expected the message to have header x-a: "2"
    found: x-a: "1""
  `);
  expect(text(() => expect(upstreamRequest).toHaveHeader("x-a", null))).toMatchInlineSnapshot(`
    "expected the message to have no header x-a
    found: x-a: "1""
  `);
  expect(text(() => expect(upstreamRequest).not.toHaveHeader("x-a"))).toMatchInlineSnapshot(`
    "expected the message not to have header x-a
    found: x-a: "1""
  `);
  expect(text(() => expect(upstreamRequest).toHaveTrailer("x-a"))).toMatchInlineSnapshot(`
    "expected the message to have trailer x-a
    found: only x-t"
  `);
  expect(text(() => expect(upstreamRequest).toHaveBody(/b/))).toMatchInlineSnapshot(`
    "expected the message to have the body /b/
    found: "{\\"a\\":[1]}""
  `);
  expect(text(() => expect(s.response).toHaveHeader("x-a"))).toMatchInlineSnapshot(
    `"toHaveHeader: found null, expected a message: s.upstreamRequest, s.response or s.localReply; it has not come (yet)"`,
  );
  expect(text(() => expect(s).toHaveHeader("x-a"))).toMatchInlineSnapshot(
    `"toHaveHeader: found a stream, which has several messages: say s.upstreamRequest, s.response or s.localReply"`,
  );
  expect(text(() => expect(5).toBePaused())).toMatchInlineSnapshot(
    `"toBePaused: found number, expected a stream, what t.request() resolves with"`,
  );
});

test("toHaveCalledOut", async () => {
  const t = await scripted(CALL);
  t.callouts.expect("auth").reply(200);
  const s = await t.request();
  const other = await t.request();
  expect(s).toHaveCalledOut("auth");
  expect(s).toHaveCalledOut("auth", { path: "/c", body: "body" });
  expect(t).toHaveCalledOut("auth");
  expect(other.callouts).toHaveLength(1);
  expect(text(() => expect(s).toHaveCalledOut("auth", { path: /x/ }))).toMatchInlineSnapshot(`
    "expected GET / to have called cluster auth with path /x/
    found: cluster auth, GET /c (h)
           path: expected /x/, found "/c""
  `);
  expect(text(() => expect(s).toHaveCalledOut("users"))).toMatchInlineSnapshot(`
    "expected GET / to have called cluster users
    found: cluster auth, GET /c (h)"
  `);
  expect(text(() => expect(t).not.toHaveCalledOut("auth"))).toMatchInlineSnapshot(`
    "expected the filter not to have called cluster auth
    found: cluster auth, GET /c (h)
           cluster auth, GET /c (h)"
  `);
  const quiet = await scripted();
  expect(text(() => expect(quiet).toHaveCalledOut("a"))).toMatchInlineSnapshot(`
    "expected the filter to have called cluster a
    found: no calls"
  `);
});

test("toHaveLogged, toHaveMetric", async () => {
  const t = await scripted(
    "configure define_metric 0 my.count",
    "request_headers increment_metric 4 3",
    "request_headers log 3 careful",
  );
  const s = await t.request();
  expect(s).toHaveLogged("careful");
  expect(s).toHaveLogged(/^care/, "warn");
  expect(t).toHaveLogged("careful");
  expect(t).toHaveMetric("my.count", 3);
  expect(text(() => expect(s).toHaveLogged("careful", "error"))).toContain("[warn] careful");
  expect(text(() => expect(s).not.toHaveLogged("careful"))).toContain('logged "careful"\nfound: [');
  expect(text(() => expect(t).toHaveMetric("my.count", 4))).toMatchInlineSnapshot(`
    "expected metric my.count to be 4
    found: 3"
  `);
  expect(text(() => expect(t).toHaveMetric("count", 4))).toMatchInlineSnapshot(`
    "expected metric count to be 4
    found: no such counter or gauge among my.count"
  `);
});
