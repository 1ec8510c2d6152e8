// The page of this folder: the same module and the same envoy.yaml in Headgate and, where ENVOY_BIN names
// one, in Envoy. What is expected of both is written down once.
import { createHmac } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { RunningExample } from "../running-example.ts";

const KEY = "no key to use elsewhere";
const envoy = process.env["ENVOY_BIN"];
if (envoy === undefined)
  console.warn("SKIPPED examples/same-module in Envoy: ENVOY_BIN is not set");

const sign = (body: string): string =>
  `sha256=${createHmac("sha256", KEY).update(body).digest("hex")}`;

describe.each([
  ["Headgate", undefined],
  ["Envoy", envoy],
])("in %s", (name, binary) => {
  const isHere = name === "Headgate" || binary !== undefined;
  let proxy: RunningExample;
  let url: string;

  beforeAll(async () => {
    if (!isHere) return;
    proxy = await RunningExample.startFilter("same-module", [], ["--use-dynamic-base-id"], binary);
    url = `http://127.0.0.1:${await proxy.port("main")}/hook`;
  });

  afterAll(async () => {
    if (isHere) await proxy.stop();
  });

  async function send(body: string, signature?: string): Promise<readonly [number, string]> {
    const headers = signature === undefined ? {} : { "x-signature": signature };
    const answer = await fetch(url, { method: "POST", body, headers });
    return [answer.status, await answer.text()];
  }

  test.skipIf(!isHere)("what was signed passes", async () => {
    expect(await send("{}", sign("{}"))).toEqual([200, "accepted\n"]);
    const large = "é".repeat(8000);
    expect(await send(large, sign(large))).toEqual([200, "accepted\n"]);
    expect(await send("", sign(""))).toEqual([200, "accepted\n"]);
  });

  test.skipIf(!isHere)("anything else does not", async () => {
    expect(await send("{}")).toEqual([401, "signature unsigned\n"]);
    expect(await send("{}", "sha1=00")).toEqual([401, "signature malformed\n"]);
    expect(await send("{}", "sha256=0g")).toEqual([401, "signature malformed\n"]);
    expect(await send("{ }", sign("{}"))).toEqual([401, "signature wrong\n"]);
    const tooLarge = "x".repeat(17_000);
    expect(await send(tooLarge, sign(tooLarge))).toEqual([413, "request body too large"]);
  });

  test.skipIf(!isHere)("its metrics and log lines are the same", async () => {
    await proxy.untilStats({
      "wasmcustom.webhooks.requests.result.passed": 3,
      "wasmcustom.webhooks.requests.result.unsigned": 1,
      "wasmcustom.webhooks.requests.result.malformed": 2,
      "wasmcustom.webhooks.requests.result.wrong": 1,
    });
    // Envoy has said much else.
    expect(proxy.output.includes("webhook refused why=unsigned")).toBe(true);
  });
});
