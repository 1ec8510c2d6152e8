// The page of this folder, done with a real process that has three workers.
import { request } from "node:http";
import { afterAll, beforeAll, expect, test } from "vitest";
import { RunningExample } from "../running-example.ts";

let headgate: RunningExample;
let port: number;

beforeAll(async () => {
  headgate = await RunningExample.startFilter(
    "rate-limit",
    [
      ["requests: 5", "requests: 20"],
      // Longer than this test may take.
      ["windowMs: 1m", "windowMs: 1h"],
    ],
    ["--concurrency", "3"],
  );
  port = await headgate.port("main");
});

afterAll(async () => {
  await headgate.stop();
});

interface Answer {
  readonly status: number | undefined;
  readonly headers: NodeJS.Dict<string | string[]>;
}

/** On a connection of its own, so that any worker may get it. */
function ask(key?: string): Promise<Answer> {
  const headers = key === undefined ? {} : { "x-api-key": key };
  return new Promise((resolve, reject) => {
    const sent = request({ port, host: "127.0.0.1", headers, agent: false }, (answer) => {
      answer.resume();
      answer.on("end", () => resolve({ status: answer.statusCode, headers: answer.headers }));
    });
    sent.on("error", reject).end();
  });
}

test("a window holds so many requests, whichever worker gets them", async () => {
  const answers = await Promise.all(Array.from({ length: 60 }, () => ask("kim")));
  const passed = answers.filter(({ status }) => status === 200);
  const left = passed.map(({ headers }) => Number(headers["x-ratelimit-remaining"]));
  // Each number once: no two workers have counted the same request.
  expect(left.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, i) => i));
  const limited = answers.filter(({ status }) => status === 429);
  expect(limited).toHaveLength(40);
  const [first] = limited;
  expect(first?.headers).toMatchObject({ "x-ratelimit-limit": "20", "x-ratelimit-remaining": "0" });
  expect(Number(first?.headers["retry-after"])).toBeGreaterThan(3500);
});

test("each client has a count of its own, and who has no key the address'", async () => {
  expect((await ask("kim")).status).toBe(429);
  expect((await ask("ada")).headers["x-ratelimit-remaining"]).toBe("19");
  expect((await ask()).headers["x-ratelimit-remaining"]).toBe("19");
  expect((await ask()).headers["x-ratelimit-remaining"]).toBe("18");
});

test("decisions are counted", async () => {
  const told = headgate.untilStats({
    "wasmcustom.rate_limit.requests.result.passed": 23,
    "wasmcustom.rate_limit.requests.result.limited": 41,
  });
  await expect(told).resolves.toBeUndefined();
});
