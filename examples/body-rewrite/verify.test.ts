// The page of this folder, done with real processes.
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { RunningExample } from "../running-example.ts";
import { serve } from "./upstream.ts";

let upstream: Server;
let headgate: RunningExample;
let url: string;

beforeAll(async () => {
  upstream = await serve(0);
  headgate = await RunningExample.startFilter("body-rewrite", [
    ["port_value: 10001", `port_value: ${(upstream.address() as AddressInfo).port}`],
  ]);
  url = `http://127.0.0.1:${await headgate.port("main")}`;
});

afterAll(async () => {
  await headgate.stop();
  upstream.close();
});

async function get(path: string): Promise<readonly [number, string]> {
  const answer = await fetch(url + path);
  return [answer.status, await answer.text()];
}

async function post(body: string, type = "application/json"): Promise<readonly [number, string]> {
  const answer = await fetch(url, { method: "POST", body, headers: { "content-type": type } });
  return [answer.status, await answer.text()];
}

test("members are masked wherever they stand, and all else is as it was, digit by digit", async () => {
  const user = '{"id":12345678901234567890,"name":"kim","password":"***"}';
  const text = `{"users":[${user},{"id":2,"token":"***"}],"password":"***"}`;
  expect(await get("/users")).toEqual([200, text]);
  await headgate.untilStats({ "wasmcustom.body_rewrite.masked": 3 });
});

test("what is no JSON passes, and what only says that it is does not", async () => {
  expect(await get("/plain")).toEqual([200, "password and token\n"]);
  expect(await get("/broken")).toEqual([200, '{"error":"the answer could not be read"}']);
});

test("requests must be JSON when they say so", async () => {
  expect(await post('{"a":1}')).toEqual([200, '{"received":7}']);
  expect(await post('{"a":1')).toEqual([
    400,
    "no JSON: expected a comma or a closing brace at byte 6\n",
  ]);
  expect(await post('{"a":1', "text/plain")).toEqual([200, '{"received":6}']);
});

test("there is a limit for each direction", async () => {
  expect(await post(JSON.stringify("x".repeat(70_000)))).toEqual([413, "request body too large"]);
  expect(await get("/large")).toEqual([500, "response body too large"]);
  expect((await get("/large-text"))[1]).toHaveLength(300_000);
});

test("without an upstream the proxy's own answer passes", async () => {
  upstream.closeAllConnections();
  await new Promise((resolve) => upstream.close(resolve));
  expect((await get("/users"))[0]).toBe(503);
});
