// Tests of the filter in assembly/: it runs in the proxy's own wasm host, without sockets.
import { configErrors, loadFilter } from "@headgate/runtime/testing";
import { expect, test } from "vitest";
// Matchers such as toBePaused; ends after each test what it has loaded, and looks what is left.
import "@headgate/runtime/testing/vitest";

const FILTER = new URL("../assembly/index.ts", import.meta.url);
const config = { cluster: "auth" };
const request = { path: "/orders", headers: { authorization: "token", "x-user": "admin" } };

test("waits for the service, and tells the upstream who it is", async () => {
  const t = await loadFilter(FILTER, { config });
  const auth = t.callouts.expect("auth").toMatch({ path: "/check", timeoutMs: 200 });
  const s = await t.request(request);
  expect(s).toBePaused();
  auth.reply(200, { "x-user": "kim" });
  expect(s.upstreamRequest).toHaveHeader("x-user", "kim");
});

test("answers 403 when the service says no", async () => {
  const t = await loadFilter(FILTER, { config });
  t.callouts.expect("auth").reply(401);
  expect(await t.request(request)).toHaveLocalReply(403);
});

test("answers 503 when the service does not answer in time", async () => {
  const t = await loadFilter(FILTER, { config });
  t.callouts.expect("auth").fail("timeout");
  expect(await t.request(request)).toHaveLocalReply(503);
});

test("answers 401 without asking when there is no token", async () => {
  const t = await loadFilter(FILTER, { config });
  expect(await t.request({ path: "/orders" })).toHaveLocalReply(401);
});

test("must be told whom to ask", async () => {
  expect((await configErrors(FILTER, { config: {} })).join("\n")).toContain("/cluster");
});
