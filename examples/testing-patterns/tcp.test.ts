// A TCP filter, byte by byte.
import { loadFilter, type TestFilter } from "@headgate/runtime/testing";
import { expect, test } from "vitest";
import "@headgate/runtime/testing/vitest";

const FILTER = new URL("../tcp-filter/assembly/index.ts", import.meta.url);
const config = { commands: ["get", "ping"], lineBytesMax: "32B" };

const start = (): Promise<TestFilter> => loadFilter(FILTER, { config });

test("a line goes on when it is whole", async () => {
  const t = await start();
  const c = await t.connect({ remoteAddress: "192.0.2.7:4000" });
  for (const byte of "GET a\n") {
    expect(String(c.upstreamData)).toBe("");
    await c.send(byte);
  }
  expect(String(c.upstreamData)).toBe("GET a\n");
  await c.respond("+OK\n");
  expect(String(c.downstreamData)).toBe("+OK\n");
  await c.close();
});

test.each([
  ["another command", "get a\nset a 1\n", "denied"],
  ["a command of no characters", "\n", "denied"],
  ["a line that is too long", `get ${"x".repeat(40)}`, "too_long"],
])("%s ends the connection", async (_name, bytes, why) => {
  const t = await start();
  const c = await t.connect({ remoteAddress: "192.0.2.7:4000" });
  await c.send(bytes);
  expect(c.closed).not.toBeNull();
  expect(String(c.upstreamData)).toBe("");
  expect(t).toHaveMetric(`tcp_filter.lines.result.${why}`, 1);
  expect(t).toHaveLogged(`connection of 192.0.2.7:4000 refused: ${why}`, "info");
});

test("a line that the client's end cuts off does not go on", async () => {
  const t = await start();
  const c = await t.connect();
  await c.send("get a");
  await c.end();
  expect(String(c.upstreamData)).toBe("");
  expect(t).toHaveMetric("tcp_filter.lines.result.cut_off", 1);
});
