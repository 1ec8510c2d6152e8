// Two filters in a chain, as envoy.yaml of this folder has them: who passes the first has a name, by which
// the second one counts, over all workers.
import { readFileSync } from "node:fs";
import { loadChain, type TestFilter } from "@headgate/runtime/testing";
import { expect, test } from "vitest";
import { parse } from "yaml";
import "@headgate/runtime/testing/vitest";

/** The part of envoy.yaml that is about a plugin. */
interface Plugin {
  readonly name: string;
  readonly configuration: { readonly value: object };
}

/** All objects of a document that are the `config` of a wasm filter, in their order. */
function* pluginsIn(value: unknown): Generator<Plugin> {
  if (typeof value !== "object" || value === null) return;
  if ("configuration" in value && "vm_config" in value) yield value as unknown as Plugin;
  for (const member of Object.values(value)) yield* pluginsIn(member);
}

const deployed = parse(readFileSync(new URL("./envoy.yaml", import.meta.url), "utf8")) as unknown;

function start(): Promise<TestFilter> {
  const links = Array.from(pluginsIn(deployed), ({ name, configuration }) => ({
    source: new URL(`../${name}/assembly/index.ts`, import.meta.url),
    name,
    config: configuration.value,
  }));
  return loadChain(links);
}

const of = (name: string): object => ({ headers: { authorization: `Bearer ${name}` } });

test("the second filter counts by the name that the first one has found", async () => {
  const t = await start();
  t.callouts.expect("auth").reply(200, { "x-user": "kim" });
  for (const remaining of ["2", "1", "0"]) {
    const s = await t.request(of("kim"));
    expect(s).toHaveReachedUpstream();
    await s.respond(200);
    expect(s.response).toHaveHeader("x-ratelimit-remaining", remaining);
  }
  const s = await t.request(of("kim"));
  expect(s).toHaveLocalReply({ status: 429, headers: { "retry-after": "60" } });
});

test("who does not pass the first is not counted by the second", async () => {
  const t = await start();
  t.callouts.expect("auth").reply(401);
  const s = await t.request(of("eve"));
  expect(s).toHaveLocalReply(403);
  expect(s.response).not.toHaveHeader("x-ratelimit-limit");
  expect(t.shared.text("rate-limit/eve")).toBeUndefined();
});

test("workers have memories of their own, and shared data in common", async () => {
  const one = await start();
  const two = await one.worker();
  // Each asks for itself.
  one.callouts.expect("auth").times(2).reply(200, { "x-user": "kim" });
  for (const worker of [one, two, one]) {
    expect(await worker.request(of("kim"))).toHaveReachedUpstream();
  }
  expect(await two.request(of("kim"))).toHaveLocalReply(429);
  // The next window, and a new question: what was kept is too old.
  one.callouts.expect("auth").reply(200, { "x-user": "kim" });
  await one.advance(60_000);
  expect(await two.request(of("kim"))).toHaveReachedUpstream();
});
