// A guest in a stream: order of callbacks, maps and bodies by phase, pauses, replies, the end. The
// traces were recorded from Envoy 1.40 with the same guest; what differs on purpose says so.
import { expect, test } from "vitest";
import { type FilterExchange, scriptedHost } from "./guest-script-for-test.ts";
import type { FilterHostOptions, FilterRequest } from "../../test/harness.ts";

interface Run {
  readonly exchange: FilterExchange;
  readonly trace: readonly string[];
}

/** One stream of a scripted guest, and `ms` of time. */
async function run(
  lines: readonly string[],
  request: FilterRequest = {},
  options: Partial<FilterHostOptions> = {},
  ms = 0,
): Promise<Run> {
  const host = await scriptedHost(lines, options);
  const exchange = host.request(request);
  if (ms > 0) host.tick(ms);
  const trace = exchange.messages;
  expect(host.contexts).toBe(exchange.isOver ? 1 : 2);
  host.close();
  return { exchange, trace };
}

/** "get_header_map_value 0 :path -> 2" without its echo. */
function answers(trace: readonly string[]): string[] {
  return trace.filter((line) => line.includes(" -> ")).map((line) => line.split(" -> ")[1] ?? "");
}

test("a request without a body", async () => {
  const { trace, exchange } = await run([]);
  expect(trace).toEqual([
    "create(2,1)",
    "request_headers(2,4,1)",
    "response_headers(2,1,1)",
    "log(2)",
    "done(2)",
    "delete(2)",
  ]);
  expect(exchange.status).toBe(200);
});

test("bodies come in pieces, and over HTTP/1 their end by itself", async () => {
  const { trace, exchange } = await run(["request_body get_buffer_bytes 0 0 max"], {
    method: "POST",
    body: ["abc", "defg"],
    upstream: { body: "hello" },
  });
  expect(trace.slice(1, 11)).toEqual([
    "request_headers(2,4,0)",
    "request_body(2,3,0)",
    "  get_buffer_bytes 0 0 max -> 0 [abc]",
    "request_body(2,4,0)",
    "  get_buffer_bytes 0 0 max -> 0 [defg]",
    "request_body(2,0,1)",
    "  get_buffer_bytes 0 0 max -> 0 [0]",
    "response_headers(2,1,0)",
    "response_body(2,5,0)",
    "response_body(2,0,1)",
  ]);
  expect(exchange.upstreamRequest?.body.toString()).toBe("abcdefg");
  expect(exchange.text).toBe("hello");
});

test("with trailers the last body callback is not the end", async () => {
  const { trace, exchange } = await run(
    [
      "request_trailers get_header_map_value 1 x-t",
      "request_trailers add_header_map_value 1 x-u 2",
      "response_trailers remove_header_map_value 3 x-rt",
      "log get_header_map_value 3 x-s",
      "log get_header_map_value 1 x-t",
    ],
    {
      method: "POST",
      body: "abc",
      trailers: { "x-t": "1" },
      upstream: { body: "hello", trailers: { "x-rt": "r", "x-s": "s" } },
    },
  );
  expect(trace.filter((line) => !line.startsWith(" "))).toEqual([
    "create(2,1)",
    "request_headers(2,4,0)",
    "request_body(2,3,0)",
    "request_trailers(2,1)",
    "response_headers(2,1,0)",
    "response_body(2,5,0)",
    "response_trailers(2,2)",
    "log(2)",
    "done(2)",
    "delete(2)",
  ]);
  expect(answers(trace)).toEqual(["0 [1]", "0", "0", "0 [s]", "1"]);
  expect(exchange.upstreamRequest?.trailers).toEqual({ "x-t": "1", "x-u": "2" });
  expect(exchange.trailers).toEqual({ "x-s": "s" });
});

test("trailers can be made at the end of a body, and nowhere else", async () => {
  const { trace, exchange } = await run(
    [
      "request_body#1 add_header_map_value 1 x-early 1",
      "request_body#2 add_header_map_value 1 x-added 1",
      "request_body#2 get_header_map_value 1 x-added",
      "response_body#2 add_header_map_value 3 x-back 1",
    ],
    { method: "POST", body: "abc", upstream: { body: "hello" } },
  );
  expect(answers(trace)).toEqual(["2", "0", "0 [1]", "0"]);
  expect(exchange.upstreamRequest?.trailers).toEqual({ "x-added": "1" });
  expect(exchange.trailers).toEqual({ "x-back": "1" });
});

test("maps can be reached in their own phase, and read once more in on_log", async () => {
  const { trace } = await run([
    "response_headers get_header_map_value 0 :path",
    "log get_header_map_value 0 :path",
    "log get_header_map_value 2 :status",
    "log get_header_map_value 1 x",
    "log get_header_map_size 0",
    "log replace_header_map_value 0 x y",
    "done get_header_map_value 0 :path",
  ]);
  expect(answers(trace)).toEqual(["2", "0 [/]", "0 [200]", "1", "2", "2", "2"]);
});

test("a changed body goes on as it is", async () => {
  const { exchange, trace } = await run(
    [
      "request_body#1 set_buffer_bytes 0 0 0 pre-",
      "request_body#1 set_buffer_bytes 0 99 0 -post",
      "request_body#1 set_buffer_bytes 0 0 4 PRE+",
      "request_body#1 get_buffer_bytes 0 2 3",
      "response_body#1 set_buffer_bytes 1 0 max %",
      "response_body#2 set_buffer_bytes 1 0 0 tail",
    ],
    { method: "POST", body: "abc", upstream: { body: "hello" } },
  );
  expect(answers(trace)).toEqual(["0", "0", "0", "0 [E+a]", "0", "0"]);
  expect(exchange.upstreamRequest?.body.toString()).toBe("PRE+abc-post");
  expect(exchange.text).toBe("\0tail");
});

test("a part in the middle is replaced, which Envoy refuses", async () => {
  const { exchange } = await run(["request_body#1 set_buffer_bytes 0 1 1 XX"], {
    method: "POST",
    body: "abc",
  });
  expect(exchange.upstreamRequest?.body.toString()).toBe("aXXc");
});

test("a body that is buffered is seen whole", async () => {
  const { trace, exchange } = await run(
    [
      "request_body return 1",
      "request_body#3 get_buffer_bytes 0 0 max",
      "request_body#3 set_buffer_bytes 0 0 max NEW",
      "request_body#3 return 0",
      "response_body return 1",
      "response_body#2 get_buffer_bytes 1 1 3",
      "response_body#2 return 0",
    ],
    { method: "POST", body: ["abc", "defg"], upstream: { body: "hello" } },
  );
  expect(trace.filter((line) => /body\(/.test(line))).toEqual([
    "request_body(2,3,0)",
    "request_body(2,7,0)",
    "request_body(2,7,1)",
    "response_body(2,5,0)",
    "response_body(2,5,1)",
  ]);
  expect(answers(trace)).toEqual(["0 [abcdefg]", "0", "0 [ell]"]);
  expect(exchange.upstreamRequest?.body.toString()).toBe("NEW");
  expect(exchange.text).toBe("hello");
});

test("a piece may be dropped", async () => {
  const { exchange, trace } = await run(["request_body#1 return 3", "request_body#2 return 2"], {
    method: "POST",
    body: ["abc", "def"],
  });
  expect(trace.filter((line) => /request_body/.test(line)).length).toBe(3);
  expect(exchange.upstreamRequest?.body.toString()).toBe("def");
});

test("paused headers wait for a tick that chooses the stream and lets it go", async () => {
  const { trace, exchange } = await run(
    [
      "request_headers return 1",
      "request_headers set_tick_period 50",
      "tick#1 set_effective_context 2",
      "tick#1 get_header_map_value 0 :path",
      "tick#1 replace_header_map_value 0 x-z 1",
      "tick#1 continue_stream 0",
      "tick#1 get_header_map_value 0 :path",
      "tick#1 set_tick_period 0",
    ],
    { method: "POST", body: "abc" },
    {},
    200,
  );
  expect(trace.filter((line) => !line.startsWith(" "))).toEqual([
    "create(2,1)",
    "request_headers(2,4,0)",
    "tick(1)",
    "request_body(2,3,1)",
    "response_headers(2,1,1)",
    "log(2)",
    "done(2)",
    "delete(2)",
  ]);
  expect(answers(trace)).toEqual(["0", "0", "0 [/]", "0", "0", "2", "0"]);
  expect(exchange.upstreamRequest?.headers["x-z"]).toBe("1");
});

test("by default paused headers keep the body away, with the option they do not", async () => {
  const lines = ["request_headers return 1", "response_headers return 0"];
  const held = await run(lines, { method: "POST", body: "abc", upstream: "never" });
  expect(held.trace.filter((line) => /body\(/.test(line))).toEqual([]);
  expect(held.exchange.upstreamRequest).toBe(null);

  const script = [
    "request_headers return 1",
    "request_body return 1",
    "request_body#3 get_header_map_value 0 :path",
    "request_body#3 replace_header_map_value 0 x-len 6",
    "request_body#3 return 0",
  ];
  const options = { allowOnHeadersStopIteration: true };
  const request = { method: "POST", body: ["abc", "def"] };
  const { trace, exchange } = await run(script, request, options);
  expect(answers(trace)).toEqual(["0 [/]", "0"]);
  expect(exchange.upstreamRequest?.headers["x-len"]).toBe("6");
  expect(exchange.upstreamRequest?.body.toString()).toBe("abcdef");
});

test("while headers wait their content-length follows the body, which Envoy leaves wrong", async () => {
  const { exchange, trace } = await run(
    [
      "request_headers return 1",
      "request_body#1 set_buffer_bytes 0 0 max longer-body",
      "request_body#1 get_header_map_value 0 content-length",
      "request_body#1 return 1",
      "response_headers return 1",
      "response_body#1 return 1",
      "response_body#2 set_buffer_bytes 1 0 max LONGERBODY",
      "response_body#2 get_header_map_value 2 content-length",
    ],
    {
      method: "POST",
      headers: { "content-length": "3" },
      body: "abc",
      upstream: { body: "hello", headers: { "content-length": "5" } },
    },
    { allowOnHeadersStopIteration: true },
  );
  expect(answers(trace)).toEqual(["0", "1", "0", "0 [10]"]);
  expect(exchange.upstreamRequest?.headers["content-length"]).toBe(undefined);
  expect(exchange.upstreamRequest?.body.toString()).toBe("longer-body");
  expect(exchange.headers["content-length"]).toBe("10");
});

test("ContinueAndEndStream is Continue", async () => {
  const { exchange } = await run(["request_headers return 2"], { method: "POST", body: "abc" });
  expect(exchange.upstreamRequest?.body.toString()).toBe("abc");
});

test("continuing in the callback that pauses goes on", async () => {
  const { exchange } = await run([
    "request_headers continue_stream 0",
    "request_headers return 1",
    "response_headers continue_stream 1",
    "response_headers return 3",
  ]);
  expect([exchange.status, exchange.isOver]).toEqual([200, true]);
});

test("a local reply goes back through the filter that made it; a second one has no effect", async () => {
  const { trace, exchange } = await run(
    [
      "request_headers send_local_response 403 some%20details body x-a=1,x-b=2 -1",
      "request_headers send_local_response 404 again b ~ -1",
      "response_headers get_property response%00code",
    ],
    { method: "POST", body: "abc" },
  );
  expect(trace.filter((line) => !line.startsWith(" "))).toEqual([
    "create(2,1)",
    "request_headers(2,4,0)",
    "response_headers(2,5,0)",
    "response_body(2,4,1)",
    "log(2)",
    "done(2)",
    "delete(2)",
  ]);
  expect(answers(trace)).toEqual(["0", "0", "0 [%93%01%00%00%00%00%00%00]"]);
  expect(exchange.localReply).toEqual({ status: 403, details: "some_details", grpcStatus: -1 });
  expect(exchange.headerList).toEqual([
    [":status", "403"],
    ["x-a", "1"],
    ["x-b", "2"],
    ["content-length", "4"],
    ["content-type", "text/plain"],
  ]);
  expect([exchange.text, exchange.upstreamRequest]).toEqual(["body", null]);
});

test("a local reply to a gRPC request is a head with a status", async () => {
  const { exchange, trace } = await run(["request_body send_local_response 200 ok body x-a=1 7"], {
    method: "POST",
    headers: { "content-type": "application/grpc" },
    body: "abc",
  });
  expect(trace).toContain("response_headers(2,5,1)");
  expect(exchange.headers["grpc-status"]).toBe("7");
  expect(exchange.headers["grpc-message"]).toBe("body");
});

test("a local reply in response headers replaces the response past all filters", async () => {
  const lines = ["response_headers send_local_response 500 d body ~ -1"];
  const { exchange, trace } = await run(lines, { upstream: { body: "hello" } });
  expect(trace.filter((line) => /response_/.test(line) && !line.startsWith(" ")).length).toBe(1);
  expect([exchange.status, exchange.text]).toEqual([500, "body"]);
});

test("a local reply after the response's headers are out resets the stream", async () => {
  const lines = ["response_body send_local_response 500 d body ~ -1"];
  const { exchange } = await run(lines, { upstream: { body: "hello" } });
  expect([exchange.reset, exchange.text]).toEqual(["d", ""]);
});

test("closing a stream resets it; details that are known stay", async () => {
  const request = await run(["request_headers close_stream 0"]);
  expect([request.exchange.reset, request.exchange.upstreamRequest]).toEqual([
    "wasm_close_stream",
    null,
  ]);
  const response = await run(["response_headers close_stream 1"], { upstream: { body: "x" } });
  expect(response.exchange.reset).toBe("via_upstream");
});

test("what ends Envoy by a crash has no effect", async () => {
  const { exchange, trace } = await run([
    "request_headers continue_stream 1",
    "log send_local_response 500 d body ~ -1",
    "log close_stream 0",
    "log continue_stream 0",
    "done send_local_response 500 d body ~ -1",
    "delete close_stream 0",
  ]);
  expect(answers(trace)).toEqual(["0", "0", "0", "0", "0", "0"]);
  expect([exchange.status, exchange.reset]).toEqual([200, null]);
});

test("the answer false to on_done of a stream is ignored", async () => {
  const { trace } = await run(["done return 0", "done done", "delete done"]);
  expect(answers(trace)).toEqual(["1", "1"]);
  expect(trace.at(-2)).toBe("delete(2)");
});

test("however many request headers change, the route is chosen again once a callback", async () => {
  const { exchange } = await run([
    "request_headers add_header_map_value 0 a 1",
    "request_headers remove_header_map_value 0 a",
    "response_headers add_header_map_value 2 a 1",
  ]);
  expect(exchange.routeCacheClears).toBe(1);
});

test("a stream that never came to the filter is logged, without its response", async () => {
  // The first copy answers by itself, so the second one sees no headers.
  const host = await scriptedHost(["request_headers send_local_response 403 d b ~ -1"], {
    copies: 2,
  });
  const trace = host.request().messages;
  expect(trace.filter((line) => !line.startsWith(" "))).toEqual([
    "create(2,1)",
    "request_headers(2,4,1)",
    "response_headers(2,3,0)",
    "response_body(2,1,1)",
    "log(2)",
    "create(3,1)",
    "log(3)",
    "done(2)",
    "delete(2)",
    "done(3)",
    "delete(3)",
  ]);
  host.close();
});

test("two filters on one VM: requests forwards, responses backwards, both logged before done", async () => {
  const host = await scriptedHost([], { copies: 2 });
  const { messages } = host.request();
  expect(messages.map((line) => line.replace(/,.*/, ")"))).toEqual([
    "create(2)",
    "request_headers(2)",
    "create(3)",
    "request_headers(3)",
    "response_headers(3)",
    "response_headers(2)",
    "log(2)",
    "log(3)",
    "done(2)",
    "delete(2)",
    "done(3)",
    "delete(3)",
  ]);
  host.close();
});

test("an http call is answered on the root context, which lets the stream go", async () => {
  const host = await scriptedHost(
    [
      "request_headers http_call auth :path=/,:method=GET,:authority=a body ~ 100",
      "request_headers return 1",
      "http_call_response get_header_map_value 6 :status",
      "http_call_response get_header_map_value 6 x",
      "http_call_response get_buffer_bytes 4 0 max",
      "http_call_response get_header_map_value 7 t",
      "http_call_response get_status",
      "http_call_response set_effective_context 2",
      "http_call_response get_header_map_value 6 :status",
      "http_call_response replace_header_map_value 0 x-auth ok",
      "http_call_response continue_stream 0",
      "response_headers get_header_map_value 6 :status",
      "response_headers get_buffer_status 4",
    ],
    {
      clusters: {
        auth: (request) => ({
          status: 201,
          headers: { x: request.headers["content-length"] ?? "" },
          body: request.body,
          trailers: { t: "1" },
        }),
      },
    },
  );
  const exchange = host.request();
  expect(answers(exchange.messages)).toEqual([
    "0 4",
    "0 [201]",
    "0 [4]",
    "0 [body]",
    "0 [1]",
    "0 0 []",
    "0",
    "0 [201]",
    "0",
    "0",
    "2",
    "1",
  ]);
  expect(exchange.messages).toContain("http_call_response(1,4,2,4,1)");
  expect(exchange.upstreamRequest?.headers["x-auth"]).toBe("ok");
  host.close();
});

test("an http call that is reset, refused, or incomplete", async () => {
  const call = ":path=/,:method=GET,:authority=a ~ ~";
  const host = await scriptedHost(
    [
      `request_headers http_call broken ${call} 100`,
      `request_headers http_call refused ${call} 100`,
      "request_headers http_call broken :path=/,:method=GET ~ ~ 100",
      `request_headers http_call broken ${call} 2147483648`,
      "http_call_response get_status",
      "http_call_response get_header_map_value 6 :status",
    ],
    { clusters: { broken: "reset", refused: "refuse" } },
  );
  host.request();
  const all = host.logs.map((line) => line.message);
  expect(answers(all)).toEqual(["0 4", "10 0", "2 0", "2 0", "0 11 [reset]", "2"]);
  expect(all).toContain("http_call_response(1,4,0,0,0)");
  host.close();
});

test("items of a queue are told after the callback that put them there", async () => {
  const host = await scriptedHost([
    "configure register_shared_queue q",
    "request_headers enqueue_shared_queue 1 a",
    "request_headers enqueue_shared_queue 1 b",
    "queue_ready dequeue_shared_queue 1",
  ]);
  const { messages } = host.request();
  expect(messages.some((line) => line.startsWith("queue_ready"))).toBe(false);
  host.tick(10);
  expect(host.logs.slice(-4).map((line) => line.message)).toEqual([
    "queue_ready(1,1)",
    "  dequeue_shared_queue 1 -> 0 [a]",
    "queue_ready(1,1)",
    "  dequeue_shared_queue 1 -> 0 [b]",
  ]);
  host.close();
});

test("streams leave no context behind, one that waits does until it is over", async () => {
  const host = await scriptedHost([]);
  const held = host.request({ upstream: "never" });
  for (let i = 0; i < 100; i += 1) host.request({ method: "POST", body: "abc" });
  expect([host.contexts, held.isOver]).toEqual([2, false]);
  host.close();
  expect([host.contexts, held.isOver]).toEqual([0, true]);
});
