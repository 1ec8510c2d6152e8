// What a guest may make the host hold: each limit is kept, counted, and told once.
import { limits } from "proxy-wasm-types";
import { expect, test } from "vitest";
import { scriptedHost } from "./guest-script-for-test.ts";

const CALL = "http_call up :method=GET,:path=/,:authority=a  ~ 0";

test("callouts that wait are limited for the whole VM", async () => {
  const max = limits.calloutsPendingMax;
  const calls = Array.from({ length: max }, () => `request_headers#1 ${CALL}`);
  const host = await scriptedHost([...calls, `request_headers ${CALL}`], {
    clusters: { up: "never" },
    name: "greedy",
  });
  const answersOf = (): string[] =>
    host
      .request()
      .messages.filter((message) => message.includes("http_call"))
      .map((message) => message.slice(message.indexOf("->")));
  const first = answersOf();
  expect(first.slice(0, max).every((answer) => answer.startsWith("-> 0 "))).toBe(true);
  expect(first.slice(max)).toEqual(["-> 10 0"]);
  expect(answersOf()).toEqual(["-> 10 0"]);
  expect(host.stats.counter("wasm.greedy.limit.callouts_pending").value).toBe(2);
  const told = host.logs.filter(({ message }) => message.includes("is above its limit"));
  expect(told.map(({ message }) => message)).toEqual([
    "wasm plugin greedy is above its limit callouts_pending (1024); " +
      "later ones are counted in wasm.greedy.limit.callouts_pending",
  ]);
  host.close();
});
