// What the filter does by itself; beside Envoy's own it is played in conformance/envoy/cases/cors.ts.
import { loadFilter } from "@headgate/runtime/testing";
import { expect, test } from "vitest";
import "@headgate/runtime/testing/vitest";

const source = new URL("assembly/index.ts", import.meta.url);
const A = { exact: "https://a.test" };
const preflight = {
  method: "OPTIONS",
  path: "/",
  headers: { origin: "https://a.test", "access-control-request-method": "PUT" },
};

function config(...levels: readonly object[]): object {
  return { filter: {}, levels };
}

test("a preflight is answered, the request goes on with what it may", async () => {
  const policy = { allow_origin_string_match: [A], allow_methods: "PUT", max_age: "60" };
  const t = await loadFilter(source, { config: config(policy) });
  const asked = await t.request(preflight);
  expect(asked).toHaveLocalReply({
    status: 200,
    details: "cors_response",
    headers: {
      "access-control-allow-origin": "https://a.test",
      "access-control-allow-methods": "PUT",
      "access-control-max-age": "60",
    },
  });
  const s = await t.request({ method: "PUT", path: "/", headers: { origin: "https://a.test" } });
  await s.respond(200);
  expect(s.response?.headers["access-control-allow-origin"]).toBe("https://a.test");
  expect(t.metrics.counter("cors.origin_valid")).toBe(2);
});

test("of each field the innermost policy that sets it counts", async () => {
  const outer = { allow_origin_string_match: [A], allow_methods: "GET", allow_headers: "outer" };
  const t = await loadFilter(source, { config: config(outer, { allow_methods: "PUT" }) });
  expect(await t.request(preflight)).toHaveLocalReply({
    headers: { "access-control-allow-methods": "PUT", "access-control-allow-headers": "outer" },
  });
});

test("another origin passes and is told nothing", async () => {
  const t = await loadFilter(source, { config: config({ allow_origin_string_match: [A] }) });
  const s = await t.request({ path: "/", headers: { origin: "https://evil.test" } });
  await s.respond(200);
  expect(s.response?.headers["access-control-allow-origin"]).toBeUndefined();
  expect(t.metrics.counter("cors.origin_invalid")).toBe(1);
});

test.each([
  ["without a policy", config()],
  ["switched off", config({ allow_origin_string_match: [A], filter_enabled: {} })],
])("%s nothing happens", async (_name, own) => {
  const t = await loadFilter(source, { config: own });
  const s = await t.request(preflight);
  expect(s).toHaveReachedUpstream();
  await s.respond(204);
  expect(s.response?.headers["access-control-allow-origin"]).toBeUndefined();
});

test("the proxy's runtime decides where a key is given", async () => {
  const enabled = { default_value: { numerator: 30 }, runtime_key: "k" };
  const own = config({ allow_origin_string_match: [A], filter_enabled: enabled });
  const t = await loadFilter(source, { config: own });
  const asked: string[] = [];
  let answer = 0;
  t.foreign("runtime_fraction", (args) => {
    asked.push(Buffer.from(args).toString("latin1"));
    return Buffer.of(answer);
  });
  expect(await t.request(preflight)).toHaveReachedUpstream();
  answer = 1;
  expect(await t.request(preflight)).toHaveLocalReply(200);
  // 30 % are 300,000 parts per million.
  expect(asked).toEqual(["\xe0\x93\x04\x00k", "\xe0\x93\x04\x00k"]);
});
