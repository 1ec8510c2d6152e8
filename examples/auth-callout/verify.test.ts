// The page of this folder, done with real processes: who may pass, who may not, and what happens when
// nobody knows.
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { RunningExample } from "../running-example.ts";
import { asked, auth, serve, upstream } from "./servers.ts";

let servers: readonly Server[];
let headgate: RunningExample;
let url: string;

beforeAll(async () => {
  servers = [await serve(upstream, 0), await serve(auth, 0)];
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  headgate = await RunningExample.startFilter("auth-callout", [
    ["port_value: 10001", `port_value: ${ports[0]}`],
    ["port_value: 10002", `port_value: ${ports[1]}`],
    // Longer than a busy machine may take: for an answer, and for this test.
    ["timeoutMs: 200ms", "timeoutMs: 2s"],
    ["keepMs: 10s", "keepMs: 1h"],
  ]);
  url = `http://127.0.0.1:${await headgate.port("main")}/orders`;
});

afterAll(async () => {
  await headgate.stop();
  for (const server of servers) server.close();
});

async function ask(token?: string): Promise<readonly [number, string]> {
  const own = { "x-user": "admin" };
  const headers = token === undefined ? own : { ...own, authorization: token };
  const answer = await fetch(url, { headers });
  return [answer.status, await answer.text()];
}

test("who is known passes, under the name that the service tells, and is asked about once", async () => {
  expect(await ask("Bearer kim")).toEqual([200, "hello, kim\n"]);
  expect(await ask("Bearer kim")).toEqual([200, "hello, kim\n"]);
  expect(await ask("Bearer ada")).toEqual([200, "hello, ada\n"]);
  expect([asked.get("Bearer kim"), asked.get("Bearer ada")]).toEqual([1, 1]);
});

test("who is not known does not pass", async () => {
  expect(await ask("Bearer eve")).toEqual([403, "not you\n"]);
  expect(await ask("Bearer eve")).toEqual([403, "not you\n"]);
  expect(asked.get("Bearer eve")).toBe(1);
  expect(await ask()).toEqual([401, "who are you?\n"]);
});

test("a service that is too slow is not waited for", async () => {
  expect(await ask("Bearer slow")).toEqual([503, "try again\n"]);
  expect(headgate.output).toContain("nobody says who this is: upstream request timeout");
});

test("without the service, who has passed before still does, and nobody else", async () => {
  servers[1]?.closeAllConnections();
  await new Promise((resolve) => servers[1]?.close(resolve));
  expect(await ask("Bearer kim")).toEqual([200, "hello, kim\n"]);
  expect(await ask("Bearer new")).toEqual([503, "try again\n"]);
  const named = (result: string): string => `wasmcustom.auth_callout.requests.result.${result}`;
  await headgate.untilStats({
    [named("asked_yes")]: 2,
    [named("kept_yes")]: 2,
    [named("asked_no")]: 1,
    [named("kept_no")]: 1,
    [named("anonymous")]: 1,
    [named("unavailable")]: 2,
  });
});
