// Tests of the filter in assembly/: it runs in the proxy's own wasm host, without sockets.
import { configErrors, loadFilter } from "@headgate/runtime/testing";
import { expect, test } from "vitest";
// Matchers such as toHaveMetric; ends after each test what it has loaded, and looks what is left.
import "@headgate/runtime/testing/vitest";

const FILTER = new URL("../assembly/index.ts", import.meta.url);
const config = { prefix: "HELO " };

test("passes what begins right, also in pieces", async () => {
  const t = await loadFilter(FILTER, { config });
  const c = await t.connect();
  await c.send("HE");
  expect(c.upstreamData.toString()).toBe("");
  await c.send("LO kim");
  expect(c.upstreamData.toString()).toBe("HELO kim");
  await c.respond("250 fine");
  expect(c.downstreamData.toString()).toBe("250 fine");
  await c.close();
});

test("closes what begins otherwise", async () => {
  const t = await loadFilter(FILTER, { config });
  const c = await t.connect();
  await c.send("GET / HTTP/1.1");
  expect(c.closed).not.toBeNull();
  expect(c.upstreamData.toString()).toBe("");
  expect(t).toHaveMetric("my_filter_refused", 1);
});

test("must be told what to expect", async () => {
  expect((await configErrors(FILTER, { config: {} })).join("\n")).toContain("/prefix");
});
