// Bodies of more than per_connection_buffer_limit_bytes that a guest collects: refused however few
// pieces they come in. Over HTTP/1 Envoy looks at the limit before the end, which comes apart.
import { expect, test } from "vitest";
import type { FilterRequest } from "../../test/harness.ts";
import { type FilterExchange, scriptedHost } from "./guest-script-for-test.ts";

const MAX = 1000;

/** Collects both bodies; those that are numbered (`request_body#2`) let go. */
async function collect(
  request: FilterRequest,
  last: readonly string[],
  bufferBytesMax = MAX,
): Promise<FilterExchange> {
  const lines = ["request_body return 1", "response_body return 1"];
  const goOn = last.map((callback) => `${callback} return 0`);
  const host = await scriptedHost([...lines, ...goOn], { bufferBytesMax });
  const exchange = host.request(request);
  host.close();
  return exchange;
}

function bodyCalls({ messages }: FilterExchange): string[] {
  return messages.filter((line) => /body\(/.test(line));
}

test("a request that comes in one piece with its end", async () => {
  const last = ["request_body#2"];
  const over = await collect({ method: "POST", body: "a".repeat(MAX + 1) }, last);
  expect(over.localReply?.details).toBe("request_payload_too_large");
  expect(over.status).toBe(413);
  expect(over.upstreamRequest?.body.length).toBe(0);
  expect(bodyCalls(over).filter((line) => line.startsWith("request"))).toEqual([
    "request_body(2,1001,0)",
  ]);
  const full = await collect({ method: "POST", body: "a".repeat(MAX) }, last);
  expect(full.upstreamRequest?.body.length).toBe(MAX);
});

test("a response that comes in one piece with its end", async () => {
  const last = ["response_body#2"];
  const over = await collect({ upstream: { body: "a".repeat(MAX + 1) } }, last);
  expect(over.reset ?? over.localReply?.details).toBe("response_payload_too_large");
  expect(bodyCalls(over)[0]).toBe("response_body(2,1001,0)");
  const full = await collect({ upstream: { body: "a".repeat(MAX) } }, last);
  expect(full.reset).toBe(null);
  expect(full.text.length).toBe(MAX);
});

test("the last of several pieces", async () => {
  const last = ["request_body#3"];
  const over = await collect({ method: "POST", body: ["a".repeat(MAX), "b"] }, last);
  expect(over.status).toBe(413);
  const full = await collect({ method: "POST", body: ["a".repeat(MAX - 1), "b"] }, last);
  expect(full.upstreamRequest?.body.length).toBe(MAX);
});

test("without a limit all is collected", async () => {
  const request = { method: "POST", body: "a".repeat(MAX * MAX) };
  const { upstreamRequest } = await collect(request, ["request_body#2"], 0);
  expect(upstreamRequest?.body.length).toBe(MAX * MAX);
});
