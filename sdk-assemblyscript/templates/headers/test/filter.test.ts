// Tests of the filter in assembly/: it runs in the proxy's own wasm host, without sockets.
import { configErrors, loadFilter } from "@headgate/runtime/testing";
import { expect, test } from "vitest";
// Matchers such as toHaveHeader; ends after each test what it has loaded, and looks what is left.
import "@headgate/runtime/testing/vitest";

const FILTER = new URL("../assembly/index.ts", import.meta.url);

test("marks requests", async () => {
  const t = await loadFilter(FILTER, { config: {} });
  const s = await t.request({ path: "/" });
  expect(s.upstreamRequest).toHaveHeader("x-filtered-by", "my-filter");
});

test("sets and removes headers of responses", async () => {
  const config = { set: { "x-frame-options": "DENY" }, remove: ["x-powered-by"] };
  const t = await loadFilter(FILTER, { config });
  const s = await t.request();
  await s.respond({ headers: { "x-powered-by": "something", "x-frame-options": "SAMEORIGIN" } });
  expect(s.response).toHaveHeader("x-frame-options", "DENY");
  expect(s.response).toHaveHeader("x-powered-by", null);
});

test("refuses a configuration that it does not know", async () => {
  const errors = await configErrors(FILTER, { config: { remove: "server" } });
  expect(errors.join("\n")).toContain("/remove");
});
