// How often the filters are entered for a stream: what has nothing to change costs no call.
import { createFilterHost } from "@headgate/runtime/testing";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { buildFilter } from "./build.mjs";

const change = { append: { header: { key: "x-a", value: "1" } } };
const ANY = { allow_origin_string_match: [{ exact: "*" }] };
const request_mutations = [change];
const response_mutations = [change];
const response_trailers_mutations = [change];

function mutations(all: object): object {
  return { filter: { mutations: all }, levels: [] };
}

const users = { inline_string: "user:{SHA}tESsBmE/yNY3lb6a0L6vVQEZNqw=" };
const none = {};

test.each<[string, object, Record<string, string>, string]>([
  ["header_mutation", mutations({ request_mutations }), none, "request"],
  ["header_mutation", mutations({ response_mutations }), none, "request response"],
  [
    "header_mutation",
    mutations({ request_mutations, response_trailers_mutations }),
    none,
    "request response delete",
  ],
  ["cors", { filter: {}, levels: [ANY] }, none, "request"],
  ["cors", { filter: {}, levels: [ANY] }, { origin: "http://a.test" }, "request response"],
  ["cors", { filter: {}, levels: [] }, { origin: "http://a.test" }, "request"],
  ["basic_auth", { filter: { users }, levels: [] }, none, "request delete"],
])("%s with %j, asked with %j: %s", async (filter, config, headers, expected) => {
  const { wasm } = await buildFilter(fileURLToPath(new URL(filter, import.meta.url)));
  const host = await createFilterHost({
    module: wasm,
    config,
  });
  const before = new Map(host.costs.byCallback);
  for (let i = 0; i < 3; i += 1) host.request({ headers });
  const entered = ["request_headers", "response_headers", "delete"].filter(
    (name) => host.costs.byCallback.get(`proxy_on_${name}`)?.calls === 3,
  );
  expect(entered.map((name) => name.replace("_headers", "")).join(" ")).toBe(expected);
  const created = "proxy_on_context_create";
  expect(host.costs.byCallback.get(created)).toEqual(before.get(created));
  host.close();
});
