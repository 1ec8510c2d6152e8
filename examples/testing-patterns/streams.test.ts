// A request goes in, and what came of it is looked at from both sides. The filter masks and checks JSON.
import { loadFilter, type TestFilter } from "@headgate/runtime/testing";
import { expect, test } from "vitest";
import "@headgate/runtime/testing/vitest";

const FILTER = new URL("../body-rewrite/assembly/index.ts", import.meta.url);
const JSON_TYPE = { "content-type": "application/json" };

const start = (): Promise<TestFilter> => loadFilter(FILTER, { config: { mask: ["password"] } });

test("a whole exchange: what the upstream gets, what the downstream gets", async () => {
  const t = await start();
  const headers = { ...JSON_TYPE, "accept-encoding": "gzip" };
  const s = await t.request({ method: "POST", path: "/users", headers, body: "[1]" });
  expect(s).toHaveReachedUpstream();
  expect(s.upstreamRequest).toMatchObject({ method: "POST", path: "/users", text: "[1]" });
  expect(s.upstreamRequest).not.toHaveHeader("accept-encoding");
  await s.respond({ headers: JSON_TYPE, body: '{"user":{"password":7}}' });
  expect(s).toHaveResponse(200);
  expect(s.response).toHaveBody({ json: { user: { password: "***" } } });
  expect(t).toHaveMetric("body_rewrite.masked", 1);
});

test("an answer of the filter's own", async () => {
  const t = await start();
  const s = await t.request({ method: "POST", headers: JSON_TYPE, body: "{" });
  const body = "no JSON: expected a name in double quotes at byte 1\n";
  expect(s).toHaveLocalReply({ status: 400, body });
});

test("piece by piece, the body is kept until it is whole", async () => {
  const t = await start();
  const s = await t.request({ method: "POST", headers: JSON_TYPE, isOpen: true });
  await s.send('{"a":');
  expect(s).toBePaused();
  await s.send("1}");
  await s.end();
  expect(s.upstreamRequest).toHaveBody('{"a":1}');
  await s.respond({ headers: JSON_TYPE, chunks: ['{"pass', 'word":', '"hunter2"}'] });
  expect(s.response).toHaveBody('{"password":"***"}');
});

test.each([
  ["one byte less than the limit", 65_535, 200],
  ["the limit", 65_536, 200],
  ["one byte more", 65_537, 413],
])("%s", async (_name, length, status) => {
  const t = await start();
  const body = `"${"x".repeat(length - 2)}"`;
  const s = await t.request({ method: "POST", headers: JSON_TYPE, body });
  const found = s.localReply?.status ?? (s.upstreamRequest?.text === body ? 200 : 0);
  expect(found).toBe(status);
});

test("who goes away in the middle leaves nothing behind", async () => {
  const t = await start();
  const s = await t.request({ method: "POST", headers: JSON_TYPE, isOpen: true });
  await s.send("[1,");
  await s.disconnect();
  expect(s.isOver).toBe(true);
  expect(s).not.toHaveLocalReply(400);
});
