// What the filter does by itself; beside Envoy's own it is played in
// conformance/envoy/cases/header-mutation.ts.
import { configErrors, loadFilter } from "@headgate/runtime/testing";
import { expect, test } from "vitest";
import "@headgate/runtime/testing/vitest";

const source = new URL("assembly/index.ts", import.meta.url);

function add(key: string, value: string, action?: string): object {
  return { append: { header: { key, value }, append_action: action } };
}

function config(mutations: object, more: object = {}, ...levels: readonly object[]): object {
  return { filter: { mutations, ...more }, levels: levels.map((own) => ({ mutations: own })) };
}

test("adds, overwrites and removes, each change seeing those before it", async () => {
  const request_mutations = [
    add("x-a", "2"),
    add("x-b", "new", "OVERWRITE_IF_EXISTS_OR_ADD"),
    add("x-c", "new", "ADD_IF_ABSENT"),
    add("x-d", "new", "OVERWRITE_IF_EXISTS"),
    { remove: "X-Gone" },
    { remove_on_match: { key_matcher: { prefix: "x-debug-" } } },
    add("x-debug-mine", "1"),
  ];
  const t = await loadFilter(source, { config: config({ request_mutations }) });
  const headers = { "x-a": "1", "x-b": "old", "x-c": "old", "x-gone": "1", "x-debug-1": "1" };
  const s = await t.request({ path: "/", headers });
  const sent = s.upstreamRequest?.headers;
  expect(sent).toMatchObject({ "x-b": "new", "x-c": "old", "x-debug-mine": "1" });
  expect(sent?.["x-gone"] ?? sent?.["x-d"] ?? sent?.["x-debug-1"]).toBeUndefined();
});

test("what comes last wins: the outermost level, or the innermost", async () => {
  const say = (name: string): object => ({
    response_mutations: [add("x-level", name, "OVERWRITE_IF_EXISTS_OR_ADD")],
  });
  for (const [wins, expected] of [
    [false, "table"],
    [true, "route"],
  ] as const) {
    const more = { most_specific_header_mutations_wins: wins };
    const own = config(say("filter"), more, say("table"), say("route"));
    const t = await loadFilter(source, { config: own });
    const s = await t.request({ path: "/" });
    await s.respond(200);
    expect(s.response?.headers["x-level"]).toBe(expected);
  }
});

test("fills in commands, and leaves out what comes out empty", async () => {
  const request_mutations = [
    add("x-agent", "%REQ(user-agent)%"),
    add("x-none", "%REQ(x-none)%"),
    { append: { header: { key: "x-kept", value: "%REQ(x-none)%" }, keep_empty_value: true } },
  ];
  const t = await loadFilter(source, {
    config: config({ request_mutations }),
    foreign: {
      substitute_format: (args: Uint8Array) =>
        Buffer.from(Buffer.from(args).toString().includes("agent") ? "me" : ""),
    },
  });
  const sent = (await t.request({ path: "/" })).upstreamRequest?.headers;
  expect(sent).toMatchObject({ "x-agent": "me", "x-kept": "" });
  expect(sent).not.toHaveProperty("x-none");
});

test("changes the query, and writes it so that nothing becomes another parameter", async () => {
  const query_parameter_mutations = [
    { append: { record: { key: "b", value: "1&2" } } },
    { append: { record: { key: "c", value: "x" }, action: "ADD_IF_ABSENT" } },
    { remove: "gone" },
  ];
  const t = await loadFilter(source, { config: config({ query_parameter_mutations }) });
  const s = await t.request({ path: "/p?c=%26&gone=1&a=%20" });
  expect(s.upstreamRequest?.path).toBe("/p?a=%20&b=1%262&c=%26");
});

test("refuses what cannot be meant", async () => {
  const request_mutations = [
    add(":path", "/x"),
    { append: {} },
    { remove_on_match: { key_matcher: {} } },
  ];
  const query_parameter_mutations = [{}];
  const own = config({ request_mutations, query_parameter_mutations });
  const errors = (await configErrors(source, { config: own })).join("\n");
  const at = "/filter/mutations";
  expect(errors).toContain(
    `${at}/request_mutations/0/append/header/key: :-prefixed or host headers`,
  );
  expect(errors).toContain(`${at}/request_mutations/1/append/header: is required`);
  expect(errors).toContain(
    `${at}/request_mutations/2/remove_on_match/key_matcher/safe_regex: expected`,
  );
  expect(errors).toContain(`${at}/query_parameter_mutations/0: expected append or remove`);
});
