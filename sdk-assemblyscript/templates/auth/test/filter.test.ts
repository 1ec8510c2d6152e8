// Tests of the filter in assembly/: it runs in the proxy's own wasm host, without sockets.
import { configErrors, loadFilter } from "@headgate/runtime/testing";
import { expect, test } from "vitest";
// Matchers such as toHaveHeader; ends after each test what it has loaded, and looks what is left.
import "@headgate/runtime/testing/vitest";

const FILTER = new URL("../assembly/index.ts", import.meta.url);
const KEY = "0123456789abcdef";
const config = { keys: [{ user: "kim", key: KEY }] };

test("lets a known key pass, and says whose it is", async () => {
  const t = await loadFilter(FILTER, { config });
  const s = await t.request({ headers: { "x-api-key": KEY, "x-user": "admin" } });
  expect(s.upstreamRequest).toHaveHeader("x-user", "kim");
  expect(s.upstreamRequest).toHaveHeader("x-api-key", null);
});

test.each([[{}], [{ "x-api-key": "another" }]])("answers 401 to %j", async (headers) => {
  const t = await loadFilter(FILTER, { config });
  const s = await t.request({ headers });
  expect(s).toHaveLocalReply({ status: 401, body: "unknown key\n" });
  expect(s).not.toHaveReachedUpstream();
});

test("refuses keys that are too short, and does not tell them", async () => {
  const errors = await configErrors(FILTER, { config: { keys: [{ user: "kim", key: "short" }] } });
  expect(errors.join("\n")).toContain("/keys/0/key");
  expect(errors.join("\n")).not.toContain("short");
});
