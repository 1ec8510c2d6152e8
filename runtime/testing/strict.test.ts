// What strict checks find, and the doubles of a test, by a guest that does what it is told.
import { afterEach, expect, test } from "vitest";
import { constant, guestBuilder, op } from "../src/module/wasm-builder-for-test.ts";
import { compileGuest } from "../test/guests/compile.ts";
import {
  loadFilter,
  openFilters,
  StrictError,
  type TestFilter,
  type TestOptions,
} from "./index.ts";

afterEach(async () => {
  for (const filter of openFilters()) await filter.close();
});

/** A guest that runs these lines: `<callback>[#n] <operation> <arguments...>`. */
async function scripted(
  lines: readonly string[],
  options: TestOptions & { vmId?: string } = {},
): Promise<TestFilter> {
  return loadFilter(await compileGuest("script"), { ...options, vmConfig: lines.join("\n") });
}

async function failure(promise: Promise<unknown>): Promise<Error> {
  return promise.then(
    () => new Error("it did not fail"),
    (error: Error) => error,
  );
}

/** What it fails with, without the frames of the guest's own code. */
async function told(promise: Promise<unknown>): Promise<string> {
  return (await failure(promise)).message.replaceAll(/\n {2}at .*/g, "\n  at ...");
}

const messages = (t: TestFilter): string[] => t.logs.map(({ message }) => message);

test.each([
  ["request headers in a response", "response_headers get_header_map_value 0 :path"],
  ["response headers in a request", "request_headers get_header_map_value 2 :status"],
  ["request headers in a tick", "tick get_header_map_pairs 0"],
  ["request headers once continued", "request_body replace_header_map_value 0 a b"],
])("%s are refused", async (_name, line) => {
  const t = await scripted(["configure set_tick_period 10", line]);
  const run = async (): Promise<void> => {
    const s = await t.request({ body: "b", method: "POST" });
    await s.respond({});
    await t.advance(20);
  };
  const error = await failure(run());
  expect(error).toBeInstanceOf(StrictError);
  expect(error.message).toContain("which are not there now: proxy_");
  expect((error as StrictError).check).toBe("wrongPhase");
});

test.each([
  ["trailers that did not come", "request_headers get_header_map_value 1 x"],
  ["request headers in a log", "log get_header_map_value 0 :path"],
  ["headers of its own callback", "request_headers get_header_map_value 0 none"],
])("to look for %s is no fault", async (_name, line) => {
  const t = await scripted([line]);
  await (await t.request({})).respond({});
  expect(messages(t).some((message) => message.includes("get_header_map_value"))).toBe(true);
});

test("a request that was answered cannot go on, nor be answered again", async () => {
  const reply = "request_headers send_local_response 403 because no ~ -1";
  const on = await scripted([reply, "request_headers continue_stream 0"]);
  expect(await told(on.request({}))).toMatchInlineSnapshot(`
    "proxy_on_request_headers calls proxy_continue_stream after a local reply: the request was answered, and there is nothing to continue.
      at ...
      at ...
      at ...
      at ...
    (strict check "afterReply": { strict: { afterReply: false } } turns it off)"
  `);
  const twice = await scripted([reply, reply]);
  expect((await failure(twice.request({}))).message).toContain("answered already");
  const lax = await scripted([reply, reply], { strict: { afterReply: false } });
  const s = await lax.request({});
  expect(s.localReply).toMatchObject({ status: 403, text: "no", details: "because" });
  await expect(s.respond({})).rejects.toThrow(
    "the upstream cannot respond: the request was answered locally with 403",
  );
});

const CALL = "request_headers http_call auth :method=GET,:path=/c,:authority=h body ~ 500";

test("a call that nobody expects fails the test", async () => {
  const t = await scripted([CALL]);
  expect(await told(t.request({}))).toMatchInlineSnapshot(`
    "an unexpected call to cluster auth: GET /c (h)
      say t.callouts.expect("auth") before it
      at ...
      at ...
      at ...
      at ...
    (strict check "callouts": { strict: { callouts: false } } turns it off)"
  `);
  t.callouts.expect("auth").toMatch({ path: "/other", headers: { a: /b/ } });
  t.callouts.expect("auth").toMatch({ body: { json: { a: 1 } }, timeoutMs: 5 });
  expect(await told(t.request({}))).toMatchInlineSnapshot(`
    "an unexpected call to cluster auth: GET /c (h)
      cluster auth with path "/other", header a: /b/: path: expected "/other", found "/c"; header a: expected /b/, found nothing
      cluster auth with body {"json":{"a":1}}, timeoutMs 5: body: expected {"json":{"a":1}}, found "body"; timeoutMs: expected 5, found 500
      at ...
      at ...
      at ...
      at ...
    (strict check "callouts": { strict: { callouts: false } } turns it off)"
  `);
  const lax = await scripted([CALL], { strict: { callouts: false } });
  await lax.request({});
});

test("what was expected must come, and what came must be answered", async () => {
  const missing = await scripted([]);
  missing.callouts.expect("auth").toMatch({ method: "POST" });
  expect(await told(missing.close())).toMatchInlineSnapshot(`
    "the call to cluster auth with method "POST" was expected, and was not made
    (strict check "callouts": { strict: { callouts: false } } turns it off)"
  `);
  const open = await scripted([CALL, "request_headers return 1"]);
  open.callouts.expect("auth");
  const s = await open.request({});
  expect(s.paused).toBe(true);
  await expect(s.respond({})).rejects.toThrow(
    "the upstream cannot respond: a filter holds the request (proxy_on_request_headers answered " +
      "StopIteration), so nothing has come to it",
  );
  expect(await told(open.close())).toMatchInlineSnapshot(`
    "the call to cluster auth, GET /c (h), was not answered: say reply(), fail() or never()
    (strict check "callouts": { strict: { callouts: false } } turns it off)"
  `);
});

test("a plugin that does not end is told", async () => {
  const t = await scripted(["done return 0"]);
  expect(await told(t.close())).toMatchInlineSnapshot(`
    "the contexts of filter were not deleted: proxy_on_done answered false, and within 10 s proxy_done was not called
    (strict check "contexts": { strict: { contexts: false } } turns it off)"
  `);
  const slow = await scripted(["configure set_tick_period 1000", "done return 0", "tick done"]);
  await slow.close();
});

test("a hostcall in the initialisation refuses the module", async () => {
  const builder = guestBuilder((imports) => {
    imports.importFunction("env", "proxy_get_log_level", ["i32"], ["i32"]);
  });
  builder.func({ exportAs: "_initialize", code: [...constant(0), op.call, 0, op.drop] });
  await expect(loadFilter(builder.build())).rejects.toThrow(
    "restricted callback: proxy_get_log_level in its initialisation",
  );
});

test("properties and foreign functions of the test's own", async () => {
  const t = await scripted([
    "request_headers get_property source%00address",
    "request_headers get_property plugin_name",
    "request_headers get_property my%00number",
    "request_headers get_property request%00path",
    "request_headers call_foreign_function double abc",
    "request_headers call_foreign_function refuse abc",
    "request_headers call_foreign_function unknown abc",
  ]);
  t.properties({ "source.address": "10.0.0.1:5", "my.number": 258, "request.path": null });
  t.foreign("double", (argument) => `${argument.toString()}${argument.toString()}`);
  t.foreign("refuse", () => 2);
  await t.request({ remoteAddress: "1.2.3.4:5" });
  expect(messages(t).filter((line) => line.includes("->"))).toMatchInlineSnapshot(`
    [
      "  get_property source%00address -> 0 [10.0.0.1:5]",
      "  get_property plugin_name -> 0 [filter]",
      "  get_property my%00number -> 0 [%02%01%00%00%00%00%00%00]",
      "  get_property request%00path -> 1",
      "  call_foreign_function double abc -> 0 [abcabc]",
      "  call_foreign_function refuse abc -> 2",
      "  call_foreign_function unknown abc -> 1",
    ]
  `);
});

test("bodies piece by piece, with trailers, both ways", async () => {
  const t = await scripted([]);
  const s = await t.request({ method: "POST", isOpen: true });
  expect(s.isRequestComplete).toBe(false);
  await s.send("a", Buffer.from("b"));
  await s.end({ "x-end": "yes" });
  expect(s.upstreamRequest).toMatchObject({ text: "ab", trailers: { "x-end": "yes" } });
  await s.respond({ status: 206, chunks: ["c"], isOpen: true });
  await s.sendResponse("d");
  expect(s.response).toMatchObject({ status: 206, text: "cd", isComplete: false });
  await s.endResponse({ "grpc-status": "0" });
  expect(s.response).toMatchObject({ isComplete: true, trailers: { "grpc-status": "0" } });
  expect(s.actions.map(({ callback }) => callback.replace("proxy_on_", ""))).toMatchInlineSnapshot(`
    [
      "context_create",
      "request_headers",
      "request_body",
      "request_body",
      "request_trailers",
      "response_headers",
      "response_body",
      "response_body",
      "response_trailers",
      "log",
      "done",
      "delete",
    ]
  `);
  await expect(t.request({ body: "a", chunks: ["b"] })).rejects.toThrow("body and chunks");
});

test("how streams end otherwise", async () => {
  const t = await scripted(["response_headers#2 close_stream 1"]);
  const gone = await t.request({});
  await gone.disconnect();
  expect(gone).toMatchObject({ isOver: true, response: null });
  const failed = await t.request({});
  await failed.failUpstream();
  expect(failed.response?.status).toBe(503);
  const reset = await t.request({});
  await reset.respond({});
  expect(reset.reset).toBe("via_upstream");
});

test("the wall clock is the test's", async () => {
  const t = await scripted([], { now: "2030-01-01T00:00:00Z" });
  expect(new Date(t.nowMs).toISOString()).toBe("2030-01-01T00:00:00.000Z");
  await t.advance(90_000);
  expect(new Date(t.nowMs).toISOString()).toBe("2030-01-01T00:01:30.000Z");
});
