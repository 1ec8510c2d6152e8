// What the filter does by itself; beside Envoy's own it is played in
// conformance/envoy/cases/basic-auth.ts.
import { createHash } from "node:crypto";
import { configErrors, loadFilter } from "@headgate/runtime/testing";
import { expect, test } from "vitest";
import "@headgate/runtime/testing/vitest";

const source = new URL("assembly/index.ts", import.meta.url);

function users(...lines: readonly string[]): object {
  return { inline_string: lines.join("\n") };
}

function line(name: string, password: string): string {
  return `${name}:{SHA}${createHash("sha1").update(password).digest("base64")}`;
}

function config(filter: object, ...levels: readonly object[]): object {
  return { filter: { users: users(line("ann", "secret")), ...filter }, levels };
}

function as(text: string): { path: string; headers: Record<string, string> } {
  const credentials = Buffer.from(text).toString("base64");
  // The connection manager sets the second one.
  const headers = { authorization: `Basic ${credentials}`, "x-forwarded-proto": "http" };
  return { path: "/p", headers };
}

test("who knows the password passes, and his name goes along", async () => {
  const t = await loadFilter(source, { config: config({ forward_username_header: "x-user" }) });
  const s = await t.request(as("ann:secret"));
  expect(s.upstreamRequest?.headers["x-user"]).toBe("ann");
  expect(t.metrics.counter("basic_auth.allowed")).toBe(1);
});

test.each([
  ["ann:wrong", "Invalid username/password combination.", "invalid_credential_for_basic_auth"],
  ["eve:secret", "Invalid username/password combination.", "invalid_credential_for_basic_auth"],
  ["ann", "Invalid basic credential format.", "invalid_format_for_basic_auth"],
])("%s is answered 401", async (credentials, words, details) => {
  const t = await loadFilter(source, { config: config({}) });
  const s = await t.request(as(credentials));
  const body = `User authentication failed. ${words}`;
  expect(s).toHaveLocalReply({ status: 401, body, details });
  expect(s.localReply?.headers["www-authenticate"]).toMatch(/^Basic realm="http:\/\/.*\/p"$/);
  expect(t.metrics.counter("basic_auth.denied")).toBe(1);
});

test("the users of a route stand in place of the filter's", async () => {
  const own = { users: users(line("route", "r")), realm: "the route" };
  const t = await loadFilter(source, { config: config({}, own) });
  expect(await t.request(as("route:r"))).toHaveReachedUpstream();
  const s = await t.request(as("ann:secret"));
  expect(s).toHaveLocalReply({ headers: { "www-authenticate": 'Basic realm="the route"' } });
});

test("the name is metadata where it is asked for", async () => {
  const t = await loadFilter(source, { config: config({ emit_dynamic_metadata: true }) });
  const told: string[] = [];
  t.foreign("set_dynamic_metadata", (args) => {
    told.push(Buffer.from(args).toString("utf8"));
  });
  await t.request(as("ann:secret"));
  expect(told).toEqual(["envoy.filters.http.basic_auth\0username\0ann"]);
});

test("says of each line of users what is wrong with it", async () => {
  const lines = [line("a", "b"), "no colon", "b:plain", line("a", "c"), "c:{SHA}!"];
  const errors = await configErrors(source, { config: config({ users: users(...lines) }) });
  const at = "/filter/users/inline_string: line";
  expect(errors.join("\n")).toContain(`${at} 2: expected username:password`);
  expect(errors.join("\n")).toContain(`${at} 3: unsupported htpasswd format, expected {SHA}`);
  expect(errors.join("\n")).toContain(`${at} 4: the user is there twice`);
  expect(errors.join("\n")).toContain(`${at} 5: invalid SHA hash`);
  expect(await configErrors(source, { config: { filter: {}, levels: [] } })).not.toEqual([]);
});
