// A filter that asks a cluster: the test answers, fails, or is late, on a clock of its own.
import { configErrors, loadFilter, type TestFilter } from "@headgate/runtime/testing";
import { expect, test } from "vitest";
import "@headgate/runtime/testing/vitest";

const FILTER = new URL("../auth-callout/assembly/index.ts", import.meta.url);
const KIM = { headers: { authorization: "Bearer kim", "x-user": "admin" } };

const start = (more: object = {}): Promise<TestFilter> =>
  loadFilter(FILTER, { config: { cluster: "auth", ...more } });

test("the request waits for the answer, and goes on with what it says", async () => {
  const t = await start();
  const auth = t.callouts.expect("auth").toMatch({
    path: "/check",
    headers: { authorization: "Bearer kim" },
    timeoutMs: 200,
  });
  const s = await t.request(KIM);
  expect(s).toBePaused();
  auth.reply(200, { "x-user": "kim" });
  expect(s.upstreamRequest).toHaveHeader("x-user", "kim");
});

test.each(["timeout", "unreachable", "reset", "refused", "no cluster"] as const)(
  "an answer that does not come: %s",
  async (failure) => {
    const t = await start();
    t.callouts.expect("auth").fail(failure);
    const s = await t.request(KIM);
    expect(s).toHaveLocalReply({ status: 503, headers: { "retry-after": "1" } });
    expect(s).toHaveLogged("nobody says who this is", "warn");
  },
);

test("an answer that comes too late is none, and the next request asks again", async () => {
  const t = await start({ timeoutMs: "50ms" });
  t.callouts.expect("auth").after(60).reply(200, { "x-user": "kim" });
  const s = await t.request(KIM);
  await t.advance(49);
  expect(s).toBePaused();
  await t.advance(1);
  expect(s).toHaveLocalReply(503);
  t.callouts.expect("auth").after(40).reply(200, { "x-user": "kim" });
  const again = await t.request(KIM);
  await t.advance(40);
  expect(again).toHaveReachedUpstream();
});

test("a yes holds for ten seconds", async () => {
  const t = await start();
  // Twice and no more: a call that nobody expects fails the test.
  t.callouts.expect("auth").times(2).reply(200, { "x-user": "kim" });
  for (const pauseMs of [0, 9_999, 1]) {
    await t.advance(pauseMs);
    expect(await t.request(KIM)).toHaveReachedUpstream();
  }
});

test("a no holds as long", async () => {
  const t = await start();
  t.callouts.expect("auth").times(2).reply(401);
  for (const pauseMs of [0, 9_999, 1]) {
    await t.advance(pauseMs);
    expect(await t.request(KIM)).toHaveLocalReply(403);
  }
});

test("who is asked about last is remembered when there is no room for more", async () => {
  const t = await start({ clientsMax: 2 });
  t.callouts.expect("auth").times(4).reply(401);
  const ask = async (name: string): Promise<void> => {
    expect(await t.request({ headers: { authorization: name } })).toHaveLocalReply(403);
  };
  for (const name of ["a", "b", "c", "c", "a"]) await ask(name);
});

test.each([
  [{}, "/cluster: is required"],
  [{ cluster: "auth", timeoutMs: "1h" }, "/timeoutMs: must be a duration"],
  [{ cluster: "auth", keep: "1s" }, "/keep: unknown field"],
])("a wrong configuration is refused in words: %j", async (config, words) => {
  expect((await configErrors(FILTER, { config })).join("\n")).toContain(words);
});
