// Tests of the filter in assembly/: it runs in the proxy's own wasm host, without sockets or ports.
// Copy this file beside a filter of your own and start from here.
import { configErrors, loadFilter, structBytes, type TestFilter } from "@headgate/runtime/testing";
import { expect, test } from "vitest";
// Matchers such as toHaveHeader; ends after each test what it has loaded, and looks what is left.
import "@headgate/runtime/testing/vitest";

const FILTER = new URL("./assembly/index.ts", import.meta.url);

/** Compiles only when the sources have changed. An object is handed over as JSON text. */
function start(config: object | string): Promise<TestFilter> {
  return loadFilter(FILTER, { config });
}

test("adds the greeting to responses", async () => {
  const t = await start({ greeting: "hi" });
  const s = await t.request({ path: "/a" });
  expect(s.upstreamRequest).not.toHaveHeader("x-hello");
  await s.respond({ status: 404, body: "not here" });
  expect(s).toHaveResponse(404);
  expect(s.response).toHaveBody("not here");
  expect(s.response).toHaveHeader("x-hello", "hi");
});

test("replaces a greeting of the upstream", async () => {
  const t = await start({ greeting: "hi" });
  const s = await t.request();
  await s.respond({ headers: { "x-hello": "from upstream" } });
  expect(s.response).toHaveHeader("x-hello", "hi");
});

test("answers /teapot by itself", async () => {
  const t = await start({ greeting: "hi" });
  const s = await t.request({ path: "/teapot" });
  expect(s).toHaveLocalReply({ status: 418, body: "I am a teapot.\n" });
  expect(s.response).toHaveHeader("x-hello", "hi");
  expect(s).not.toHaveReachedUpstream();
});

test.each([
  ["a Struct", structBytes({ greeting: "grüß dich" })],
  ["a StringValue with JSON", '{"greeting": "grüß dich"}'],
])("reads its configuration from %s, and says so", async (_name, config) => {
  const t = await start(config);
  expect(t.logs).toEqual([
    { level: "info", message: "hello is configured to say: grüß dich", isGuests: true },
  ]);
  const s = await (await t.request()).respond();
  // Header values are bytes: one character each.
  const greeting = Buffer.from(s.response?.headers["x-hello"] ?? "", "latin1");
  expect(greeting.toString()).toBe("grüß dich");
});

test.each([
  ["nothing", "", "configuration /greeting: is required"],
  ["a number", { greeting: 5 }, "configuration /greeting: must be a string, found 5"],
  ["a misspelt name", { greeting: "hi", gretting: "" }, "configuration /gretting: unknown field"],
  ["broken JSON", '{"greeting": hi}', "configuration /greeting: expected a value at byte 13"],
])("refuses %s as configuration", async (_name, config, message) => {
  expect(await configErrors(FILTER, { config })).toContain(message);
});

test("keeps nothing of thousands of requests", async () => {
  const t = await start({ greeting: "hi" });
  const request = (i: number): { path: string } => ({ path: i % 2 === 0 ? "/" : "/teapot" });
  // Once garbage was collected for the first time, memory grows no more; the plugin's own context is left.
  expect(await t.soak(2000, { request })).toMatchObject({ requests: 2000, contexts: [1, 1] });
});
