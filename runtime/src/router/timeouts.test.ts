import { expect, test } from "vitest";
import { HeaderMap } from "../core/header-map.ts";
import { FakeRoute } from "./router-for-test.ts";
import { TimeoutPlan } from "./timeouts.ts";

const config = { dynamicStats: true, suppressEnvoyHeaders: false, respectExpectedRqTimeout: false };

interface Outcome {
  readonly globalMs: number;
  readonly perTryMs: number;
  readonly expected: string | undefined;
  readonly left: string | undefined;
}

function plan(global: string, perTry: string, routeMs = 15_000): Outcome {
  const route = new FakeRoute();
  route.timeoutMs = routeMs;
  const headers = new HeaderMap();
  if (global !== "-") headers.append("x-envoy-upstream-rq-timeout-ms", global);
  if (perTry !== "-") headers.append("x-envoy-upstream-rq-per-try-timeout-ms", perTry);
  const timeouts = new TimeoutPlan();
  timeouts.read(route, headers, config);
  return {
    globalMs: timeouts.globalMs,
    perTryMs: timeouts.perTryMs,
    expected: headers.get("x-envoy-expected-rq-timeout-ms"),
    left: headers.get("x-envoy-upstream-rq-timeout-ms"),
  };
}

test("the route's timeout, or the header's where it is a number", () => {
  const left = undefined;
  expect(plan("-", "-")).toEqual({ globalMs: 15_000, perTryMs: 0, expected: "15000", left });
  expect(plan("250", "-")).toEqual({ globalMs: 250, perTryMs: 0, expected: "250", left });
  expect(plan("0", "-")).toEqual({ globalMs: 0, perTryMs: 0, expected: undefined, left });
  for (const text of ["", "x", "1.5", "-1", "1e3"]) {
    expect(plan(text, "-")).toMatchObject({ globalMs: 15_000, left: text });
  }
});

test("a timeout of one attempt counts when it is shorter than the whole", () => {
  expect(plan("1000", "300")).toMatchObject({ globalMs: 1000, perTryMs: 300, expected: "300" });
  expect(plan("300", "300")).toMatchObject({ globalMs: 300, perTryMs: 0, expected: "300" });
  expect(plan("0", "300")).toMatchObject({ globalMs: 0, perTryMs: 300, expected: "300" });
  expect(plan("-", "-", 0)).toMatchObject({ globalMs: 0, expected: undefined });
});

test("absurd numbers stay finite", () => {
  expect(plan("9".repeat(400), "-").globalMs).toBe(2 ** 48);
});
