// Tests of the filter in assembly/: it runs in the proxy's own wasm host, without sockets or ports.
// Copy this file beside a filter of your own and start from here.
import { createFilterHost, type FilterHost, structBytes } from "@headgate/runtime/testing";
import { beforeAll, expect, test } from "vitest";
import { buildFilter } from "../../filters/build.mjs";

let module: string;

// Compiles only when the sources have changed. "debug" is quick to build and names places in traps.
beforeAll(async () => {
  module = (await buildFilter(import.meta.dirname, { mode: "debug" })).wasm;
});

/** An object is handed over as JSON text. */
function start(config: object | string): Promise<FilterHost> {
  return createFilterHost({ module, config });
}

test("adds the greeting to responses", async () => {
  const host = await start({ greeting: "hi" });
  const exchange = host.request({ path: "/a", upstream: { status: 404, body: "not here" } });
  expect(exchange).toMatchObject({ status: 404, text: "not here", headers: { "x-hello": "hi" } });
  expect(exchange.upstreamRequest?.headers).not.toHaveProperty("x-hello");
  host.close();
});

test("replaces a greeting of the upstream", async () => {
  const host = await start({ greeting: "hi" });
  const { headers } = host.request({ upstream: { headers: { "x-hello": "from upstream" } } });
  expect(headers["x-hello"]).toBe("hi");
  host.close();
});

test("answers /teapot by itself", async () => {
  const host = await start({ greeting: "hi" });
  const exchange = host.request({ path: "/teapot" });
  expect(exchange).toMatchObject({ status: 418, text: "I am a teapot.\n" });
  expect(exchange.headers["x-hello"]).toBe("hi");
  expect(exchange.upstreamRequest).toBeNull();
  host.close();
});

test.each([
  ["a Struct", structBytes({ greeting: "grüß dich" })],
  ["a StringValue with JSON", '{"greeting": "grüß dich"}'],
])("reads its configuration from %s, and says so", async (_name, config) => {
  const host = await start(config);
  expect(host.logs).toEqual([
    { level: "info", message: "hello is configured to say: grüß dich", isGuests: true },
  ]);
  // Header values are bytes: one character each.
  const greeting = Buffer.from(host.request().headers["x-hello"] ?? "", "latin1");
  expect(greeting.toString()).toBe("grüß dich");
  host.close();
});

test.each([
  ["nothing", "", "configuration /greeting: is required"],
  ["a number", { greeting: 5 }, "configuration /greeting: must be a string, found 5"],
  ["a misspelt name", { greeting: "hi", gretting: "" }, "configuration /gretting: unknown field"],
  ["broken JSON", '{"greeting": hi}', "configuration /greeting: expected a value at byte 13"],
])("refuses %s as configuration", async (_name, config, message) => {
  await expect(start(config)).rejects.toMatchObject({
    name: "FilterStartError",
    reasons: expect.arrayContaining([message]),
  });
});

test("keeps nothing of thousands of requests", async () => {
  const host = await start({ greeting: "hi" });
  const rounds = (count: number): number => {
    for (let i = 0; i < count; i += 1) host.request({ path: i % 2 === 0 ? "/" : "/teapot" });
    return host.guestMemoryBytes;
  };
  // Once it has collected garbage for the first time, memory grows no more.
  const bytes = rounds(1000);
  expect(rounds(1000)).toBe(bytes);
  // The plugin's own is left.
  expect(host.contexts).toBe(1);
  host.close();
});
